"""Base64 in every variant that clients send, and nothing that is no base64 (RFC 4648, sections 4 and 5)."""

import binascii
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from localaik.media.faults import MediaError

__all__ = ["Base64", "encode"]

# `binascii` keeps the interpreter to itself for a whole call. In steps, a worker thread that decodes tens of
# megabytes leaves the event loop its turns. A multiple of 4, so that each step ends between two groups.
_STEP_CHARACTERS: Final = 1 << 20

_WHITE: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Base64:
    """A file as base64 text: standard or URL-safe alphabet, padded or not, with or without white space."""

    text: str

    @property
    def size(self) -> int:
        """How many bytes the text stands for, counted without decoding it."""
        text = self.text
        ignored = sum(text.count(character) for character in _WHITE) + text.count("=")
        return (len(text) - ignored) * 3 // 4

    def head(self, size: int) -> bytes:
        """About the first `size` bytes, enough to tell the kind of the file. Raises `MediaError` (`invalid_base64`)."""
        start = _in_standard_alphabet(self.text[: size * 2]).rstrip("=")
        try:
            return binascii.a2b_base64(start[: len(start) // 4 * 4], strict_mode=True)[:size]
        except ValueError:
            raise _invalid() from None

    def decode(self) -> tuple[bytes, str]:
        """The bytes; and the same base64 in its standard form, which is `text` itself wherever that has it already.

        Raises `MediaError` (`invalid_base64`).
        """
        try:
            if _looks_standard(self.text):
                return _decode_standard(self.text), self.text
        except ValueError:
            pass  # the URL-safe alphabet or white space, or no base64 at all
        standard = _in_standard_alphabet(self.text)
        if "=" not in standard:
            standard += "=" * (-len(standard) % 4)
        try:
            if _looks_standard(standard):
                return _decode_standard(standard), standard
        except ValueError:
            pass
        raise _invalid()


def encode(data: bytes) -> str:
    """Standard base64, padded, without breaks."""
    return b64encode(data).decode("ascii")


def _invalid() -> MediaError:
    return MediaError("invalid_base64", "The data is not valid base64.")


def _in_standard_alphabet(text: str) -> str:
    """The text without white space, in the alphabet of section 4."""
    text = text.replace("-", "+").replace("_", "/")
    for character in _WHITE:
        text = text.replace(character, "")
    return text


def _looks_standard(text: str) -> bool:
    """Whether length and padding are right; the alphabet is for the decoder to check."""
    padding = text.find("=")
    return len(text) % 4 == 0 and (padding < 0 or padding >= len(text) - 2)


def _decode_standard(text: str) -> bytes:
    """The bytes of standard base64. Raises `ValueError` for any other text."""
    if len(text) <= _STEP_CHARACTERS:
        return binascii.a2b_base64(text, strict_mode=True)
    steps = range(0, len(text), _STEP_CHARACTERS)
    return b"".join(binascii.a2b_base64(text[at : at + _STEP_CHARACTERS], strict_mode=True) for at in steps)
