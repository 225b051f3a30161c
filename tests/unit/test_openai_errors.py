"""Every fault of localaik, as the OpenAI API would tell it."""

import pytest

from localaik import errors
from localaik.errors import (
    AlreadyExists,
    BadRequest,
    ContextOverflow,
    EngineAnswerInvalid,
    EngineFault,
    EngineRefused,
    EngineUnreachable,
    FailedPrecondition,
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
from localaik.protocols.openai.errors import answer_of, error_object

INVALID = "invalid_request_error"
SERVER = "server_error"
IMAGE = "messages[0].content[1].image_url.url"
FILE = "messages[0].content[1].file.file_data"


FAULTS: list[tuple[LocalaikError, int, str, str | None, str | None]] = [
    (BadRequest("x"), 400, INVALID, None, None),
    (BadRequest("x", field="n", reason="invalid_type"), 400, INVALID, "invalid_type", "n"),
    (BadRequest("x", field="n", reason="of_ours"), 400, INVALID, None, "n"),
    (BadRequest("x", reason="invalid_json"), 400, INVALID, None, None),
    (BadRequest("x", field="a", reason="invalid_schema"), 400, INVALID, "invalid_json_schema", "a"),
    (BadRequest("x", field="a", reason="unsupported_schema_keyword"), 400, INVALID, "invalid_json_schema", "a"),
    (BadRequest("x", reason="unsupported_kind"), 400, INVALID, "unsupported_value", None),
    (ContextOverflow(9, 5), 400, INVALID, "context_length_exceeded", "messages"),
    (RequestTooLarge(5), 413, INVALID, "request_too_large", None),
    (WrongContentType("x"), 415, INVALID, None, None),
    (Forbidden("x", reason="forbidden"), 403, INVALID, "forbidden", None),
    (Unauthorized("nothing"), 401, INVALID, "invalid_api_key", None),
    (Forbidden("x"), 403, INVALID, None, None),
    (NotFound("x", reason="unknown_url"), 404, INVALID, "unknown_url", None),
    (NotFound("x"), 404, INVALID, None, None),
    (UnknownModel("m"), 404, INVALID, "model_not_found", "model"),
    (NotServed("x"), 404, INVALID, "unknown_url", None),
    (FailedPrecondition("x"), 400, INVALID, None, None),
    (AlreadyExists("x"), 409, INVALID, None, None),
    (MethodNotAllowed(("GET", "HEAD")), 405, INVALID, "method_not_supported", None),
    (InternalFault("x"), 500, SERVER, None, None),
    (MissingTool("x"), 500, SERVER, None, None),
    (EngineUnreachable("x"), 502, SERVER, "upstream_unreachable", None),
    (EngineAnswerInvalid("x"), 502, SERVER, "upstream_invalid_response", None),
    (Unavailable("x"), 503, SERVER, "overloaded", None),
    (TimedOut("x", reason="timeout"), 504, SERVER, "timeout", None),
    (TimedOut("x", reason="request_timeout"), 408, INVALID, "timeout", None),
    (LocalaikError("x"), 500, SERVER, None, None),
    (EngineRefused("x", status=400), 400, INVALID, None, None),
    (EngineRefused("x", status=404), 404, INVALID, None, None),
    (EngineRefused("x", status=409), 409, INVALID, None, None),
    (EngineRefused("x", status=429), 429, "requests", "rate_limit_exceeded", None),
    (EngineRefused("x", status=500), 500, SERVER, None, None),
    (EngineRefused("x", status=503), 503, SERVER, "overloaded", None),
    (EngineRefused("x", status=504), 504, SERVER, "timeout", None),
    (EngineRefused("x", status=529), 503, SERVER, "overloaded", None),
    (EngineRefused("x", status=302), 502, SERVER, "upstream_invalid_response", None),
]


@pytest.mark.parametrize(("error", "status", "kind", "code", "param"), FAULTS, ids=repr)
def test_b107_each_fault(error: LocalaikError, status: int, kind: str, code: str | None, param: str | None) -> None:
    answer = answer_of(error)
    assert (answer.status, answer.type, answer.code, answer.param) == (status, kind, code, param)
    body = error_object(error)
    assert body == {"error": {"message": answer.message, "type": kind, "param": param, "code": code}}
    assert answer.message


def test_every_class_of_faults_has_a_row_of_the_table() -> None:
    kinds = {getattr(errors, name) for name in errors.__all__}
    faults = {kind for kind in kinds if issubclass(kind, LocalaikError)}
    told = {type(parameters[0]) for parameters in FAULTS}
    elsewhere = {InvalidMedia, RateLimited}  # have tests of their own
    assert faults - told == {EngineFault, *elsewhere}  # the first is never raised itself


def test_a_passed_rate_limit_is_told_with_its_numbers() -> None:
    error = RateLimited("chat", 10, 60, retry_after=7)
    assert error_object(error) == {
        "error": {
            "message": "Rate limit exceeded. Try again in 7 seconds.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
            "limit": {"bucket": "chat", "calls": 10, "seconds": 60},
        }
    }
    answer = answer_of(error)
    assert (answer.status, answer.headers) == (429, {"Retry-After": "7"})


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("invalid_base64", "invalid_base64_image"),
        ("unsupported_kind", "invalid_image_format"),
        ("broken_image", "invalid_image_format"),
        ("image_too_large", "image_too_large"),
        ("image_too_many_pixels", "image_too_large"),
        ("invalid_url", "invalid_image_url"),
        ("forbidden_address", "invalid_image_url"),
        ("fetch_off", "invalid_image_url"),
        ("fetch_failed", "failed_to_download_image"),
        ("fetch_too_large", "failed_to_download_image"),
        ("too_many_images", "invalid_value"),
        ("too_many_fetches", "invalid_value"),
    ],
)
def test_media_faults(reason: str, code: str) -> None:
    answer = answer_of(InvalidMedia("x", field=IMAGE, reason=reason))
    assert (answer.status, answer.code, answer.param) == (400, code, IMAGE)
    assert answer_of(InvalidMedia("x", field=FILE, reason=reason)).code == "invalid_value"


