"""Batches as the Gemini API tells them: operations, results, lines of result files. Pure: no I/O.

Source: google.longrunning.Operation, google.rpc.Code, and what the official SDKs read.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import orjson

from localaik.errors import LocalaikError
from localaik.protocols.gemini.errors import answer_of, error_object
from localaik.state.batch_records import Batch, BatchItem

__all__ = ["ABANDONED", "EXPIRED", "inlined_output", "line_error", "operation", "result_line"]

Object = dict[str, object]

_TYPES: Final = {"generate": "GenerateContentBatch", "embed": "EmbedContentBatch"}
_PACKAGE: Final = "type.googleapis.com/google.ai.generativelanguage.v1main."
_CODES: Final[Mapping[str, int]] = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
ABANDONED: Final = '{"code":1,"message":"The batch was cancelled.","status":"CANCELLED"}'
EXPIRED: Final = '{"code":4,"message":"The batch was not done within 48 hours.","status":"DEADLINE_EXCEEDED"}'
"""Results of requests that were not tried."""


def line_error(error: LocalaikError) -> str:
    """A fault of one request as JSON: `code` (of google.rpc), `message`, `status`."""
    status = answer_of(error).status
    told = error_object(error)["error"]
    message = told["message"] if isinstance(told, dict) else error.message
    return orjson.dumps({"code": _CODES[status], "message": message, "status": status}).decode()


def operation(batch: Batch, output: Object | None) -> Object:
    """A batch as an operation. `output` is what it gave, once it has ended."""
    metadata: Object = {
        "@type": _PACKAGE + _TYPES[batch.kind],
        "name": f"batches/{batch.id}",
        "model": f"models/{batch.model}",
    }
    if batch.display_name is not None:
        metadata["displayName"] = batch.display_name
    metadata |= {
        "state": f"BATCH_STATE_{batch.state.upper()}",
        "createTime": _timestamp(batch.created),
        "updateTime": _timestamp(batch.updated),
    }
    if batch.ended is not None:
        metadata["endTime"] = _timestamp(batch.ended)
    metadata["batchStats"] = _stats(batch)
    told: Object = {"name": f"batches/{batch.id}", "metadata": metadata}
    if batch.active:
        return told
    told["done"] = True
    if batch.error is not None:
        return {**told, "error": _without_status(batch.error)}
    if output is None:
        return told
    metadata["output"] = output
    return {**told, "response": {"@type": f"{_PACKAGE}{_TYPES[batch.kind]}Output", **output}}


def inlined_output(items: Iterable[BatchItem]) -> Object:
    """The output of a batch whose requests came with it."""
    responses: list[Object] = []
    for item in items:
        result = item.result or "{}"
        failed = item.state == "failed"
        told: Object = {"error": _without_status(result)} if failed else {"response": orjson.Fragment(result)}
        if item.tag is not None:
            told["metadata"] = orjson.Fragment(item.tag)
        responses.append(told)
    return {"inlinedResponses": {"inlinedResponses": responses}}


def result_line(item: BatchItem) -> bytes:
    """The line of a result file for one request, with its line feed."""
    told: Object = {} if item.tag is None else {"key": orjson.Fragment(item.tag)}
    told["error" if item.state == "failed" else "response"] = orjson.Fragment(item.result or "{}")
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _stats(batch: Batch) -> Object:
    pending = batch.total - batch.succeeded - batch.failed
    counts = {
        "successfulRequestCount": batch.succeeded,
        "failedRequestCount": batch.failed,
        "pendingRequestCount": pending,
    }
    return {"requestCount": str(batch.total), **{name: str(count) for name, count in counts.items() if count}}


def _without_status(error: str) -> Object:
    told = orjson.loads(error)
    return {"code": told["code"], "message": told["message"]}


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
