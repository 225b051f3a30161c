"""Files and uploads as the OpenAI API names and describes them. Pure: no I/O.

Source: "Files" and "Uploads" in the API reference.
"""

import re
from collections.abc import Mapping
from mimetypes import MimeTypes
from typing import Annotated, Final, Literal

from pydantic import Field

from localaik.errors import BadRequest
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import Findings, read, wrong_type
from localaik.protocols.openai.types import Wire
from localaik.state.faults import InvalidId, UnknownFile
from localaik.state.ids import check_id, new_id
from localaik.state.records import MADE_HERE, UPLOADED, NewFile, StoredFile

__all__ = [
    "DEFAULT_MIME",
    "ExpiresAfter",
    "FileForm",
    "Purpose",
    "file_id_of",
    "file_object",
    "mime_of",
    "new_file",
    "new_file_id",
    "read_form",
]

DEFAULT_MIME: Final = "application/octet-stream"
_ID_CHARS: Final = 24
_MAX_NAME_CHARS: Final = 512
_MAX_SHOWN_CHARS: Final = 100
_MAX_DIGITS: Final = 18
_MIME: Final = re.compile(r"[a-z]+/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?", re.IGNORECASE | re.ASCII)
_FIELD: Final = re.compile(r"(\w+)\[(\w+)\]", re.ASCII)
_KNOWN_ENDINGS: Final = MimeTypes()  # Python's own table: no file of the machine is read
_KNOWN_ENDINGS.add_type("application/jsonl", ".jsonl")
_KNOWN_ENDINGS.add_type("text/markdown", ".md")
_KNOWN_ENDINGS.add_type("text/yaml", ".yaml")
_KNOWN_ENDINGS.add_type("text/yaml", ".yml")

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]


class ExpiresAfter(Wire):
    """How long a file is kept."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FileForm(Wire):
    """The fields that come with a file."""

    purpose: Purpose
    expires_after: ExpiresAfter | None = None


def new_file_id() -> str:
    """An id that is one of Gemini's too: files are the same in both APIs."""
    return new_id("file-", _ID_CHARS)


def file_id_of(text: str) -> str:
    """The id in a path or a field. Raises `UnknownFile` for what no file can be called."""
    try:
        return check_id(text)
    except InvalidId:
        raise UnknownFile(text[:_MAX_SHOWN_CHARS]) from None


def new_file(
    name: str | None,
    mime: str,
    *,
    size: int | None = None,
    purpose: str | None = None,
    expires_after: ExpiresAfter | None = None,
) -> NewFile:
    """The file that is about to come. Raises `BadRequest` for a name that is too long."""
    shown = (name or "").replace("\\", "/").rpartition("/")[2]
    if len(shown) > _MAX_NAME_CHARS:
        raise BadRequest(
            f"Invalid 'filename': string too long. Expected a string with maximum length {_MAX_NAME_CHARS}, but got a"
            f" string with length {len(shown)} instead.",
            field="filename",
            reason="string_above_max_length",
        )
    return NewFile(
        mime_of(mime, shown),
        id=new_file_id(),
        display_name=shown or None,
        size=size,
        purpose=purpose,
        lifetime=None if expires_after is None else expires_after.seconds,
    )


def mime_of(claim: str, name: str) -> str:
    """The media type of a file: what its sender says, or where that tells nothing, what the end of its name does."""
    claim = claim.strip()
    if _MIME.fullmatch(claim) and claim.lower() != DEFAULT_MIME:
        return claim
    return _KNOWN_ENDINGS.guess_type(name, strict=True)[0] or DEFAULT_MIME


def file_object(file: StoredFile) -> Object:
    """The object of a file, whoever made it."""
    result: Object = {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created.timestamp()),
        "filename": file.display_name or file.id,
        "purpose": file.purpose or (MADE_HERE if file.generated else UPLOADED),
        "status": "processed",
        "status_details": None,
    }
    if file.expires is not None:
        result["expires_at"] = int(file.expires.timestamp())
    return result


def read_form(fields: Mapping[str, str], findings: Findings) -> FileForm:
    """The fields of a form, whose names hold a path (`expires_after[seconds]`). Raises `BadRequest`."""
    body: dict[str, object] = {}
    for name, text in fields.items():
        parts = _FIELD.fullmatch(name)
        if parts is None:
            body[name] = text
            continue
        inner = body.setdefault(parts[1], {})
        if not isinstance(inner, dict):
            raise wrong_type(parts[1], "an object", inner)
        inner[parts[2]] = _number(f"{parts[1]}.{parts[2]}", text) if parts[2] == "seconds" else text
    form = read(FileForm, body)
    for name in form.model_extra or ():
        findings.unknown(name)
    if form.expires_after is not None:
        findings.unknown_in(form.expires_after, "expires_after")
    return form


def _number(path: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise wrong_type(path, "an integer", text)
    return int(text)
