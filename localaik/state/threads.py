"""Blocking work that is waited for to its end, whatever happens to the one who waits."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(work: Callable[[], T], discard: Callable[[T], object] | None = None) -> T:
    """The result of `work()`, run in a thread.

    A cancelled caller still waits until `work` has ended: what comes next may touch the same file. The result, which
    nobody gets then, is given to `discard`.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled() and running.exception() is None and discard is not None:
            discard(running.result())
        raise