@pytest.mark.parametrize("reason", ["broken_pdf", "encrypted_pdf", "empty_pdf", "pdf_too_many_pages", "text_too_large"])
def test_faults_of_documents(reason: str) -> None:
    assert answer_of(InvalidMedia("x", field=FILE, reason=reason)).code == "invalid_value"


def test_an_image_that_the_engine_refuses_has_no_field() -> None:
    answer = answer_of(InvalidMedia("x", reason="broken_image"))
    assert (answer.code, answer.param) == ("invalid_image_format", None)


def test_messages_of_their_own() -> None:
    assert answer_of(ContextOverflow(9, 5)).message == (
        "This model's maximum context length is 5 tokens. However, your messages resulted in 9 tokens."
        " Please reduce the length of the messages."
    )
    overflow = answer_of(ContextOverflow(9, 5), prompt_field="prompt")
    assert (overflow.param, "your prompt resulted in 9" in overflow.message) == ("prompt", True)
    assert answer_of(UnknownModel("m")).message == "The model `m` does not exist or you do not have access to it."
    assert answer_of(BadRequest("It ends early.", reason="invalid_json")).message == (
        "We could not parse the JSON body of your request. It ends early."
    )
    assert answer_of(MethodNotAllowed(("GET", "HEAD"))).message == "Only GET requests are accepted."
    assert (
        answer_of(MethodNotAllowed(("DELETE", "GET", "HEAD"))).message == "Only DELETE and GET requests are accepted."
    )


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (BadRequest("x"), {}),
        (MethodNotAllowed(("GET", "HEAD")), {"Allow": "GET, HEAD"}),
        (InternalFault("x"), {"x-should-retry": "false"}),
        (MissingTool("x"), {"x-should-retry": "false"}),
        (EngineUnreachable("x"), {}),
        (Unavailable("x", retry_after=7), {"Retry-After": "7"}),
        (EngineRefused("x", status=429, retry_after=9), {"Retry-After": "9"}),
        (EngineRefused("x", status=429), {"Retry-After": "1"}),
        (EngineRefused("x", status=501), {"x-should-retry": "false"}),
        (TimedOut("x"), {}),
    ],
    ids=repr,
)
def test_b111_headers_of_faults(error: LocalaikError, headers: dict[str, str]) -> None:
    assert answer_of(error).headers == headers
