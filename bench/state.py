"""What stored responses and conversations cost: `python -m bench.state [--quick]`.

The store is measured by itself, without HTTP: conversations of several lengths page by page, responses saved one after
the other and 200 at once. `LOCALAIK_DATABASE_URL` adds the database that it names, which should be an empty one.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import orjson
import uvloop

from bench.report import Bar, Report, parse_arguments, percentile
from localaik.settings import Settings
from localaik.state.response_records import Item, NewResponse
from localaik.state.store import Store

if TYPE_CHECKING:
    from localaik.state.conversations import ConversationStore
    from localaik.state.responses import ResponseStore

__all__ = ["main"]

Ask = Callable[[], Awaitable[object]]

LENGTHS: Final = (100, 1000, 10_000)
AT_ONCE: Final = 200
PAGE: Final = 20
_ITEMS_AT_ONCE: Final = 500
_TEXT: Final = "x" * 300
_BODY: Final = orjson.dumps({"object": "response", "instructions": "x" * 1500}).decode()


def run(*, quick: bool) -> Report:
    """Measure, and report."""
    report = Report("state", quick)
    report.notes = [
        f"items of {len(_item(0).body)} bytes, responses of {len(_BODY)} bytes and two items; pages of {PAGE}",
        "no HTTP; disk is the temporary folder",
    ]
    url = os.environ.get("LOCALAIK_DATABASE_URL", "")
    places: dict[str, dict[str, object]] = {"disk": {"state": "disk"}, "memory": {"state": "memory"}}
    if url:
        places["LOCALAIK_DATABASE_URL"] = {"database_url": url}
    for name, place in places.items():
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.model_validate({"data_dir": folder, **place})
            uvloop.run(_measure(report, name, settings, quick=quick))
    return report


async def _measure(report: Report, place: str, settings: Settings, *, quick: bool) -> None:
    store = Store(settings)
    try:
        conversations, responses = await store.conversations(), await store.responses()
        lengths = LENGTHS[:2] if quick else LENGTHS
        asks: dict[str, Ask] = {}
        for length in lengths:
            asks |= await _asks(responses, conversations, length)
        seconds = await _in_turns(asks, 10 if quick else 200)
        report.rows += [_row(place, what, seconds[what]) for what in asks]
        longest, shortest = (seconds[f"page in the middle, {length:,} items"] for length in (lengths[-1], lengths[0]))
        report.check(
            Bar(f"a page of {lengths[-1]:,} items against one of {lengths[0]:,} ({place})", 1.5, "times"),
            statistics.median(longest) / statistics.median(shortest),
        )
        await _saves(report, place, responses, 20 if quick else 500)
    finally:
        await store.close()


async def _conversation(conversations: "ConversationStore", length: int) -> str:
    talk = (await conversations.create({})).id
    for start in range(0, length, _ITEMS_AT_ONCE):
        end = min(start + _ITEMS_AT_ONCE, length)
        await conversations.add(talk, [_item(f"{length}_{number}") for number in range(start, end)])
    return talk


async def _asks(responses: "ResponseStore", conversations: "ConversationStore", length: int) -> dict[str, Ask]:
    """What is asked about a conversation of `length` items, and about a response in it."""
    talk = await _conversation(conversations, length)
    response_id = talk.replace("conv_", "resp_")
    await responses.save(NewResponse(response_id, 1, "completed", False, _BODY, [_item(-1)], [], None, talk))
    middle = f"msg_{length}_{length // 2}"
    return {
        f"newest page, {length:,} items": lambda: conversations.items(talk, limit=PAGE),
        f"page in the middle, {length:,} items": lambda: conversations.items(talk, limit=PAGE, after=middle),
        f"page of a response's input, {length:,} items": lambda: responses.input_items(
            response_id, limit=PAGE, after=middle
        ),
    }


async def _saves(report: Report, place: str, responses: "ResponseStore", many: int) -> None:
    report.rows.append(_row(place, "save, one after the other", await _chain(responses, many)))
    what = f"context of a chain of {many}"
    told = await _in_turns({what: lambda: responses.context(f"resp_one{many - 1}")}, 5)
    report.rows.append(_row(place, what, told[what]))
    seconds: list[float] = []

    async def save(number: int) -> None:
        began = time.perf_counter()
        await responses.save(_response(f"resp_many{number}"))
        seconds.append(time.perf_counter() - began)

    await asyncio.gather(*map(save, range(AT_ONCE)))
    report.rows.append(_row(place, f"save, {AT_ONCE} at once", seconds))
    report.check(Bar(f"the slowest of {AT_ONCE} saves at once ({place})", 1000.0, "ms"), max(seconds) * 1000)


async def _chain(responses: "ResponseStore", many: int) -> list[float]:
    seconds = []
    previous = None
    for number in range(many):
        new = _response(f"resp_one{number}", previous)
        began = time.perf_counter()
        await responses.save(new)
        seconds.append(time.perf_counter() - began)
        previous = new.id
    return seconds


async def _in_turns(asks: Mapping[str, Ask], times: int) -> dict[str, list[float]]:
    """Seconds of each call; what is compared takes turns."""
    seconds: dict[str, list[float]] = {what: [] for what in asks}
    for _ in range(times):
        for what, ask in asks.items():
            began = time.perf_counter()
            await ask()
            seconds[what].append(time.perf_counter() - began)
    return seconds


def _item(number: object) -> Item:
    return Item(f"msg_{number}", orjson.dumps({"id": f"msg_{number}", "type": "message", "text": _TEXT}).decode())


def _response(response_id: str, previous_id: str | None = None) -> NewResponse:
    return NewResponse(response_id, 1, "completed", False, _BODY, [_item(1)], [_item(2)], previous_id)


def _row(place: str, what: str, seconds: list[float]) -> dict[str, object]:
    ordered = sorted(one * 1000 for one in seconds)
    return {
        "place": place,
        "what": what,
        "median ms": percentile(ordered, 0.5),
        "p95 ms": percentile(ordered, 0.95),
        "most ms": ordered[-1],
    }


def main() -> int:
    """Run from the command line."""
    print(run(quick=parse_arguments(__doc__)).text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
