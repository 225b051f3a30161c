"""Texts, images and files of a message, as chat and responses have them in common. Pure: no I/O."""

from typing import Final

from localaik.content import Attachment, Part, Text
from localaik.errors import BadRequest
from localaik.protocols.openai.reading import Findings, missing

__all__ = ["add_file", "add_text", "file_attachment", "image_attachment", "no_audio"]

_TEXT_ENDINGS: Final = frozenset(
    {"c", "css", "csv", "html", "js", "json", "md", "py", "ts", "txt", "xml", "yaml", "yml"}
)


def add_text(parts: list[Part], text: str) -> None:
    """Add a text; one that stands behind a text or a file begins on a line of its own."""
    last = parts[-1] if parts else None
    if isinstance(last, Text):
        parts[-1] = Text(f"{last.text}\n{text}")
    elif isinstance(last, Attachment) and not last.images_only:
        parts.append(Text(f"\n{text}"))
    else:
        parts.append(Text(text))


def add_file(parts: list[Part], file: Attachment) -> None:
    """Add a file, whose text is to begin on a line of its own."""
    last = parts[-1] if parts else None
    if isinstance(last, Text):
        parts[-1] = Text(f"{last.text}\n")
    elif isinstance(last, Attachment) and not last.images_only:
        parts.append(Text("\n"))
    parts.append(file)


def image_attachment(field: str, url: str, *, detail: str | None) -> Attachment:
    """An image by its URL, at `field`."""
    return Attachment(field, uri=url, low_detail=detail == "low", images_only=True)


def file_attachment(
    field: str,
    findings: Findings,
    *,
    data: str | None,
    file_id: str | None,
    name: str | None,
    url: str | None = None,
    low_detail: bool = False,
) -> Attachment:
    """A file of the part at `field`: its bytes, where it is, or the id of a stored one, in this order.

    Raises `BadRequest` where none of them is given.
    """
    places = (("file_data", data), ("file_url", url), ("file_id", file_id))
    given = [(word, value) for word, value in places if value is not None]
    if not given:
        raise missing(f"{field}.file_data")
    for word, _ in given[1:]:
        findings.ignore(f"{field}.{word}")
    word, value = given[0]
    field = f"{field}.{word}"
    if word == "file_id":
        return Attachment(field, stored=value, name=name, low_detail=low_detail)
    # A colon is in no variant of base64.
    if word == "file_url" or ":" in value[:16]:
        return Attachment(field, uri=value, name=name, low_detail=low_detail)
    return Attachment(field, base64=value, mime=_mime_of(name), name=name, low_detail=low_detail)


def no_audio(field: str) -> BadRequest:
    """The refusal of the part at `field`, which is speech."""
    return BadRequest(
        f"Invalid value: 'input_audio'. The model behind this server takes no audio ('{field}').",
        field=f"{field}.type",
        reason="unsupported_value",
    )


def _mime_of(name: str | None) -> str | None:
    """Bare text has no mark that tells it from other files: its name must. All other kinds are known by their bytes."""
    ending = (name or "").rpartition(".")[2].lower()
    return "text/plain" if ending in _TEXT_ENDINGS else None
