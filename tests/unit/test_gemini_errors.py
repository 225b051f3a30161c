"""Faults in the words of the Gemini API."""

import gzip

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from localaik.errors import (
    AlreadyExists,
    BadRequest,
    ContextOverflow,
    EngineAnswerInvalid,
    EngineFault,
    EngineRefused,
    EngineUnreachable,
    FailedPrecondition,
    FieldFault,
    Forbidden,
    InternalFault,
    InvalidMedia,
    LocalaikError,
    MethodNotAllowed,
    MissingTool,
    NotFound,
    NotServed,
    RateLimited,
    RequestTooLarge,
    TimedOut,
    Unauthorized,
    Unavailable,
    UnknownModel,
    WrongContentType,
)
from localaik.http.call import Call
from localaik.protocols.gemini.errors import answer_of, error_object
from localaik.protocols.gemini.respond import headers, render_error

CASES: list[tuple[LocalaikError, int, str]] = [
    (BadRequest("m"), 400, "INVALID_ARGUMENT"),
    (InvalidMedia("m"), 400, "INVALID_ARGUMENT"),
    (ContextOverflow(9, 8), 400, "INVALID_ARGUMENT"),
    (RequestTooLarge(5), 400, "INVALID_ARGUMENT"),
    (WrongContentType("m"), 400, "INVALID_ARGUMENT"),
    (Unauthorized("nothing"), 403, "PERMISSION_DENIED"),
    (Unauthorized("key"), 400, "INVALID_ARGUMENT"),
    (Unauthorized("bearer"), 401, "UNAUTHENTICATED"),
    (Forbidden("m"), 403, "PERMISSION_DENIED"),
    (NotFound("m"), 404, "NOT_FOUND"),
    (UnknownModel("m"), 404, "NOT_FOUND"),
    (MethodNotAllowed(("GET",)), 404, "NOT_FOUND"),
    (RateLimited("chat", 10, 60, retry_after=1), 429, "RESOURCE_EXHAUSTED"),
    (NotServed("m"), 501, "UNIMPLEMENTED"),
    (InternalFault("m"), 500, "INTERNAL"),
    (MissingTool("m"), 500, "INTERNAL"),
    (EngineUnreachable("m"), 502, "UNAVAILABLE"),
    (EngineAnswerInvalid("m"), 502, "INTERNAL"),
    (AlreadyExists("m"), 409, "ALREADY_EXISTS"),
    (FailedPrecondition("m"), 400, "FAILED_PRECONDITION"),
    (EngineFault("m"), 502, "INTERNAL"),
    (Unavailable("m"), 503, "UNAVAILABLE"),
    (TimedOut("m"), 504, "DEADLINE_EXCEEDED"),
    (LocalaikError("m"), 500, "INTERNAL"),
]


def all_kinds(kind: type[LocalaikError]) -> set[type[LocalaikError]]:
    return {kind}.union(*(all_kinds(inner) for inner in kind.__subclasses__()))


@pytest.mark.parametrize(("error", "code", "status"), CASES, ids=[type(error).__name__ for error, _, _ in CASES])
def test_b107_every_kind_of_fault_has_its_status(error: LocalaikError, code: int, status: str) -> None:
    body = error_object(error)["error"]
    assert (body["code"], body["status"]) == (code, status)  # type: ignore[index]


def test_b107_no_kind_of_fault_is_forgotten() -> None:
    ours = {kind for kind in all_kinds(LocalaikError) if kind.__module__ == "localaik.errors"}
    assert ours - {type(error) for error, _, _ in CASES} == {EngineRefused}


@pytest.mark.parametrize(
    ("upstream", "code", "status"),
    [
        (400, 400, "INVALID_ARGUMENT"),
        (401, 401, "UNAUTHENTICATED"),
        (403, 403, "PERMISSION_DENIED"),
        (404, 404, "NOT_FOUND"),
        (408, 408, "DEADLINE_EXCEEDED"),
        (409, 409, "ABORTED"),
        (413, 413, "INVALID_ARGUMENT"),
        (418, 418, "INVALID_ARGUMENT"),
        (422, 422, "INVALID_ARGUMENT"),
        (429, 429, "RESOURCE_EXHAUSTED"),
        (500, 500, "INTERNAL"),
        (501, 501, "UNIMPLEMENTED"),
        (502, 502, "UNAVAILABLE"),
        (503, 503, "UNAVAILABLE"),
        (504, 504, "DEADLINE_EXCEEDED"),
        (507, 507, "INTERNAL"),
        (529, 503, "UNAVAILABLE"),
        (302, 502, "INTERNAL"),
    ],
)
def test_b109_statuses_of_an_upstream(upstream: int, code: int, status: str) -> None:
    answer = answer_of(EngineRefused("m", status=upstream))
    assert (answer.code, answer.status) == (code, status)


