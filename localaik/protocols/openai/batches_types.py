"""Batches as the OpenAI API describes them: what is asked for, the lines of the input, the object. Pure: no I/O.

Source: "Batch" in the API reference.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import orjson

from localaik.errors import BadRequest, NotFound
from localaik.http.body import parse_json
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.files_types import ExpiresAfter
from localaik.protocols.openai.reading import Findings, read
from localaik.protocols.openai.types import Metadata, Wire
from localaik.state.batch_records import Batch, NewBatch, NewItem

__all__ = [
    "BATCH",
    "ENDPOINTS",
    "WINDOW",
    "CreateBatch",
    "InvalidLines",
    "batch_object",
    "items_of",
    "list_of_faults",
    "new_batch",
    "status_of",
    "unknown_batch",
]

BATCH: Final = "batch_"
"""What ids of batches begin with; the store has them without."""
WINDOW: Final = timedelta(hours=24)
ENDPOINTS: Final[Mapping[str, str]] = {
    "/v1/chat/completions": "oai-chat",
    "/v1/responses": "oai-responses",
    "/v1/embeddings": "oai-embeddings",
    "/v1/completions": "oai-completions",
    "/v1/moderations": "oai-moderations",
}
"""What the lines of a batch may ask for, and the kinds of batches in the store."""

_PATHS: Final = {kind: path for path, kind in ENDPOINTS.items()}
_MOST_LINES: Final = 50_000  # of the service
_MOST_FAULTS: Final = 100
_MAX_SHOWN_CHARS: Final = 100
_BLANK: Final = b" \t\r\n"
_ENDED: Final = {"succeeded": "completed", "failed": "failed", "cancelled": "cancelled", "expired": "expired"}


class CreateBatch(Wire):
    """POST batches."""

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations"]
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class InvalidLines(Exception):
    """Lines of an input that can't be taken; `faults` are as the API tells them."""

    def __init__(self, faults: list[Object]) -> None:
        super().__init__(f"{len(faults)} lines at fault")
        self.faults = faults


def new_batch(body: object, findings: Findings) -> NewBatch:
    """The job that a request asks for. Raises `BadRequest`."""
    wanted = read(CreateBatch, body)
    for name in wanted.model_extra or ():
        findings.unknown(name)
    kept = {
        "metadata": wanted.metadata,
        "lifetime": None if wanted.output_expires_after is None else wanted.output_expires_after.seconds,
    }
    return NewBatch(
        ENDPOINTS[wanted.endpoint],
        "",  # each line names its own
        from_file=True,
        input_file=wanted.input_file_id,
        body=orjson.dumps(kept).decode(),
    )


async def items_of(lines: AsyncIterator[bytes | None], kind: str, *, depth: int) -> AsyncIterator[NewItem]:
    """The requests in the lines of an input, as long as all are in order.

    Raises `InvalidLines` at the end, or earlier where there is too much of it; blank lines are skipped.
    """
    faults: list[Object] = []
    seen: set[str] = set()
    number = 0
    async for line in lines:
        number += 1
        if line is not None and not line.strip(_BLANK):
            continue
        try:
            if len(seen) >= _MOST_LINES:
                raise _at_fault("too_many_lines", f"The file has more than {_MOST_LINES} requests.")
            item = _item_of(line, _PATHS[kind], seen, depth)
        except BadRequest as fault:
            faults.append({"code": fault.reason, "message": fault.message, "param": fault.field, "line": number})
            if len(faults) >= _MOST_FAULTS or fault.reason == "too_many_lines":
                break
        else:
            if not faults:
                yield item
    if faults:
        raise InvalidLines(faults)


def _item_of(line: bytes | None, path: str, seen: set[str], depth: int) -> NewItem:
    """The request in a line, whose id is added to `seen`. Raises `BadRequest`, whose reason is the API's code."""
    if line is None:
        raise _at_fault("invalid_json_line", "This line is too long.")
    try:
        value = parse_json(line, depth)
    except BadRequest as error:
        raise _at_fault("invalid_json_line", f"This line is not parseable as valid JSON. {error.message}") from None
    if not isinstance(value, dict):
        raise _at_fault("invalid_json_line", "This line is not a JSON object.")
    for name in ("custom_id", "method", "url", "body"):
        if value.get(name) is None:
            raise _at_fault("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
    _check_values(value, path)
    custom_id: str = value["custom_id"]
    if custom_id in seen:
        shown = custom_id[:_MAX_SHOWN_CHARS]
        raise _at_fault("duplicate_custom_id", f"The 'custom_id' '{shown}' is used by another line.", "custom_id")
    seen.add(custom_id)
    return NewItem(orjson.dumps(value["body"]).decode(), tag=custom_id)


def _check_values(value: Mapping[str, object], path: str) -> None:
    body = value["body"]
    if not isinstance(value["custom_id"], str):
        raise _at_fault("invalid_type", "The 'custom_id' must be a string.", "custom_id")
    if value["method"] != "POST":
        raise _at_fault("invalid_method", "The 'method' must be 'POST'.", "method")
    if value["url"] != path:
        raise _at_fault("invalid_url", f"The 'url' must be the batch's endpoint, '{path}'.", "url")
    if not isinstance(body, dict):
        raise _at_fault("invalid_type", "The 'body' must be an object.", "body")
    if body.get("stream"):
        raise _at_fault("invalid_value", "Answers of a batch can't be streamed.", "body.stream")


def _at_fault(code: str, message: str, param: str | None = None) -> BadRequest:
    return BadRequest(message, field=param, reason=code)


def list_of_faults(*faults: Object) -> str:
    """What the store keeps of the faults of a whole batch."""
    return orjson.dumps(faults).decode()


def status_of(batch: Batch) -> str:
    """The word that the API has for where a batch stands."""
    if not batch.active:
        return _ENDED[batch.state]
    if batch.cancelled:
        return "cancelling"
    if batch.state == "unchecked":
        return "validating"
    return "in_progress" if batch.ending is None and not batch.expired else "finalizing"


def batch_object(batch: Batch) -> Object:
    """The object of a batch, with all its keys."""
    status = status_of(batch)
    kept = orjson.loads(batch.body or "{}")
    ended = {f"{word}_at": _seconds(batch.ended) if status == word else None for word in _ENDED.values()}
    result: Object = {
        "id": BATCH + batch.id,
        "object": "batch",
        "endpoint": _PATHS[batch.kind],
        "errors": None if batch.error is None else {"object": "list", "data": orjson.loads(batch.error)},
        "input_file_id": batch.input_file,
        "completion_window": "24h",
        "status": status,
        "output_file_id": batch.output_file,
        "error_file_id": batch.error_file,
        "created_at": _seconds(batch.created),
        "in_progress_at": _seconds(batch.begun),
        "expires_at": _seconds(batch.created + WINDOW),
        "finalizing_at": _seconds(batch.ending),
        "completed_at": ended["completed_at"],
        "failed_at": ended["failed_at"],
        "expired_at": ended["expired_at"],
        "cancelling_at": _seconds(batch.abandoned) if batch.cancelled else None,
        "cancelled_at": ended["cancelled_at"],
        "request_counts": {"total": batch.total, "completed": batch.succeeded, "failed": batch.failed},
        "metadata": kept.get("metadata"),
    }
    if batch.usage is not None:
        result["usage"] = orjson.loads(batch.usage)
    return result


def unknown_batch(name: str) -> NotFound:
    """There is no batch with the id `name`."""
    return NotFound(f"No batch found with id '{name[:_MAX_SHOWN_CHARS]}'.", reason="batch_not_found")


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
