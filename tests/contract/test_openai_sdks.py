"""One table of cases through the official OpenAI SDKs of Python, Node and Go, against the real engine."""

import json
import math
import re
from collections.abc import Callable

import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.sdk_drivers import GO, NODE, PYTHON, Sdk, Seen, break_stream, driving, lasting

MODEL = "gpt-4o-mini"
SDKS = [PYTHON, NODE, GO]
ENDS = {"stop", "length"}


@pytest.fixture(scope="module")
def seen_by(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sdk], dict[str, Seen]]:
    """What an SDK saw in all cases."""
    return driving("openai_api", server.url, tmp_path_factory.mktemp("openai_api"))


def check_usage(seen: Seen) -> None:
    assert seen["prompt_tokens"] > 0
    assert seen["output_tokens"] > 0
    assert seen["total_tokens"] == seen["prompt_tokens"] + seen["output_tokens"]


def check_refusal(refused: Seen, code: int, kinds: set[str], **told: object) -> None:
    assert refused["type"] in {*kinds, "Error"}, "the SDK of Go has one type for all"
    assert refused["code"] == code
    assert refused["message"]
    assert refused["request_id"].startswith("req_")
    assert {name: refused[name] for name in told} == told


def check_text(seen: Seen) -> None:
    assert seen["text"]
    assert (seen["role"], seen["model"], seen["object"]) == ("assistant", MODEL, "chat.completion")
    assert seen["finish"] in ENDS
    assert re.fullmatch(r"chatcmpl-[0-9a-f]{32}", seen["id"])
    assert seen["fingerprint"].startswith("fp_")
    check_usage(seen)


def check_stream(seen: Seen) -> None:
    assert len([chunk for chunk in seen["chunks"] if chunk]) >= 3
    assert "".join(seen["chunks"]) == seen["plain"]
    assert seen["finish"] == [None] * (len(seen["chunks"]) - 1) + ["length"]
    assert len(set(seen["ids"])) == 1
    assert seen["usage"] == seen["plain_usage"]
    assert seen["usage"]["output_tokens"] == 40
    check_usage(seen["usage"])


def check_chat(seen: Seen) -> None:
    assert len(seen["texts"]) == 3
    assert all(seen["texts"])
    assert seen["prompt_tokens"] == sorted(set(seen["prompt_tokens"])), "the history grows"


def check_more_prompt(seen: Seen) -> None:
    assert seen["text"]
    check_usage(seen["with"])
    check_usage(seen["without"])
    assert seen["with"]["prompt_tokens"] > seen["without"]["prompt_tokens"]


def check_choices(seen: Seen) -> None:
    assert len(seen["first"]) == 5
    assert seen["first"] == seen["second"] == seen["streamed"]
    assert len(set(seen["first"])) > 1


def check_schema(seen: Seen) -> None:
    assert seen["finish"] == "stop"
    value = json.loads(seen["text"])
    assert set(value) == {"title", "taste", "grams", "note"}
    assert len(value["title"]) <= 20
    assert value["taste"] in {"sweet", "sour"}
    assert len(value["grams"]) <= 2
    assert all(isinstance(one, int) and 0 <= one <= 99 for one in value["grams"])
    assert value["note"] is None or len(value["note"]) <= 5


def check_parsed(seen: Seen) -> None:
    assert seen["finish"] == "stop"
    value = seen["parsed"]
    assert set(value) == {"taste", "large", "grams"}
    assert value["taste"] in {"sweet", "sour"}
    assert isinstance(value["large"], bool)
    assert value["grams"] is None or isinstance(value["grams"], int)


def check_calls(calls: list[Seen]) -> None:
    (call,) = calls
    assert call["id"].startswith("call_")
    assert call["name"] == "get_weather"
    assert set(call["args"]) == {"city", "days"}
    assert len(call["args"]["city"]) <= 40
    assert isinstance(call["args"]["days"], int)
    assert call["args"]["days"] <= 9


def check_tools(seen: Seen) -> None:
    check_calls(seen["calls"])
    assert (seen["finish"], seen["text"]) == ("tool_calls", None)
    assert seen.get("finished", 1) == 1, "the helper of the SDK tells when the call is complete"


def check_result(seen: Seen) -> None:
    assert seen["text"]
    assert seen["finish"] in ENDS
    assert all(seen["prompt_tokens"])


def check_run_tools(seen: Seen) -> None:
    assert seen["called"]
    assert seen["text"]


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


def check_models(seen: Seen) -> None:
    assert seen == {"names": ["tiny", "tiny-embedding"], "name": MODEL}


def check_error_400(seen: Seen) -> None:
    told = {"param": "temperature", "reason": "decimal_above_max_value"}
    check_refusal(seen["refused"], 400, {"BadRequestError"}, **told)
    assert "Invalid 'temperature'" in seen["refused"]["message"]


def check_error_404(seen: Seen) -> None:
    check_refusal(seen["refused"], 404, {"NotFoundError"}, param="model", reason="model_not_found")


def check_response(seen: Seen) -> None:
    assert seen["text"]
    assert re.fullmatch(r"resp_[0-9a-f]{32}", seen["id"])
    assert (seen["model"], seen["object"], seen["status"]) == (MODEL, "response", "completed")
    assert seen["output"] == ["message"]
    assert all(seen["tokens"])
    assert seen["tokens"][2] == seen["tokens"][0] + seen["tokens"][1]


def check_response_stream(seen: Seen) -> None:
    assert seen["kinds"] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert seen["numbers"] == list(range(len(seen["numbers"])))
    assert seen["deltas"] == seen["last"] == seen["plain"]
    assert seen["status"] == "completed"


