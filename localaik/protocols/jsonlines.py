"""Files of lines, read in pieces, the same for every protocol."""

from collections.abc import AsyncIterator

__all__ = ["lines_of"]


async def lines_of(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes | None]:
    """The lines of a file; None for one of more than `limit` bytes (0: any length)."""
    rest = b""
    too_long = False
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield None if too_long or 0 < limit < len(line) else line
            too_long = False
        if 0 < limit < len(rest):
            rest, too_long = b"", True
    yield None if too_long else rest
