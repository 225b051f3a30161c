"""Batches on the wire: what is taken, and how jobs, results and faults are told."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from localaik.errors import BadRequest, EngineFault, InternalFault, LocalaikError, NotFound, TimedOut
from localaik.protocols.gemini.batches_encode import ABANDONED, inlined_output, line_error, operation, result_line
from localaik.protocols.gemini.batches_types import (
    CreateBatchRequest,
    check_spec,
    inline_item,
    line_fault,
    line_item,
    source_file_id,
)
from localaik.protocols.gemini.reading import read
from localaik.protocols.jsonlines import lines_of
from localaik.state.batch_records import Batch, BatchItem
from tests.state_samples import pieces

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
ITEM = {"request": {"contents": []}, "metadata": {"key": "k"}}


def check(batch: object, ignored: list[str] | None = None) -> Any:
    request = read(CreateBatchRequest, {"batch": batch}, strict=True, ignored=[])
    return check_spec(request, "m", [] if ignored is None else ignored)


def batch_of(**fields: Any) -> Batch:
    known: dict[str, Any] = {
        "id": "b",
        "kind": "generate",
        "model": "m",
        "display_name": None,
        "from_file": False,
        "state": "pending",
        "cancelled": False,
        "expired": False,
        "total": 3,
        "succeeded": 0,
        "failed": 0,
        "created": NOW,
        "updated": NOW,
        "ended": None,
        "output_file": None,
        "error": None,
    }
    return Batch(**{**known, **fields})


@pytest.mark.parametrize("spelling", ["fileName", "file_name"])
@pytest.mark.parametrize("config", ["inputConfig", "input_config"])
def test_both_spellings_of_the_file(config: str, spelling: str) -> None:
    _, source = check({config: {spelling: "files/abc"}})
    assert source_file_id(source.file_name) == "abc"


def test_inline_requests_keep_request_and_metadata() -> None:
    spec, source = check({"displayName": "d", "priority": "5", "inputConfig": {"requests": {"requests": [ITEM]}}})
    assert (spec.display_name, spec.priority) == ("d", 5)
    item = inline_item(source.requests.requests[0])
    assert item.tag is not None
    assert (orjson.loads(item.request), orjson.loads(item.tag)) == (ITEM["request"], ITEM["metadata"])


def test_fields_without_effect_are_told() -> None:
    ignored: list[str] = []
    check({"webhookConfig": {"uris": ["x"]}, "state": 1, "inputConfig": {"fileName": "files/a"}}, ignored)
    assert ignored == ["batch.state", "batch.webhookConfig"]


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ({}, "batch.inputConfig"),
        ({"inputConfig": {"fileName": "files/a", "requests": {"requests": [ITEM]}}}, "batch.inputConfig"),
        ({"inputConfig": {"requests": {"requests": []}}}, "batch.inputConfig.requests.requests"),
        ({"inputConfig": {"requests": {"requests": [ITEM, {}]}}}, "batch.inputConfig.requests.requests[1].request"),
        ({"model": "models/other", "inputConfig": {"fileName": "files/a"}}, "batch.model"),
    ],
)
def test_faults_name_their_field(batch: object, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check(batch)
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["files/", "files/_", "files/a/b", "../a"])
def test_names_that_no_file_has(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        source_file_id(name)
    assert caught.value.field == "batch.inputConfig.fileName"


def test_lines_of_a_file() -> None:
    good = line_item(b'{"key":"a","request":{"x":1}}\r', 100)
    assert good is not None
    assert (good.tag, good.request, good.error) == ('"a"', '{"x":1}', None)
    assert line_item(b" \r", 100) is None


@pytest.mark.parametrize(
    ("line", "key", "words"),
    [
        (b"{", None, "not valid JSON"),
        (b"[]", None, "not a JSON object"),
        (b'{"key":"k"}', '"k"', "no `request`"),
        (b'{"key":"k","request":[]}', '"k"', "no `request`"),
        (b'{"key":"k","request":{},"more":1}', '"k"', "unknown fields: more"),
        (b'{"request":{"a":[[[[]]]]}}', None, "nested more than 3"),
    ],
)
def test_bad_lines_are_errors_of_their_own(line: bytes, key: str | None, words: str) -> None:
    item = line_item(line, 3)
    assert item is not None
    assert item.error is not None
    assert (item.tag, orjson.loads(item.error)["code"]) == (key, 3)
    assert words in orjson.loads(item.error)["message"]


async def test_lines_are_found_across_pieces_and_long_ones_skipped() -> None:
    found = [line async for line in lines_of(pieces(b"ab", b"c\nd\n0123", b"456789", b"0\n\nlast"), 8)]
    assert found == [b"abc", b"d", None, b"", b"last"]
    assert orjson.loads(line_fault(8).error or "")["code"] == 3


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BadRequest("x"), 3, "INVALID_ARGUMENT"),
        (NotFound("x"), 5, "NOT_FOUND"),
        (TimedOut("x"), 4, "DEADLINE_EXCEEDED"),
        (InternalFault("x"), 13, "INTERNAL"),
        (EngineFault("x"), 13, "INTERNAL"),
    ],
)
def test_errors_have_codes_of_google_rpc(error: LocalaikError, code: int, status: str) -> None:
    assert orjson.loads(line_error(error)) == {"code": code, "message": "x", "status": status}


def test_a_new_batch_as_an_operation() -> None:
    assert operation(batch_of(display_name="d"), None) == {
        "name": "batches/b",
        "metadata": {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "name": "batches/b",
            "model": "models/m",
            "displayName": "d",
            "state": "BATCH_STATE_PENDING",
            "createTime": "2026-01-02T03:04:05.000006Z",
            "updateTime": "2026-01-02T03:04:05.000006Z",
            "batchStats": {"requestCount": "3", "pendingRequestCount": "3"},
        },
    }


def test_an_ended_batch_tells_its_output_twice() -> None:
    ended = batch_of(kind="embed", state="succeeded", succeeded=2, failed=1, ended=NOW)
    told: Any = operation(ended, {"responsesFile": "files/f"})
    assert told["done"] is True
    assert told["metadata"]["@type"].endswith(".EmbedContentBatch")
    assert told["metadata"]["output"] == {"responsesFile": "files/f"}
    assert told["response"]["responsesFile"] == "files/f"
    stats = {"requestCount": "3", "successfulRequestCount": "2", "failedRequestCount": "1"}
    assert told["metadata"]["batchStats"] == stats


def test_a_failed_batch_has_an_error_instead() -> None:
    error = line_error(InternalFault("full"))
    told = operation(batch_of(state="failed", ended=NOW, error=error), None)
    assert told["error"] == {"code": 13, "message": "full"}
    assert "response" not in told


def test_results_inline_and_as_lines() -> None:
    done = BatchItem(0, '{"key":"a"}', "{}", "done", '{"x":1}')
    failed = BatchItem(1, None, "{}", "failed", ABANDONED)
    assert orjson.loads(orjson.dumps(inlined_output([done, failed]))) == {
        "inlinedResponses": {
            "inlinedResponses": [
                {"response": {"x": 1}, "metadata": {"key": "a"}},
                {"error": {"code": 1, "message": "The batch was cancelled."}},
            ]
        }
    }
    assert result_line(done) == b'{"key":{"key":"a"},"response":{"x":1}}\n'
    assert orjson.loads(result_line(failed))["error"]["status"] == "CANCELLED"
