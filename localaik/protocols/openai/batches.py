"""Batches: made, looked at, listed, cancelled. What they do is in `batches_work`."""

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.batches_results import ABANDONED
from localaik.protocols.openai.batches_types import BATCH, batch_object, new_batch, status_of, unknown_batch
from localaik.protocols.openai.batches_work import KINDS
from localaik.protocols.openai.files_types import file_id_of
from localaik.protocols.openai.lists import list_object, read_list
from localaik.protocols.openai.reading import Findings
from localaik.state.faults import InvalidCursor, UnknownFile

if TYPE_CHECKING:
    from localaik.state.batches import BatchStore

__all__ = ["BATCH_ROUTES"]

_ID: Final = re.compile(r"[a-z0-9]{24}", re.ASCII)
_MAX_SHOWN_CHARS: Final = 100


async def create_batch(call: Call, services: Services) -> web.StreamResponse:
    """POST batches: the input is checked in the background."""
    settings = services.settings
    new = new_batch(await read_json(call, settings), Findings(settings.strict_wire, call.ignored))
    try:
        await (await services.store.files()).get(file_id_of(new.input_file or ""))
    except UnknownFile as error:
        message = f"No such File object: {error.file_id}"
        raise BadRequest(message, field="input_file_id", reason="invalid_value") from None
    batch = await (await _store(services)).announce(new)
    services.jobs.wake()
    return json_response(batch_object(batch))


async def get_batch(call: Call, services: Services) -> web.StreamResponse:
    """GET batches/{id}."""
    return json_response(batch_object(await (await _store(services)).get(_id_of(call))))


async def list_batches(call: Call, services: Services) -> web.StreamResponse:
    """GET batches: newest first."""
    wanted = read_list(call.request.query)
    after = None if wanted.after is None else _bare(wanted.after)
    if wanted.after is not None and after is None:
        raise InvalidCursor(wanted.after)
    batches, has_more = await (await _store(services)).page_after(wanted.limit, after)
    return json_response(list_object([batch_object(batch) for batch in batches], has_more), gzip_for=call)


async def cancel_batch(call: Call, services: Services) -> web.StreamResponse:
    """POST batches/{id}/cancel: what is done is kept."""
    batches = await _store(services)
    batch = await batches.get(_id_of(call))
    if not batch.active or (batch.ending is not None and not batch.cancelled):
        raise BadRequest(f"Cannot cancel a batch with status '{status_of(batch)}'.")
    if not batch.cancelled:
        await batches.abandon(batch.id, ABANDONED)
        await services.jobs.cancel(batch.id)
        services.jobs.wake()
    return json_response(batch_object(await batches.get(batch.id)))


async def _store(services: Services) -> "BatchStore":
    return await services.store.batches(KINDS)


def _id_of(call: Call) -> str:
    """The id in the path, without its prefix. Raises `NotFound` for what no batch can be called."""
    name = call.params["batch"]
    found = _bare(name)
    if found is None:
        raise unknown_batch(name)
    return found


def _bare(name: str) -> str | None:
    bare = name.removeprefix(BATCH)
    return bare if bare != name and _ID.fullmatch(bare) else None


BATCH_ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/batches", create_batch),
    ("GET", "/batches", list_batches),
    ("GET", "/batches/{batch}", get_batch),
    ("POST", "/batches/{batch}/cancel", cancel_batch),
)
"""Method, path without prefix, and handler."""
