"""One table of cases through the official Gemini SDKs: Python in two versions, Node, Go; all with the real engine."""

import hashlib
import json
import math
import re
from collections.abc import Callable

import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.sdk_drivers import GO, NODE, PYTHON, PYTHON_BEFORE, Sdk, Seen, break_stream, driving, lasting

MODEL = "gemini-2.5-flash"
SDKS = [PYTHON, PYTHON_BEFORE, NODE, GO]
ENDS = {"STOP", "MAX_TOKENS"}


@pytest.fixture(scope="module")
def seen_by(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sdk], dict[str, Seen]]:
    """What an SDK saw in all cases."""
    return driving("gemini", server.url, tmp_path_factory.mktemp("gemini"))


def check_usage(seen: Seen, *modalities: str) -> None:
    details = seen["prompt_details"]
    assert set(details) == {"TEXT", *modalities}
    assert sum(details.values()) == seen["prompt_tokens"]
    assert min(details.values()) > 0
    assert seen["output_tokens"] > 0
    assert seen["total_tokens"] == seen["prompt_tokens"] + seen["output_tokens"] + seen.get("thought_tokens", 0)


def check_refusal(refused: Seen, code: int, status: str, words: str) -> None:
    classes = {"ClientError", "ApiError", "APIError"}
    assert refused["type"] in classes
    assert (refused["code"], refused["status"]) == (code, status)
    assert words in refused["message"]


def check_text(seen: Seen) -> None:
    assert seen["text"]
    assert (seen["role"], seen["model"]) == ("model", MODEL)
    assert seen["finish"] in ENDS
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", seen["id"])
    check_usage(seen)


def check_stream(seen: Seen) -> None:
    assert len(seen["chunks"]) >= 3
    assert "".join(seen["chunks"]) == seen["plain"]
    assert seen["chunks"][-1]
    assert seen["finish"] == [None] * (len(seen["chunks"]) - 1) + ["MAX_TOKENS"]
    assert len(set(seen["ids"])) == 1
    assert seen["output_tokens"] == sorted(seen["output_tokens"])
    assert seen["output_tokens"][-1] == 40


def check_chat(seen: Seen) -> None:
    assert len(seen["texts"]) == seen["users"] == 3
    assert all(seen["texts"])
    assert seen["prompt_tokens"] == sorted(set(seen["prompt_tokens"])), "the history grows"


def check_system(seen: Seen) -> None:
    assert seen["text"]
    check_usage(seen["with"])
    assert seen["with"]["prompt_tokens"] > seen["without"]["prompt_tokens"]


def check_candidates(seen: Seen) -> None:
    assert len(seen["first"]) == 5
    assert seen["first"] == seen["second"] == seen["streamed"]
    assert len(set(seen["first"])) > 1


def check_image(seen: Seen) -> None:
    assert seen["text"]
    assert seen["counted"] == seen["prompt_tokens"]
    check_usage(seen, "IMAGE")


def check_pdf(seen: Seen) -> None:
    assert seen["text"]
    assert seen["counted"] == seen["prompt_tokens"]
    check_usage(seen, "DOCUMENT")


def check_count(seen: Seen) -> None:
    assert seen["counted"] == seen["prompt_tokens"] > 0


def check_schema(seen: Seen) -> None:
    assert seen["finish"] == "STOP"
    value = json.loads(seen["text"])
    assert list(value) == ["title", "taste", "grams", "note"]
    assert len(value["title"]) <= 20
    assert value["taste"] in {"sweet", "sour"}
    assert len(value["grams"]) <= 2
    assert all(isinstance(one, int) and one <= 99 for one in value["grams"])
    note = value["note"]
    assert note is None or (isinstance(note, str) and len(note) <= 5) or (isinstance(note, int) and note <= 9)


def check_json_schema(seen: Seen) -> None:
    assert seen["finish"] == "STOP"
    value = json.loads(seen["text"])
    assert set(value) == {"leaf", "maybe"}
    assert isinstance(value["leaf"]["n"], int)
    assert value["maybe"] in {True, False, None}


def check_zod(seen: Seen) -> None:
    assert seen["finish"] == "STOP"
    assert list(seen["parsed"]) == ["title", "taste", "grams", "note"]


