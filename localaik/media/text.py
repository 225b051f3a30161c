"""Text files become text."""

from typing import Final

from localaik.media.faults import MediaError

__all__ = ["decode_text"]

# Codecs of Python's that are no character sets of files, or take time that grows with the square of the size.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})


def decode_text(data: bytes, charset: str | None) -> str:
    """The characters of a text file, without a byte order mark; UTF-8 where no charset is named.

    Raises `MediaError` (`undecodable_text`).
    """
    name = charset or "utf-8"
    if name.lower().replace("-", "_") in _NO_CHARSETS:
        raise MediaError("undecodable_text", f"Unknown charset: {name[:40]}.")
    try:
        return data.decode(name).removeprefix("\ufeff")
    except LookupError:
        raise MediaError("undecodable_text", f"Unknown charset: {name[:40]}.") from None
    except ValueError:  # `UnicodeError`, and a NUL in the name
        raise MediaError("undecodable_text", f"The text can't be decoded as {name[:40]}.") from None
