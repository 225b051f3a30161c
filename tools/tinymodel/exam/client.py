"""JSON requests to a server, one after the other or several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import aiohttp

__all__ = ["in_parallel", "post", "session_to"]

_TIMEOUT = aiohttp.ClientTimeout(total=600)

T = TypeVar("T")
R = TypeVar("R")


def session_to(url: str) -> aiohttp.ClientSession:
    """A session whose paths are those of the server at `url`."""
    return aiohttp.ClientSession(url, timeout=_TIMEOUT)


async def post(session: aiohttp.ClientSession, path: str, body: object) -> tuple[int, object]:
    """The status and the JSON of the answer to a JSON request."""
    async with session.post(path, json=body) as response:
        return response.status, await response.json()


async def in_parallel(work: Callable[[T], Awaitable[R]], items: Iterable[T], concurrency: int) -> list[R]:
    """The results of `work` in the order of the items, at most `concurrency` of them at a time."""
    left = enumerate(items)
    results: dict[int, R] = {}

    async def worker() -> None:
        for index, item in left:
            results[index] = await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    return [results[index] for index in sorted(results)]
