"""Batches: jobs of many requests, each request with its result, so that none is answered twice.

Requests, tags and results are JSON in the caller's own form; nothing here looks inside.
"""

from collections.abc import AsyncIterable, AsyncIterator, Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, delete, func, insert, literal, select, tuple_, update

from localaik.state.batch_records import ACTIVE, Batch, BatchItem, BatchState, NewBatch, NewItem, Step
from localaik.state.faults import EmptyBatch, InvalidCursor, InvalidId, UnknownBatch
from localaik.state.ids import check_id, new_id
from localaik.state.paging import place_of, token_of
from localaik.state.records import Page
from localaik.state.rows import microseconds_of, moment_of
from localaik.state.shelf import Shelf
from localaik.state.tables import BATCH_ITEMS, BATCHES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["BatchStore"]

_KIND: Final = "batches"
_ROWS_AT_ONCE: Final = 500
_LONG_ID: Final = 24
_BATCH_TIMES: Final = ("ended", "begun", "ending", "abandoned")
_BATCH_COLUMNS: Final = (
    *("id", "kind", "model", "display_name", "from_file", "state", "cancelled", "expired"),
    *("total", "succeeded", "failed", "output_file", "error_file", "error", "input_file", "body", "usage"),
)


class BatchStore:
    """The jobs of some kinds, as others were not there. Ids are checked here."""

    def __init__(self, shelf: Shelf, kinds: Collection[str] | None = None) -> None:
        """`kinds` are those that a caller may see; None for all."""
        self._shelf = shelf
        self._mine = () if kinds is None else (BATCHES.c.kind.in_(kinds),)

    async def create(self, new: NewBatch, items: AsyncIterable[NewItem]) -> Batch:
        """Store a job with all of `items`, or nothing. Raises `EmptyBatch`, and what `items` raises.

        `items` must not ask the database, which writes meanwhile.
        """
        batch_id = new_id()

        async def store(connection: "AsyncConnection") -> RowMapping:
            total = failed = 0
            async for rows in _rows(batch_id, items):
                await connection.execute(insert(BATCH_ITEMS), rows)
                total += len(rows)
                failed += sum(row["state"] == "failed" for row in rows)
            if not total:
                raise EmptyBatch
            row = {**self._new_row(batch_id, new), "state": "pending", "total": total, "failed": failed}
            await connection.execute(insert(BATCHES), row)
            return (await connection.execute(select(BATCHES).where(BATCHES.c.id == batch_id))).mappings().one()

        return _batch_of(await self._shelf.database.write(store))

    async def announce(self, new: NewBatch) -> Batch:
        """Store a job that is `unchecked`: its requests come with `fill`."""
        row = self._new_row(new_id(length=_LONG_ID), new)

        async def store(connection: "AsyncConnection") -> RowMapping:
            await connection.execute(insert(BATCHES), row)
            return (await connection.execute(select(BATCHES).where(BATCHES.c.id == row["id"]))).mappings().one()

        return _batch_of(await self._shelf.database.write(store))

    async def fill(self, batch_id: str, items: AsyncIterable[NewItem]) -> None:
        """Give an `unchecked` job all of its requests, after which it is `pending`; or, where `items` raises, none.

        One that has ended or was cancelled meanwhile gets none either. Raises `EmptyBatch`, and what `items` raises.
        """
        await self._shelf.database.write(partial(_without_items, batch_id))
        total = 0
        try:
            # One transaction for each lot: a large file must not keep all others from writing.
            async for rows in _rows(batch_id, items):
                await self._shelf.database.write(partial(_add_items, rows))
                total += len(rows)
            if not total:
                raise EmptyBatch
        except BaseException:
            await self._shelf.database.write(partial(_without_items, batch_id))
            raise
        ready = update(BATCHES).where(
            BATCHES.c.id == batch_id, BATCHES.c.state == "unchecked", BATCHES.c.cancelled.is_(False)
        )

        async def settle(connection: "AsyncConnection") -> None:
            now = self._shelf.now()
            values = {"state": "pending", "total": total, "updated": now, "begun": now}
            if not (await connection.execute(ready.values(values))).rowcount:
                await _without_items(batch_id, connection)

        await self._shelf.database.write(settle)

    async def get(self, batch_id: str) -> Batch:
        """A job by its id. Raises `InvalidId`, `UnknownBatch`."""
        query = select(BATCHES).where(BATCHES.c.id == check_id(batch_id), *self._mine)

        async def find(connection: "AsyncConnection") -> RowMapping | None:
            return (await connection.execute(query)).mappings().one_or_none()

        row = await self._shelf.database.read(find)
        if row is None:
            raise UnknownBatch(batch_id)
        return _batch_of(row)

    async def page(self, size: int, token: str = "") -> Page[Batch]:
        """At most `size` jobs, newest first, after the page that gave `token`. Raises `InvalidPageToken`."""
        query = select(BATCHES).where(*self._mine)
        query = query.order_by(BATCHES.c.created.desc(), BATCHES.c.id.desc()).limit(size + 1)
        if token:
            created, batch_id = place_of(_KIND, token)
            query = query.where(tuple_(BATCHES.c.created, BATCHES.c.id) < tuple_(literal(created), literal(batch_id)))

        async def find(connection: "AsyncConnection") -> list[RowMapping]:
            return list((await connection.execute(query)).mappings())

        rows = await self._shelf.database.read(find)
        last = rows[size - 1] if len(rows) > size else None
        next_token = None if last is None else token_of(_KIND, (last["created"], last["id"]))
        return Page(tuple(_batch_of(row) for row in rows[:size]), next_token)

    async def page_after(self, size: int, after: str | None = None) -> tuple[tuple[Batch, ...], bool]:
        """At most `size` jobs, newest first, behind the job `after`; and whether more follow.

        Raises `InvalidCursor`.
        """
        token = ""
        if after is not None:
            try:
                last = await self.get(after)
            except (InvalidId, UnknownBatch):
                raise InvalidCursor(after) from None
            token = token_of(_KIND, (microseconds_of(last.created), last.id))
        page = await self.page(size, token)
        return page.items, page.next_token is not None

    async def items(self, batch_id: str) -> AsyncIterator[BatchItem]:
        """The requests of a job in the order of the input."""
        start = 0
        while rows := await self._rows_from(batch_id, start):
            for row in rows:
                yield _item_of(row)
            start += len(rows)

    async def next_step(self, kinds: Collection[str], busy: Collection[tuple[str, int]]) -> Step | None:
        """The next thing to do in jobs of `kinds`, by priority and age; None where there is nothing.

        Left out is what is done already: `busy` has a job's id and a request's place each, and -1 for the job's end.
        """
        jobs = (
            select(BATCHES)
            .where(BATCHES.c.state.in_(ACTIVE), BATCHES.c.kind.in_(kinds))
            .order_by(BATCHES.c.priority.desc(), BATCHES.c.created, BATCHES.c.id)
        )

        async def find(connection: "AsyncConnection") -> Step | None:
            for row in list((await connection.execute(jobs)).mappings()):
                places = [place for batch_id, place in busy if batch_id == row["id"]]
                waiting = (
                    select(BATCH_ITEMS)
                    .where(BATCH_ITEMS.c.batch_id == row["id"], BATCH_ITEMS.c.state == "waiting")
                    .where(BATCH_ITEMS.c.place.not_in(places))
                    .order_by(BATCH_ITEMS.c.place)
                    .limit(1)
                )
                item = (await connection.execute(waiting)).mappings().one_or_none()
                if item is not None:
                    return Step(_batch_of(row), _item_of(item))
                if not places:
                    return Step(_batch_of(row), None)
            return None

        return await self._shelf.database.read(find)

    async def begin(self, batch_id: str) -> None:
        """Tell that a job which was waiting runs."""
        change = update(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.state == "pending")

        now = self._shelf.now()

        async def mark(connection: "AsyncConnection") -> None:
            await connection.execute(
                change.values(state="running", updated=now, begun=func.coalesce(BATCHES.c.begun, now))
            )

        await self._shelf.database.write(mark)

    async def begin_end(self, batch_id: str) -> None:
        """Tell that the last request of a job is done; only its results have to be written."""
        change = update(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.ending.is_(None))

        async def mark(connection: "AsyncConnection") -> None:
            await connection.execute(change.values(ending=self._shelf.now()))

        await self._shelf.database.write(mark)

    async def settle(self, batch_id: str, place: int, result: str, *, failed: bool) -> None:
        """Keep the result of a request, which is final: a later one is dropped."""
        state = "failed" if failed else "done"
        item = update(BATCH_ITEMS).where(
            BATCH_ITEMS.c.batch_id == batch_id, BATCH_ITEMS.c.place == place, BATCH_ITEMS.c.state == "waiting"
        )
        count = BATCHES.c.failed if failed else BATCHES.c.succeeded

        async def keep(connection: "AsyncConnection") -> None:
            if (await connection.execute(item.values(state=state, result=result))).rowcount:
                batch = update(BATCHES).where(BATCHES.c.id == batch_id)
                await connection.execute(batch.values({count: count + 1, BATCHES.c.updated: self._shelf.now()}))

        await self._shelf.database.write(keep)

    async def abandon(self, batch_id: str, error: str, *, expired: bool = False) -> Batch:
        """Give every request without a result the result `error`, and mark the job as cancelled, or as `expired`.

        The job then only has to be finished; one that has ended stays as it is. Raises `InvalidId`, `UnknownBatch`.
        """
        batch = await self.get(batch_id)
        active = BATCHES.c.id == batch_id, BATCHES.c.state.in_(ACTIVE)
        flag = "expired" if expired else "cancelled"

        async def give_up(connection: "AsyncConnection") -> None:
            # The job first: whoever gives it requests at the same time waits here, or is waited for.
            now = self._shelf.now()
            mark = update(BATCHES).where(*active).values({flag: True, "updated": now})
            if not (await connection.execute(mark)).rowcount:
                return
            since = update(BATCHES).where(*active, BATCHES.c.abandoned.is_(None)).values(abandoned=now)
            await connection.execute(since)
            rest = update(BATCH_ITEMS).where(BATCH_ITEMS.c.batch_id == batch_id, BATCH_ITEMS.c.state == "waiting")
            count = (await connection.execute(rest.values(state="failed", result=error))).rowcount
            await connection.execute(update(BATCHES).where(*active).values(failed=BATCHES.c.failed + count))

        await self._shelf.database.write(give_up)
        return batch

    async def finish(
        self,
        batch_id: str,
        state: BatchState,
        *,
        output_file: str | None = None,
        error: str | None = None,
        error_file: str | None = None,
        usage: str | None = None,
    ) -> bool:
        """End a job. False where it was deleted or had ended before."""
        now = self._shelf.now()
        change = update(BATCHES).where(BATCHES.c.id == batch_id, BATCHES.c.state.in_(ACTIVE))
        results = {"output_file": output_file, "error_file": error_file, "error": error, "usage": usage}
        values = {"state": state, **results, "updated": now, "ended": now}

        async def end(connection: "AsyncConnection") -> bool:
            return bool((await connection.execute(change.values(values))).rowcount)

        return await self._shelf.database.write(end)

    async def drop_items(self, batch_id: str) -> None:
        """Forget the requests and results of a job, whose results are in files."""
        await self._shelf.database.write(partial(_without_items, batch_id))

    async def delete(self, batch_id: str) -> None:
        """Delete a job with its requests and results. Raises `InvalidId`, `UnknownBatch`."""
        await self.get(batch_id)

        async def forget(connection: "AsyncConnection") -> int:
            await connection.execute(delete(BATCH_ITEMS).where(BATCH_ITEMS.c.batch_id == batch_id))
            return (await connection.execute(delete(BATCHES).where(BATCHES.c.id == batch_id))).rowcount

        if not await self._shelf.database.write(forget):
            raise UnknownBatch(batch_id)

    def age(self, batch: Batch) -> float:
        """Seconds since a job was created."""
        return self._shelf.clock() - batch.created.timestamp()

    def _new_row(self, batch_id: str, new: NewBatch) -> dict[str, object]:
        """The row of a job without requests."""
        now = self._shelf.now()
        return {
            "id": batch_id,
            "kind": new.kind,
            "model": new.model,
            "display_name": new.display_name,
            "priority": new.priority,
            "from_file": new.from_file,
            "state": "unchecked",
            "cancelled": False,
            "expired": False,
            "total": 0,
            "succeeded": 0,
            "failed": 0,
            "created": now,
            "updated": now,
            "input_file": new.input_file,
            "body": new.body,
        }

    async def _rows_from(self, batch_id: str, start: int) -> list[RowMapping]:
        query = (
            select(BATCH_ITEMS)
            .where(BATCH_ITEMS.c.batch_id == batch_id, BATCH_ITEMS.c.place >= start)
            .order_by(BATCH_ITEMS.c.place)
            .limit(_ROWS_AT_ONCE)
        )

        async def find(connection: "AsyncConnection") -> list[RowMapping]:
            return [*(await connection.execute(query)).mappings()]

        return await self._shelf.database.read(find)


