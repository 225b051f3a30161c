"""Signatures of calls, and the strict reading of them."""

from base64 import b64encode

import orjson
import pytest

from localaik.errors import BadRequest
from localaik.protocols.gemini.decode import decode
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.signatures import signature_of
from localaik.protocols.gemini.types import GenerateContentRequest

ARGS = {"a": 1, "b": [2.5, "é"]}
OWN = signature_of("add", orjson.dumps(ARGS))
USER: dict[str, object] = {"role": "user", "parts": [{"text": "Hi"}]}
RESULT: dict[str, object] = {"role": "user", "parts": [{"functionResponse": {"name": "add", "response": {}}}]}


def called(signature: str | None) -> dict[str, object]:
    return {"role": "model", "parts": [{"functionCall": {"name": "add", "args": ARGS}, "thoughtSignature": signature}]}


def check(*contents: dict[str, object], model: str = "gemini-3-pro", strict: bool = True) -> None:
    request = read(GenerateContentRequest, {"contents": list(contents)}, strict=False, ignored=[])
    decode(request, model, strict_signatures=strict)


@pytest.mark.parametrize("arguments", ['{"b": [2.5, "\\u00e9"], "a": 1.0}', '{"a":1,"b":[2.5,"é"],"c":null}'])
def test_g033_equal_arguments_have_one_signature(arguments: str) -> None:
    assert signature_of("add", arguments.encode()) == OWN


def test_g033_other_calls_have_others() -> None:
    assert (
        len({OWN, signature_of("sub", orjson.dumps(ARGS)), signature_of("add", b"{}"), signature_of("add", b"{")}) == 4
    )
    assert len(OWN) <= 128


@pytest.mark.parametrize(
    "signature",
    [
        OWN,
        OWN.rstrip("=").replace("+", "-").replace("/", "_"),
        "skip_thought_signature_validator",
        "context_engineering_is_the_way_to_go",
        b64encode(b"skip_thought_signature_validator").decode(),
    ],
)
def test_g033_strict_takes_ours_and_the_passing_values(signature: str) -> None:
    check(USER, called(signature), RESULT)


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (None, "Function call is missing a thought_signature in functionCall parts."),
        ("", "Function call is missing a thought_signature in functionCall parts."),
        ("Zm9yZWlnbg==", "not valid"),
        (signature_of("sub", b"{}"), "not valid"),
    ],
)
def test_g033_strict_refuses_missing_and_foreign_ones(signature: str | None, message: str) -> None:
    with pytest.raises(BadRequest, match=message) as refused:
        check(USER, called(signature), RESULT)
    assert refused.value.faults[0].field == "contents[1].parts[0].thoughtSignature"
    check(USER, called(signature), RESULT, model="gemini-2.5-flash")
    check(USER, called(signature), RESULT, strict=False)


def test_g033_only_calls_since_the_last_text_of_the_user_count() -> None:
    check(USER, called(None), RESULT, USER)
    with pytest.raises(BadRequest):
        check(USER, called(OWN), RESULT, called(None), RESULT)


def test_g033_one_signature_is_enough_for_a_turn() -> None:
    check(USER, called(OWN), called(None), {"role": "user", "parts": [*RESULT["parts"], *RESULT["parts"]]})  # type: ignore[misc]


@pytest.mark.parametrize("strict", [True, False])
def test_g033_what_is_not_base64_is_always_refused(strict: bool) -> None:
    with pytest.raises(BadRequest):
        check(USER, called("a!b"), RESULT, strict=strict)
