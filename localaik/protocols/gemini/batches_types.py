"""Batches as callers send them. Pure: no I/O.

Source: the REST reference of `batchGenerateContent` and `asyncBatchEmbedContent`, and what the official SDKs send.
"""

import orjson

from localaik.errors import BadRequest, LocalaikError, RequestTooLarge
from localaik.http.body import parse_json
from localaik.protocols.gemini.batches_encode import line_error
from localaik.protocols.gemini.files_types import file_id_of
from localaik.protocols.gemini.proto3 import Int64, Message, Repeated
from localaik.state.batch_records import NewItem

__all__ = [
    "BatchSpec",
    "CreateBatchRequest",
    "InlinedRequest",
    "check_spec",
    "inline_item",
    "line_fault",
    "line_item",
    "source_file_id",
]

_WITHOUT_EFFECT = (
    ("name", "name"),
    ("state", "state"),
    ("create_time", "createTime"),
    ("update_time", "updateTime"),
    ("end_time", "endTime"),
    ("batch_stats", "batchStats"),
    ("output", "output"),
    ("webhook_config", "webhookConfig"),
)


class InlinedRequest(Message):
    """One request of a batch, looked at when its turn comes."""

    request: dict[str, object] | None = None
    metadata: dict[str, object] | None = None


class InlinedRequests(Message):
    """The requests of a batch that come with it."""

    requests: Repeated[InlinedRequest] | None = None


class InputConfig(Message):
    """Where the requests are."""

    requests: InlinedRequests | None = None
    file_name: str | None = None


class BatchSpec(Message):
    """A batch; what only answers have is taken and without effect."""

    model: str | None = None
    display_name: str | None = None
    input_config: InputConfig | None = None
    priority: Int64 | None = None
    webhook_config: object = None
    name: object = None
    state: object = None
    create_time: object = None
    update_time: object = None
    end_time: object = None
    batch_stats: object = None
    output: object = None


class CreateBatchRequest(Message):
    """Body of batchGenerateContent and asyncBatchEmbedContent."""

    batch: BatchSpec | None = None


def check_spec(request: CreateBatchRequest, model: str, ignored: list[str]) -> tuple[BatchSpec, InputConfig]:
    """The batch and its input, of which there is exactly one kind. Raises `BadRequest`.

    Paths of fields without effect are added to `ignored`.
    """
    spec = request.batch or BatchSpec()
    source = spec.input_config or InputConfig()
    if spec.model is not None and spec.model.removeprefix("models/") != model:
        raise _fault("batch.model", f"must be the model of the path, models/{model}, or absent")
    if (source.requests is None) == (not source.file_name):
        raise _fault("batch.inputConfig", "exactly one of requests and fileName must be set")
    if source.requests is not None and not source.requests.requests:
        raise _fault("batch.inputConfig.requests.requests", "is not specified")
    for place, item in enumerate((source.requests and source.requests.requests) or ()):
        if item.request is None:
            raise _fault(f"batch.inputConfig.requests.requests[{place}].request", "is not specified")
    ignored += [f"batch.{camel}" for snake, camel in _WITHOUT_EFFECT if getattr(spec, snake) is not None]
    return spec, source


def source_file_id(name: str) -> str:
    """The id in `files/{id}`. Raises `BadRequest`."""
    try:
        return file_id_of(name.removeprefix("files/"))
    except BadRequest:
        raise _fault("batch.inputConfig.fileName", f"{name[:100]} is not a valid name of a file") from None


def inline_item(item: InlinedRequest) -> NewItem:
    """A request that came with the batch, as it is kept."""
    tag = None if item.metadata is None else orjson.dumps(item.metadata).decode()
    return NewItem(orjson.dumps(item.request).decode(), tag)


def line_item(line: bytes, max_depth: int) -> NewItem | None:
    """A line of a file as it is kept; one that holds no request has its error for a result. None for a blank line."""
    if not line.strip():
        return None
    key: object = None
    try:
        value = parse_json(line, max_depth)
        if not isinstance(value, dict):
            raise BadRequest("The line is not a JSON object with `key` and `request`.")
        key = value.get("key")
        unknown = sorted(str(name) for name in value.keys() - {"key", "request"})
        if unknown:
            raise BadRequest(f"The line has unknown fields: {', '.join(unknown)[:100]}.")
        if not isinstance(value.get("request"), dict):
            raise BadRequest("The line has no `request`, which must be an object.", field="request")
    except LocalaikError as error:
        return NewItem("", _json(key), line_error(error))
    return NewItem(orjson.dumps(value["request"]).decode(), _json(key))


def line_fault(limit: int) -> NewItem:
    """A line of more than `limit` bytes, which was not read."""
    return NewItem("", None, line_error(RequestTooLarge(limit)))


def _json(key: object) -> str | None:
    return None if key is None else orjson.dumps(key).decode()


def _fault(field: str, description: str) -> BadRequest:
    return BadRequest(f"* CreateBatchRequest.{field}: {description}", field=field)
