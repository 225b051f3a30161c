"""Batches: made, looked at, listed, cancelled, deleted. What they do is in `batches_work`."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest, NotFound
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.batchwork import tell_end
from localaik.protocols.contract import Handler, Services
from localaik.protocols.gemini.batches_encode import ABANDONED, inlined_output, operation
from localaik.protocols.gemini.batches_types import (
    CreateBatchRequest,
    InlinedRequest,
    check_spec,
    inline_item,
    line_fault,
    line_item,
    source_file_id,
)
from localaik.protocols.gemini.batches_work import KINDS, finish
from localaik.protocols.gemini.listing import page_size, page_token
from localaik.protocols.gemini.models import find_embedding_model, find_model
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import JSON_TYPE
from localaik.protocols.jsonlines import lines_of
from localaik.state.batch_records import Batch, NewBatch, NewItem
from localaik.state.faults import InvalidId
from localaik.state.ids import check_id

if TYPE_CHECKING:
    from localaik.settings import Settings
    from localaik.state.files import FileReader

__all__ = ["batch_routes"]

_DEFAULT_PAGE: Final = 10
_LARGEST_PAGE: Final = 100


def batch_routes(version: str) -> tuple[tuple[str, str, Handler], ...]:
    """Method, whole path and handler of every route of batches and operations under a version, or under none."""

    async def create_generation(call: Call, services: Services) -> web.StreamResponse:
        model = call.model = call.params["model"]
        find_model(model, services.registry, version=version[1:] or "v1beta", method="batchGenerateContent")
        return await _create(call, services, "generate", model)

    async def create_embedding(call: Call, services: Services) -> web.StreamResponse:
        model = call.model = call.params["model"]
        models = services.embedder.models
        find_embedding_model(model, models, version=version[1:] or "v1beta", method="asyncBatchEmbedContent")
        return await _create(call, services, "embed", model)

    return (
        ("POST", f"{version}/models/{{model:rest}}:batchGenerateContent", create_generation),
        ("POST", f"{version}/models/{{model:rest}}:asyncBatchEmbedContent", create_embedding),
        ("GET", f"{version}/batches", _list),
        ("GET", f"{version}/batches/{{batch}}", _get),
        ("DELETE", f"{version}/batches/{{batch}}", _delete),
        ("POST", f"{version}/batches/{{batch}}:cancel", _cancel),
        ("GET", f"{version}/{{parent:rest}}/operations/{{operation}}", _no_operation),
    )


async def _create(call: Call, services: Services, kind: str, model: str) -> web.StreamResponse:
    settings = services.settings
    body = await read_json(call, settings)
    request = read(CreateBatchRequest, body, strict=settings.strict_wire, ignored=call.ignored)
    spec, source = check_spec(request, model, call.ignored)
    name = source.file_name
    new = NewBatch(kind, model, spec.display_name or None, spec.priority or 0, from_file=bool(name))
    batches = await services.store.batches(KINDS)
    if name:
        # Opened before: what `create` is given must not ask the database while that writes.
        async with services.store.open(source_file_id(name)) as reader:
            batch = await batches.create(new, _items_in_file(reader, settings))
    else:
        batch = await batches.create(new, _items_inline(source.requests.requests or [] if source.requests else []))
    services.jobs.wake()
    return json_response(operation(batch, None), content_type=JSON_TYPE, gzip_for=call)


async def _get(call: Call, services: Services) -> web.StreamResponse:
    """GET batches/{id}."""
    batch = await (await services.store.batches(KINDS)).get(_id_of(call))
    return json_response(await _told(services, batch), content_type=JSON_TYPE, gzip_for=call)


async def _list(call: Call, services: Services) -> web.StreamResponse:
    """GET batches: newest first."""
    size = page_size(call.request.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
    page = await (await services.store.batches(KINDS)).page(size, page_token(call.request.query))
    body: dict[str, object] = {"operations": [await _told(services, batch) for batch in page.items]}
    if page.next_token is not None:
        body["nextPageToken"] = page.next_token
    return json_response(body, content_type=JSON_TYPE, gzip_for=call)


async def _cancel(call: Call, services: Services) -> web.StreamResponse:
    """POST batches/{id}:cancel: what is done is kept."""
    batches = await services.store.batches(KINDS)
    batch = await batches.abandon(_id_of(call), ABANDONED)
    await services.jobs.cancel(batch.id)
    await finish(services, batch)
    if batch.active:  # until now
        await tell_end(services, "gemini", batch.id)
    return json_response({}, content_type=JSON_TYPE, gzip_for=call)


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE batches/{id}, also while it runs."""
    batch_id = _id_of(call)
    await (await services.store.batches(KINDS)).delete(batch_id)
    await services.jobs.cancel(batch_id)
    return json_response({}, content_type=JSON_TYPE, gzip_for=call)


async def _no_operation(call: Call, _services: Services) -> web.StreamResponse:
    """Nothing but batches takes long enough to become an operation."""
    name = f"{call.params['parent']}/operations/{call.params['operation']}"
    raise NotFound(f"The operation {name} does not exist.", reason="operation_not_found")


async def _told(services: Services, batch: Batch) -> dict[str, object]:
    if batch.active or batch.error is not None:
        return operation(batch, None)
    if batch.output_file is not None:
        return operation(batch, {"responsesFile": f"files/{batch.output_file}"})
    batches = await services.store.batches(KINDS)
    return operation(batch, inlined_output([item async for item in batches.items(batch.id)]))


async def _items_inline(requests: list[InlinedRequest]) -> AsyncIterator[NewItem]:
    for request in requests:
        yield inline_item(request)


async def _items_in_file(reader: "FileReader", settings: "Settings") -> AsyncIterator[NewItem]:
    async for line in lines_of(reader.pieces(), settings.max_body_bytes):
        item = line_fault(settings.max_body_bytes) if line is None else line_item(line, settings.max_json_depth)
        if item is not None:
            yield item


def _id_of(call: Call) -> str:
    batch_id = call.params["batch"]
    try:
        return check_id(batch_id)
    except InvalidId:
        raise BadRequest(f"batches/{batch_id[:100]} is not a valid name of a batch.", field="name") from None
