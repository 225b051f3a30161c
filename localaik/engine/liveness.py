"""Asks an engine on this machine for its health: one status line over a plain socket.

No HTTP client, since this runs while the rest of localaik is still being imported; and no pooled connection, so that a
refusal tells for certain that nobody listens.
"""

import asyncio
import re
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

__all__ = ["ask_health"]

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")


async def ask_health(address: str, path: str, seconds: float) -> int:
    """The status of `GET path` at `address` (`http://host:port`); 0 where what answers is no HTTP.

    Raises `OSError` where the connection is refused, breaks or ends without a byte, `TimeoutError` after `seconds`
    (0: none).
    """
    parts = urlsplit(address)
    async with asyncio.timeout(seconds or None):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            writer.write(request.encode("ascii"))
            await writer.drain()
            line = await reader.readline()
        except ValueError:  # a "line" longer than the reader's buffer
            line = b"not HTTP"
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    if not line:
        # The system accepts connections for a process that is ending, and may then close them without a reset.
        raise ConnectionResetError("the connection was closed without an answer")
    match = _STATUS_LINE.match(line)
    return int(match[1]) if match else 0