def test_field_violations_stand_in_the_details() -> None:
    faults = (FieldFault("generationConfig.topK", "d"), FieldFault("contents", "e"))
    assert error_object(BadRequest("m", faults=faults))["error"]["details"] == [  # type: ignore[index]
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                {"field": "generationConfig.topK", "description": "d"},
                {"field": "contents", "description": "e"},
            ],
        }
    ]


def test_details_are_absent_when_empty() -> None:
    assert error_object(BadRequest("m")) == {"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}


def test_the_context_is_told_in_the_words_of_the_service() -> None:
    assert error_object(ContextOverflow(9000, 8192))["error"]["message"] == (  # type: ignore[index]
        "The input token count (9000) exceeds the maximum number of tokens allowed (8192)."
    )


def test_b111_what_may_be_tried_again_says_when() -> None:
    details = error_object(EngineRefused("m", status=429, retry_after=7))["error"]["details"]  # type: ignore[index]
    assert [detail["@type"].rpartition(".")[2] for detail in details] == ["QuotaFailure", "RetryInfo"]
    assert details[1]["retryDelay"] == "7s"
    details = error_object(RateLimited("chat", 10, 60, retry_after=8))["error"]["details"]  # type: ignore[index]
    quota = {"quotaMetric": "chat_requests", "quotaId": "ChatRequestsPer60SecondsPerClient", "quotaValue": "10"}
    assert (details[0]["violations"], details[1]["retryDelay"]) == ([quota], "8s")
    assert answer_of(EngineRefused("m", status=429)).retry_after == 1
    assert answer_of(EngineRefused("m", status=500)).retry_after is None
    assert answer_of(Unavailable("m", retry_after=2)).retry_after == 2


# The answer


def call(path: str, **request_headers: str) -> Call:
    return Call(make_mocked_request("POST", path, headers=request_headers), "id", "gemini")


def test_errors_are_indented_json_with_a_final_newline() -> None:
    response = render_error(BadRequest("m"), call("/v1beta/models/m:generateContent"))
    assert response.status == 400
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert response.body == (
        b'{\n  "error": {\n    "code": 400,\n    "message": "m",\n    "status": "INVALID_ARGUMENT"\n  }\n}\n'
    )


@pytest.mark.parametrize("alt", ["alt=sse", "$alt=sse", "%24alt=sse"])
@pytest.mark.parametrize("action", [":streamGenerateContent", "%3AstreamGenerateContent", ":streamGenerateContent/"])
def test_b061_an_event_stream_that_never_began_has_its_type_and_the_plain_error(alt: str, action: str) -> None:
    response = render_error(NotFound("m"), call(f"/v1/models/m{action}?{alt}", **{"Accept-Encoding": "gzip"}))
    assert (response.status, response.headers["Content-Type"]) == (404, "text/event-stream")
    assert response.body.startswith(b'{\n  "error"')  # type: ignore[union-attr]
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("query", ["", "?alt=json", "?alt=other"])
def test_g037_an_array_that_never_began_holds_the_error(query: str) -> None:
    response = render_error(NotFound("m"), call(f"/models/m:streamGenerateContent{query}"))
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    (error,) = orjson.loads(response.body)  # type: ignore[arg-type]
    assert error["error"]["code"] == 404


def test_g008_errors_are_compressed_for_callers_that_accept_it() -> None:
    response = render_error(BadRequest("m"), call("/v1/models/m:countTokens", **{"Accept-Encoding": "gzip, deflate"}))
    assert response.headers["Content-Encoding"] == "gzip"
    assert orjson.loads(gzip.decompress(response.body))["error"]["message"] == "m"  # type: ignore[arg-type]


def test_b111_retry_after_is_a_header_too() -> None:
    path = "/v1/models/m:generateContent"
    assert render_error(Unavailable("m", retry_after=3), call(path)).headers["Retry-After"] == "3"
    assert "Retry-After" not in render_error(BadRequest("m"), call(path)).headers


def test_b009_a_wrong_method_is_a_404_that_names_the_right_one() -> None:
    response = render_error(MethodNotAllowed(("POST",)), call("/v1beta/models/m:generateContent"))
    assert response.status == 404
    message = orjson.loads(response.body)["error"]["message"]  # type: ignore[arg-type]
    assert message.startswith("Not Found")
    assert "POST" in message


def test_b065_headers_of_every_answer() -> None:
    given = headers(call("/v1/models"))
    assert given["Vary"] == "Origin, X-Origin, Referer"
    assert given["X-Content-Type-Options"] == "nosniff"
    assert given["Server-Timing"].startswith("gfet4t7; dur=")