def check_enumeration(seen: Seen) -> None:
    assert seen["bare"] in {"sweet", "sour"}
    assert json.loads(seen["quoted"]) in {"sweet", "sour"}


def check_function_call(seen: Seen) -> None:
    assert seen["finish"] == "STOP"
    assert seen["calls"]
    for call in seen["calls"]:
        assert call["name"] == "get_weather"
        assert set(call["args"]) == {"city", "days"}
        assert len(call["args"]["city"]) <= 40
        assert isinstance(call["args"]["days"], int)
        assert call["args"]["days"] <= 9


def check_function_result(seen: Seen) -> None:
    assert seen["text"]
    assert seen["finish"] in ENDS
    assert all(seen["prompt_tokens"])


def check_automatic_function(seen: Seen) -> None:
    assert seen["called"]
    assert all(isinstance(city, str) for city in seen["called"])
    assert seen["text"]


def check_thoughts(seen: Seen) -> None:
    assert seen["thoughts"]
    assert seen["text"]
    assert 0 < seen["thought_tokens"] <= 16
    check_usage(seen)


def check_logprobs(seen: Seen) -> None:
    assert "".join(seen["tokens"]) == seen["text"]
    assert len(seen["tokens"]) == len(seen["logprobs"]) == 8
    assert all(one <= 0 for one in seen["logprobs"])
    assert seen["alternatives"] == [3] * 8


def check_embed(seen: Seen) -> None:
    assert [len(seen["one"]), len(seen["many"])] == [1, 3]
    for vector in (*seen["one"], *seen["many"]):
        assert len(vector) == 64
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert seen["one"][0] == pytest.approx(seen["many"][0], abs=1e-5), "the order is kept"
    assert seen["many"][0] != seen["many"][1]


def check_files(seen: Seen) -> None:
    assert re.fullmatch(r"files/[a-z0-9-]{1,40}", seen["name"])
    assert seen["same"] == [True] * 3
    assert seen["mime"] == ["text/plain", "application/pdf"]
    assert seen["size"][0] == 23
    assert seen["size"][1] > 100
    assert seen["sha256"] == hashlib.sha256(b"The sky is green today.").hexdigest()
    assert (seen["display_name"], seen["state"], seen["hours"], seen["listed"]) == ("sky", "ACTIVE", 48, True)
    assert seen["by_file"] == seen["inline"]
    check_refusal(seen["gone"], 403, "PERMISSION_DENIED", "do not have permission to access the File")


def check_cache(seen: Seen) -> None:
    assert re.fullmatch(r"cachedContents/[a-z0-9]+", seen["name"])
    assert seen["same"]
    assert (seen["model"], seen["display_name"], seen["listed"]) == (f"models/{MODEL}", "mine", True)
    assert seen["seconds"] == [600, 7200]
    assert seen["cached"] == seen["plain"]
    assert 0 < seen["cached_tokens"] == seen["tokens"] < seen["cached"]["prompt_tokens"]
    check_refusal(seen["gone"], 403, "PERMISSION_DENIED", "CachedContent not found")


def check_batch(seen: Seen) -> None:
    assert re.fullmatch(r"batches/[a-z0-9]+", seen["name"])
    assert seen["states"] == ["JOB_STATE_PENDING", "JOB_STATE_SUCCEEDED"]
    assert (seen["model"], seen["display_name"], seen["listed"]) == (f"models/{MODEL}", "two", True)
    assert all(seen["texts"])
    assert seen["texts"] == seen["alone"]
    check_refusal(seen["gone"], 404, "NOT_FOUND", "does not exist")


def check_models(seen: Seen) -> None:
    assert seen["names"] == ["models/tiny", "models/tiny-embedding"]
    assert seen["name"] == f"models/{MODEL}"
    assert seen["input_limit"] > 0
    assert {"generateContent", "countTokens"} <= set(seen["actions"])


def check_error_400(seen: Seen) -> None:
    check_refusal(seen["refused"], 400, "INVALID_ARGUMENT", "temperature: must be between 0 and 2")