def check_response_helper(seen: Seen) -> None:
    assert seen["text"]
    assert seen["deltas"] == seen["text"]
    assert seen["status"] == "completed"


def check_response_incomplete(seen: Seen) -> None:
    assert (seen["status"], seen["reason"]) == ("incomplete", "max_output_tokens")
    assert seen["text"].startswith("[")


def check_response_image(seen: Seen) -> None:
    assert seen["text"]
    assert seen["tokens"][0] > seen["tokens"][1] > 0


def check_response_function(seen: Seen) -> None:
    assert seen["output"] == ["function_call"]
    assert seen["id"].startswith("fc_")
    check_calls([{**seen, "id": seen["call_id"]}])
    assert seen["text"]
    assert seen["chained"]
    assert all(seen["tokens"])


def check_response_stored(seen: Seen) -> None:
    assert seen["same"] == [True] * 3
    assert seen["metadata"] == {"mine": "yes"}
    assert seen["input"] == [["message", "user", "Hello"]]
    check_refusal(seen["gone"], 404, {"NotFoundError"}, param=None, reason=None)
    assert "not found" in seen["gone"]["message"]


def check_conversation(seen: Seen) -> None:
    assert seen["id"].startswith("conv_")
    assert seen["metadata"] == [{"mine": "yes"}, {"mine": "no"}, {"mine": "no"}]
    assert (seen["of_answer"], seen["added"], seen["left"]) == (True, True, True)
    first, second, answer, last = seen["items"]
    assert [first, second, last] == [
        ["message", "user", "My name is Ada."],
        ["message", "user", "Hello"],
        ["message", "user", "Who are you?"],
    ]
    assert answer[:2] == ["message", "assistant"]
    assert answer[2]
    check_refusal(seen["gone"], 404, {"NotFoundError"})


def check_files(seen: Seen) -> None:
    assert re.fullmatch(r"file-[A-Za-z0-9]+", seen["id"])
    assert (seen["same"], seen["listed"], seen["deleted"]) == (True, True, True)
    assert (seen["filename"], seen["purpose"], seen["object"]) == ("sky.txt", "user_data", "file")
    assert (seen["content"], seen["bytes"]) == ("The sky is green today.", 23)
    check_refusal(seen["gone"], 404, {"NotFoundError"})


def check_batch(seen: Seen) -> None:
    assert seen["id"].startswith("batch_")
    assert (seen["status"], seen["object"], seen["listed"]) == ("completed", "batch", True)
    assert seen["counts"] == [2, 2, 0]
    assert seen["lines"] == [["line-0", 200, None], ["line-1", 200, None]]
    assert all(seen["texts"])
    assert seen["texts"] == seen["alone"]


def check_moderation(seen: Seen) -> None:
    assert seen["flagged"] == [False]


TABLE: dict[str, Callable[[Seen], None]] = {
    "text": check_text,
    "stream": check_stream,
    "chat": check_chat,
    "system": check_more_prompt,
    "choices": check_choices,
    "image": check_more_prompt,
    "pdf": check_more_prompt,
    "schema": check_schema,
    "parsed": check_parsed,
    "tools": check_tools,
    "tools_stream": check_tools,
    "tool_result": check_result,
    "run_tools": check_run_tools,
    "logprobs": check_logprobs,
    "embed": check_embed,
    "models": check_models,
    "error_400": check_error_400,
    "error_400_stream": check_error_400,
    "error_404": check_error_404,
    "response": check_response,
    "response_stream": check_response_stream,
    "response_helper": check_response_helper,
    "response_incomplete": check_response_incomplete,
    "response_image": check_response_image,
    "response_function": check_response_function,
    "response_stored": check_response_stored,
    "response_refused": check_error_400,
    "conversation": check_conversation,
    "files": check_files,
    "batch": check_batch,
    "moderation": check_moderation,
}
ONLY = {"run_tools": {NODE}, "response_helper": {NODE}}
UNLIKE = {
    "parsed": "each SDK makes the schema from types of its own language",
    "run_tools": "one SDK has it",
    "response_helper": "one SDK has it",
    "logprobs": "of probabilities the last digits depend on what else the engine does",
    "embed": "of vectors the last digits depend on what else the engine does",
}
"""Cases in which the SDKs do not all see the same, and why."""

SORTED_BY_GO = {"stream", "schema", "response_function", "response_incomplete"}
"""Cases in which the SDK of Go alone asks for something else: it sorts the keys of schemas."""
OF_ONE_RUN = {"id", "ids", "call_id", "calls", "type", "message", "request_id", "numbers"}
"""What differs from run to run (ids) or from SDK to SDK (names and words of exceptions)."""

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


@pytest.mark.parametrize(
    ("sdk", "case"),
    [
        pytest.param(sdk, case, id=f"{sdk}-{case}")
        for sdk in (NODE, GO)
        for case in TABLE
        if case not in UNLIKE and not (sdk is GO and case in SORTED_BY_GO)
    ],
)
def test_every_sdk_gets_the_same_answer(seen_by: Callable[[Sdk], dict[str, Seen]], sdk: Sdk, case: str) -> None:
    assert lasting(seen_by(sdk)[case], OF_ONE_RUN) == lasting(seen_by(PYTHON)[case], OF_ONE_RUN)


@pytest.mark.parametrize("sdk", SDKS, ids=str)
def test_a_stream_that_breaks_is_never_taken_for_a_whole_one(
    start_server: Callable[[Settings], RunningServer], sdk: Sdk
) -> None:
    seen = break_stream(sdk, "openai_api", start_server(Settings(port=0, state="memory")))
    assert "error" not in seen, seen["error"]
    assert not seen["ended"]
    assert seen["refused"]["type"]
    assert "engine" in seen["refused"]["message"]
