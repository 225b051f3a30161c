"""What an engine's failures become."""

import orjson
import pytest

from localaik.engine.faults import MAX_ERROR_BYTES, clean_message, fault_of_answer, fault_of_frame
from localaik.errors import (
    BadRequest,
    ContextOverflow,
    EngineAnswerInvalid,
    EngineRefused,
    EngineUnreachable,
    InternalFault,
    InvalidMedia,
    Unavailable,
)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no such thing", "type": "x", "code": 1}},
        {"error": "no such thing"},
        {"object": "error", "message": "no such thing"},
        {"detail": "no such thing"},
        {"detail": [{"loc": ["body"], "msg": "no such thing"}]},
    ],
)
def test_b108_all_shapes_of_error_bodies_are_read(body: object) -> None:
    fault = fault_of_answer(422, orjson.dumps(body))
    assert isinstance(fault, EngineRefused)
    assert (fault.message, fault.status) == ("no such thing", 422)


@pytest.mark.parametrize("body", [b"", b"<html>gone</html>", b"[1]", b'{"error":{}}'])
def test_b108_the_status_speaks_where_the_body_does_not(body: bytes) -> None:
    fault = fault_of_answer(404, body)
    assert isinstance(fault, EngineRefused)
    assert fault.message == "404 Not Found"


def test_b108_messages_are_cut_and_cleaned() -> None:
    message = "a\x00b\x1b[31m Bearer sk-secret-123456789 at /srv/models/x.gguf and C:\\models\\y.gguf " + "x" * 5000
    cleaned = clean_message(message)
    assert len(cleaned) <= 2000
    for secret in ("\x00", "\x1b", "sk-secret", "/srv", "C:\\models"):
        assert secret not in cleaned
    assert MAX_ERROR_BYTES == 64 * 1024


def test_b110_refused_credentials_and_redirects_are_faults_behind_us() -> None:
    for status in (401, 403):
        fault = fault_of_answer(status, b'{"error":{"message":"bad key sk-1234567890"}}')
        assert isinstance(fault, EngineUnreachable)
        assert "LOCALAIK_UPSTREAM_AUTH_HEADER" in fault.message
        assert "sk-1234567890" not in fault.message
    assert isinstance(fault_of_answer(302, b""), EngineAnswerInvalid)


def test_b111_retry_after_is_kept() -> None:
    fault = fault_of_answer(429, b"", "7")
    assert isinstance(fault, EngineRefused)
    assert fault.retry_after == 7
    bad = fault_of_answer(429, b"", "soon")
    assert isinstance(bad, EngineRefused)
    assert bad.retry_after is None


def test_faults_of_llama_cpp_have_their_own_kinds() -> None:
    overflow = {"error": {"type": "exceed_context_size_error", "message": "m", "n_prompt_tokens": 9, "n_ctx": 8}}
    fault = fault_of_answer(400, orjson.dumps(overflow))
    assert isinstance(fault, ContextOverflow)
    assert (fault.prompt_tokens, fault.context_tokens) == (9, 8)
    for status, message, kind in [
        (400, "Failed to load image or audio file", InvalidMedia),
        (500, "image input is not supported - hint: mmproj", BadRequest),
        (400, "Jinja Exception: roles must alternate", InternalFault),
        (503, "Loading model", Unavailable),
        (400, "Failed to initialize samplers: failed to parse grammar", BadRequest),
    ]:
        assert isinstance(fault_of_answer(status, orjson.dumps({"error": {"message": message}})), kind)


@pytest.mark.parametrize(
    ("message", "field", "shown"),
    [
        (
            "Field 'top_k': [json.exception.type_error.302] type must be number, but is string",
            "top_k",
            "Invalid value for 'top_k': type must be number, but is string.",
        ),
        (
            "Field 'repeat_last_n': must be at least 0.",
            "repeat_last_n",
            "Invalid value for 'repeat_last_n': must be at least 0.",
        ),
    ],
)
def test_a_field_that_was_passed_on_is_named(message: str, field: str, shown: str) -> None:
    fault = fault_of_answer(400, orjson.dumps({"error": {"message": message, "type": "invalid_request_error"}}))
    assert isinstance(fault, BadRequest)
    assert (fault.field, fault.message) == (field, shown)


def test_the_fault_of_a_frame_keeps_its_message() -> None:
    assert "boom" in fault_of_frame(b'{"message":"boom"}').message
    assert "boom" in fault_of_frame(b'"boom"').message
    assert isinstance(fault_of_frame(b"7"), EngineAnswerInvalid)