async def _add_items(rows: list[dict[str, object]], connection: "AsyncConnection") -> None:
    await connection.execute(insert(BATCH_ITEMS), rows)


async def _without_items(batch_id: str, connection: "AsyncConnection") -> None:
    await connection.execute(delete(BATCH_ITEMS).where(BATCH_ITEMS.c.batch_id == batch_id))


async def _rows(batch_id: str, items: AsyncIterable[NewItem]) -> AsyncIterator[list[dict[str, object]]]:
    rows: list[dict[str, object]] = []
    place = 0
    async for item in items:
        state = "waiting" if item.error is None else "failed"
        content = {"tag": item.tag, "request": item.request, "state": state, "result": item.error}
        rows.append({"batch_id": batch_id, "place": place, **content})
        place += 1
        if len(rows) == _ROWS_AT_ONCE:
            yield rows
            rows = []
    if rows:
        yield rows


def _batch_of(row: RowMapping) -> Batch:
    values = {name: row[name] for name in _BATCH_COLUMNS}
    values |= {name: None if row[name] is None else moment_of(row[name]) for name in _BATCH_TIMES}
    return Batch(**values, created=moment_of(row["created"]), updated=moment_of(row["updated"]))


def _item_of(row: RowMapping) -> BatchItem:
    return BatchItem(row["place"], row["tag"], row["request"], row["state"], row["result"])