def check_error_404(seen: Seen) -> None:
    check_refusal(seen["refused"], 404, "NOT_FOUND", "models/google/x is not found for API version v1")


def check_error_media(seen: Seen) -> None:
    check_refusal(seen["refused"], 400, "INVALID_ARGUMENT", "unsupported mime type: audio/wav")


TABLE: dict[str, Callable[[Seen], None]] = {
    "text": check_text,
    "stream": check_stream,
    "chat": check_chat,
    "chat_stream": check_chat,
    "system": check_system,
    "candidates": check_candidates,
    "image_png": check_image,
    "image_jpeg": check_image,
    "pdf": check_pdf,
    "count": check_count,
    "schema": check_schema,
    "json_schema": check_json_schema,
    "zod": check_zod,
    "enumeration": check_enumeration,
    "function_call": check_function_call,
    "function_stream": check_function_call,
    "function_result": check_function_result,
    "automatic_function": check_automatic_function,
    "thoughts": check_thoughts,
    "logprobs": check_logprobs,
    "embed": check_embed,
    "files": check_files,
    "cache": check_cache,
    "batch": check_batch,
    "models": check_models,
    "error_400": check_error_400,
    "error_400_stream": check_error_400,
    "error_404": check_error_404,
    "error_media": check_error_media,
}
ONLY = {"zod": {NODE}, "automatic_function": {PYTHON, PYTHON_BEFORE, NODE}}
UNLIKE = {
    "automatic_function": "each SDK describes the function in its own words",
    "zod": "one SDK has it",
    "models": "the SDKs know different methods",
    "embed": "the SDK of Go has numbers of 32 bits",
    "logprobs": "the SDK of Go has numbers of 32 bits",
}
"""Cases in which the SDKs do not all see the same, and why."""
OF_ONE_RUN = {"id", "ids", "name", "type", "message", "chunks", "finish", "output_tokens"}
"""What differs from run to run (names, times at which chunks leave) or from SDK to SDK (names of exceptions)."""

ROWS = [
    pytest.param(sdk, case, id=f"{sdk}-{case}")
    for sdk in SDKS
    for case in TABLE
    if case not in ONLY or sdk in ONLY[case]
]


@pytest.mark.parametrize(("sdk", "case"), ROWS)
def test_case(seen_by: Callable[[Sdk], dict[str, Seen]], sdk: Sdk, case: str) -> None:
    seen = seen_by(sdk)[case]
    assert "error" not in seen, seen["error"]
    TABLE[case](seen)


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_every_case_of_the_driver_is_in_the_table(seen_by: Callable[[Sdk], dict[str, Seen]], sdk: Sdk) -> None:
    assert set(seen_by(sdk)) == {case for case in TABLE if case not in ONLY or sdk in ONLY[case]}


@pytest.mark.parametrize("sdk", [PYTHON_BEFORE, NODE, GO], ids=str)
@pytest.mark.parametrize("case", [case for case in TABLE if case not in UNLIKE])
def test_g012_every_sdk_gets_the_same_answer(seen_by: Callable[[Sdk], dict[str, Seen]], sdk: Sdk, case: str) -> None:
    assert lasting(seen_by(sdk)[case], OF_ONE_RUN) == lasting(seen_by(PYTHON)[case], OF_ONE_RUN)


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_b027_a_streamed_chat_has_the_history_of_one_that_is_not(
    seen_by: Callable[[Sdk], dict[str, Seen]], sdk: Sdk
) -> None:
    seen = seen_by(sdk)
    assert seen["chat_stream"] == seen["chat"]


@pytest.mark.parametrize("sdk", [PYTHON, NODE, GO], ids=str)
def test_g037_a_stream_that_breaks_is_never_taken_for_a_whole_one(
    start_server: Callable[[Settings], RunningServer], sdk: Sdk
) -> None:
    seen = break_stream(sdk, "gemini", start_server(Settings(port=0, state="memory")))
    assert "error" not in seen, seen["error"]
    assert not seen["ended"]
    assert seen["refused"]["type"] in {"ServerError", "ApiError", "APIError"}
    assert (seen["refused"]["code"], seen["refused"]["status"]) == (502, "UNAVAILABLE")
    assert "engine" in seen["refused"]["message"]
