"""The strict chat profile: what is refused, in which order, and what the engine gets."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.errors import BadRequest, EngineUnreachable, UnknownModel
from localaik.protocols.openai.chat import complete_chat
from localaik.protocols.openai.decode import Decoded, decode_chat
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.subset import FIELDS, check_header, in_subset, is_strict
from localaik.protocols.openai.types import ChatRequest
from localaik.settings import Settings
from tests.chat_face import ChatFace, Object, Reply, chat_face, said, user
from tests.openai_caller import serving

CHAT = "/v1/chat/completions"
STRICT = {"X-Localaik-Strict": "true"}
HI: Object = {"model": "tiny", "messages": [user("Hi")]}
PART: Object = {"type": "text", "text": "Hi"}

OTHERS: dict[str, object] = {
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "none",
    "response_format": {"type": "text"},
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "seed": 1,
    "include_thinking": True,
    "max_completion_tokens": 5,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "user": "u",
    "store": False,
    "metadata": {},
    "top_k": 1,
    "functions": [],
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "whatever": 0,
}
"""Fields outside the profile, with values that are right without it."""

FAULTS: list[tuple[Object, str, str]] = [
    ({"model": None}, "missing_required_parameter", "model"),
    ({"messages": None}, "missing_required_parameter", "messages"),
    ({"model": 1}, "invalid_type", "model"),
    ({"messages": "Hi"}, "invalid_type", "messages"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"stream": 1}, "invalid_type", "stream"),
    ({"stream": True, "stream_options": 1}, "invalid_type", "stream_options"),
    ({"stream": True, "stream_options": {"include_usage": 1}}, "invalid_type", "stream_options.include_usage"),
    (
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        "unsupported_feature",
        "stream_options.include_obfuscation",
    ),
    ({"stream_options": {}}, "invalid_value", "stream_options"),
    ({"stream": False, "stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    ({"temperature": True}, "invalid_type", "temperature"),
    ({"temperature": "1"}, "invalid_type", "temperature"),
    ({"temperature": -0.1}, "invalid_value", "temperature"),
    ({"temperature": 2.1}, "invalid_value", "temperature"),
    ({"top_p": False}, "invalid_type", "top_p"),
    ({"top_p": -0.1}, "invalid_value", "top_p"),
    ({"top_p": 1.1}, "invalid_value", "top_p"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"max_tokens": True}, "invalid_type", "max_tokens"),
    ({"max_tokens": 1.0}, "invalid_type", "max_tokens"),
    ({"stop": 1}, "invalid_type", "stop"),
    ({"stop": []}, "invalid_value", "stop"),
    ({"stop": list("abcde")}, "invalid_value", "stop"),
    ({"stop": ["a", 1]}, "invalid_type", "stop[1]"),
    ({"stop": ["a", ""]}, "invalid_value", "stop[1]"),
]
BAD_MESSAGES: list[tuple[object, str, str]] = [
    ("Hi", "invalid_type", ""),
    ({"content": "Hi"}, "missing_required_parameter", ".role"),
    ({"role": 1, "content": "Hi"}, "invalid_type", ".role"),
    (said("tool", "4", tool_call_id="c"), "unsupported_feature", ".role"),
    (said("function", "4", name="f"), "unsupported_feature", ".role"),
    (said("model", "Hi"), "unsupported_feature", ".role"),
    (said("user", "Hi", name="Bo"), "unsupported_feature", ".name"),
    (said("assistant", "Hi", tool_calls=[]), "unsupported_feature", ".tool_calls"),
    (said("assistant", None, refusal="No."), "unsupported_feature", ".refusal"),
    ({"role": "user"}, "missing_required_parameter", ".content"),
    (user(None), "invalid_value", ".content"),
    (said("assistant", None), "invalid_value", ".content"),
    (user(1), "invalid_type", ".content"),
    (user([]), "invalid_value", ".content"),
    (user(["Hi"]), "invalid_type", ".content[0]"),
    (user([PART, {"text": "Hi"}]), "missing_required_parameter", ".content[1].type"),
    (user([{"type": 1}]), "invalid_type", ".content[0].type"),
    (user([PART, {"type": "image_url", "image_url": {"url": "x"}}]), "unsupported_feature", ".content[1].type"),
    (user([{**PART, "cache_control": {}}]), "unsupported_feature", ".content[0].cache_control"),
    (user([{"type": "text"}]), "missing_required_parameter", ".content[0].text"),
    (user([{"type": "text", "text": 1}]), "invalid_type", ".content[0].text"),
]
GOOD: list[Object] = [
    {},
    {"temperature": 0, "top_p": 0},
    {"temperature": 2, "top_p": 1},
    {"temperature": 0.5, "max_tokens": 1, "stop": list("abcd")},
    {"stop": "."},
    {"stop": ["."]},
    {"stream": False},
    {"stream": True},
    {"stream": True, "stream_options": {}},
    {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": None}},
    {"messages": [said(role, "Hi") for role in ("system", "developer", "user", "assistant")]},
    {"messages": [user(""), user([PART, PART]), said("user", "Hi", name=None), user([{**PART, "more": None}])]},
    dict.fromkeys(OTHERS),
    dict.fromkeys(("stream", "stream_options", "temperature", "top_p", "max_tokens", "stop")),
]


def decoded(body: Object) -> Decoded:
    return decode_chat(read(ChatRequest, body), default_model="m", max_messages=0, max_tools=0, strict=True)


def fault(body: object) -> tuple[str | None, str | None]:
    with pytest.raises(BadRequest) as refused:
        in_subset(body)
    return refused.value.reason, refused.value.field


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_field_is_refused_by_its_name(name: str) -> None:
    assert fault({**HI, name: OTHERS[name]}) == ("unsupported_feature", name)


@pytest.mark.parametrize(("change", "reason", "field"), FAULTS)
def test_types_and_ranges(change: Object, reason: str, field: str) -> None:
    assert fault({**HI, **change}) == (reason, field)


@pytest.mark.parametrize(("message", "reason", "path"), BAD_MESSAGES)
def test_messages_are_named_by_their_index(message: object, reason: str, path: str) -> None:
    assert fault({**HI, "messages": [user("Hi"), message, 1]}) == (reason, f"messages[1]{path}")


@pytest.mark.parametrize("change", GOOD)
def test_what_is_in_the_profile_goes_on(change: Object) -> None:
    admitted = in_subset({**HI, **change})
    expected = {"temperature": 1, "top_p": 1, **HI}
    assert admitted == expected | {name: value for name, value in change.items() if value is not None}
    decoded(admitted)  # nothing in it is unknown, or wrong, to the API


@pytest.mark.parametrize("body", [None, [], "Hi", 1])
def test_no_object(body: object) -> None:
    assert fault(body) == ("invalid_json", None)


def test_the_first_fault_is_told() -> None:
    assert fault({}) == ("missing_required_parameter", "model")
    body: Object = {
        "stop": [],
        "seed": 1,
        "temperature": 3,
        "n": 1,
        "model": None,
        "messages": [said("tool", ""), user(None)],
        "stream": 1,
    }
    order = ["seed", "n", "model", "stream", "temperature", "stop", "messages[0].role", "messages[1].content"]
    repairs: list[Object] = [
        {"seed": None},
        {"n": None},
        {"model": "m"},
        {"stream": None},
        {"temperature": 2},
        {"stop": "."},
        {"messages": [user(""), user(None)]},
    ]
    found = [fault(body)[1]]
    for repair in repairs:
        body |= repair
        found.append(fault(body)[1])
    assert found == order


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "tool"]) | JSON},
        optional={"content": JSON | st.just([PART]), "name": st.none() | st.just("x")},
    )
    | JSON,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {"model": st.just("m") | JSON, "messages": MESSAGES | JSON}, optional=dict.fromkeys((*FIELDS[2:], "n"), JSON)
    )
    | JSON
)
def test_any_json_is_admitted_or_a_clear_refusal(body: object) -> None:
    """And what is admitted is a request of the API."""
    fault: BadRequest | None = None
    try:
        decoded(in_subset(body))
    except BadRequest as error:
        fault = error
        with pytest.raises(BadRequest):  # not only the API refuses it
            in_subset(body)
    if fault is not None and isinstance(body, dict):
        assert fault.field is not None
        assert any(fault.field.startswith(name) for name in (*body, *FIELDS))


def test_the_header_selects_and_never_relaxes() -> None:
    for said_so, strict in [("true", True), (" TRUE ", True), ("false", False), ("", False)]:
        headers = {"X-Localaik-Strict": said_so}
        check_header(headers)
        assert is_strict("passthrough", headers) is strict
        assert is_strict("subset", headers)
    with pytest.raises(BadRequest) as refused:
        check_header({"X-Localaik-Strict": "yes"})
    assert (refused.value.reason, refused.value.field) == ("invalid_value", "X-Localaik-Strict")


def test_strict_names_by_the_profile() -> None:
    for profile, given_value, strict in [
        ("passthrough", None, False),
        ("subset", None, True),
        ("subset", False, False),
        ("passthrough", True, True),
    ]:
        loaded = Settings.model_validate({"chat_profile": profile, "strict_models": given_value})
        assert loaded.names_are_strict is strict


# Over the wire


@pytest.fixture
async def face() -> AsyncIterator[ChatFace]:
    async with chat_face() as one:
        yield one


async def refused(face: ChatFace, body: object, status: int = 400, path: str = CHAT, **headers: str) -> Object:
    sent = {**STRICT, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with face.request("POST", path, body, sent) as answer:
        assert answer.status == status, await answer.text()
        error: Object = orjson.loads(await answer.read())["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return error


async def test_a_refused_request_reaches_no_engine(face: ChatFace, monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(_texts: object) -> list[int]:
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(face.engine, "count_texts", count)
    session = await face.new_session()
    for change, code, param in FAULTS:
        error = await refused(face, {**HI, **change})
        assert (error["code"], error["param"], error["type"]) == (code, param, "invalid_request_error")
    for name, value in OTHERS.items():
        assert (await refused(face, {**HI, name: value}, X_Session_Id=session))["param"] == name
    assert (await refused(face, HI, X_Localaik_Strict="1"))["param"] == "X-Localaik-Strict"
    assert face.engine.calls == []


async def test_the_same_requests_pass_without_the_profile(face: ChatFace) -> None:
    for name, value in OTHERS.items():
        if name not in {"functions", "tool_choice", "top_logprobs"}:  # which are wrong alone, or empty
            await face.ask("POST", CHAT, {**HI, name: value})
    for message in (said("user", "Hi", name="Bo"), said("assistant", None, refusal="No.")):
        await face.chat(user("Hi"), message, model="any", seed=1, temperature=2, stop=list("abcd"))
    assert face.engine.calls[-1].seed == 1
    assert [call.extra.get("whatever") for call in face.engine.calls].count(0) == 1


async def test_the_defaults_reach_the_engine_in_the_profile_alone(face: ChatFace) -> None:
    for headers, sampling in [(STRICT, (1, 1)), ({}, (None, None)), ({"X-Localaik-Strict": "false"}, (None, None))]:
        async with face.request("POST", CHAT, HI, headers) as answer:
            assert answer.status == 200
        asked = face.engine.calls[-1].sampling
        assert (asked.get("temperature"), asked.get("top_p")) == sampling
    async with face.request("POST", CHAT, {**HI, "temperature": 0, "top_p": 0.5}, STRICT) as answer:
        assert answer.status == 200
    assert face.engine.calls[-1].sampling == {"temperature": 0, "top_p": 0.5}


async def test_developers_are_the_system_to_the_engine(face: ChatFace) -> None:
    turns = [said("developer", "One."), said("system", "Two."), user([PART, PART]), said("developer", "Three.")]
    async with face.request("POST", CHAT, {**HI, "messages": turns}, STRICT) as answer:
        assert answer.status == 200
    assert {role for role, _ in face.prompt()} <= {"system", "user"}
    asked = "\n".join(str(content) for _, content in face.prompt())
    places = [asked.index(text) for text in ("One.", "Two.", "Hi\nHi", "Three.")]
    assert places == sorted(places)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("include_usage", [True, False, None])
async def test_one_usage_chunk_where_it_is_asked_for(face: ChatFace, counts: bool, include_usage: bool | None) -> None:
    reply = Reply(["Hel", "lo"], usage=counts)
    face.replies += [reply, reply]
    async with face.request("POST", CHAT, HI, STRICT) as answer:
        usage = orjson.loads(await answer.read())["usage"]
    body = {**HI, "stream": True, "stream_options": {"include_usage": include_usage}}
    async with face.request("POST", CHAT, body, STRICT) as answer:
        *frames, done, rest = (await answer.text()).split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [orjson.loads(frame.removeprefix("data: ")) for frame in frames]
    if include_usage:
        *chunks, last = chunks
        assert (last["choices"], last["usage"]) == ([], usage)
        assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= usage.keys()
    for chunk in chunks:
        assert len(chunk["choices"]) == 1
        assert ("usage" in chunk) is bool(include_usage)
        assert chunk.get("usage") is None


async def test_a_cut_stream_never_looks_whole(face: ChatFace, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [
        (EngineUnreachable("The engine died."), "upstream_unreachable"),
        (ValueError("canary"), "internal_error"),
    ]
    for error, code in faults:

        class Dying:
            """Some text, and then a fault."""

            def __init__(self, error: Exception) -> None:
                self.left: list[object] = [*Reply(["Hel"]).news()[:2], error]

            async def read(self) -> object:
                step = self.left.pop(0)
                if isinstance(step, Exception):
                    raise step
                return step

            def close(self) -> None:
                return

        async def opened(_call: object, dying: Dying = Dying(error)) -> Dying:  # noqa: B008 - one for each round
            return dying

        monkeypatch.setattr(face.engine, "open", opened)
        body = {**HI, "stream": True, "stream_options": {"include_usage": True}}
        async with face.request("POST", CHAT, body, STRICT) as answer:
            text = await answer.text()
        last = orjson.loads(text.rstrip().rpartition("data: ")[2])
        assert last["error"]["code"] == code
        assert "[DONE]" not in text
        assert "canary" not in text


async def test_names_must_be_listed(face: ChatFace) -> None:
    error = await refused(face, {**HI, "model": "gpt-4o"}, 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert face.engine.calls == []
    assert (await face.chat(user("Hi"), model="gpt-4o"))["model"] == "gpt-4o"
    async with chat_face(strict_models=False, chat_profile="subset") as lenient:
        assert (await lenient.chat(user("Hi"), model="gpt-4o"))["model"] == "gpt-4o"


async def test_a_server_that_runs_the_profile(face: ChatFace) -> None:
    async with chat_face(chat_profile="subset") as strict:
        error = await strict.chat(user("Hi"), model="tiny", n=1, status=400)
        assert (error["code"], error["param"]) == ("unsupported_feature", "n")
        relaxed = await refused(strict, {**HI, "n": 1}, X_Localaik_Strict="false")
        assert relaxed["code"] == "unsupported_feature"
        session = await strict.new_session()
        assert (await strict.chat(user("Hi"), session=session, status=400))["param"] == "model"
        await strict.chat(said("developer", "Be brief."), user("Hi"), model="tiny", session=session)
        await strict.chat(user("Bye"), model="tiny", session=session)
        assert [message["role"] for message in await strict.messages(session)][:2] == ["developer", "user"]
        assert len(strict.prompt()) == 4
        assert strict.engine.calls[-1].sampling == {"temperature": 1, "top_p": 1}


async def test_requests_of_batches_are_held_to_the_profile(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_profile="subset") as caller:
        lines: list[tuple[Object, str | None]] = [
            ({"n": 1}, "n"),
            ({"model": None}, "model"),
            ({"messages": [said("tool", "")]}, None),
        ]
        for change, field in lines:
            with pytest.raises(BadRequest) as refused_line:
                await complete_chat(caller.services, {**HI, **change})
            assert refused_line.value.field == (field or "messages[0].role")
        with pytest.raises(UnknownModel):
            await complete_chat(caller.services, HI)


async def test_faults_that_are_not_the_requests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile, strict in [("passthrough", False), ("subset", True)]:
        async with chat_face(chat_profile=profile, api_key="key", surfaces="openai-chat") as face:
            for headers, is_held in [({}, strict), (STRICT, True), ({"X-Localaik-Strict": "false"}, strict)]:
                got = await codes(face, headers)
                if is_held:
                    assert got == [
                        (401, "unauthorized", "authentication_error"),
                        (401, "unauthorized", "authentication_error"),
                        (404, "not_found", "invalid_request_error"),
                    ]
                else:
                    assert [code for _, code, _ in got] == ["invalid_api_key", "invalid_api_key", "unknown_url"]
            with_key = {"x-api-key": "key"}
            monkeypatch.setattr(face.engine, "open", None)
            for headers, code in [
                (with_key, "internal_error" if strict else None),
                (with_key | STRICT, "internal_error"),
            ]:
                async with face.request("POST", CHAT, HI, headers) as answer:
                    assert answer.status == 500
                    error = orjson.loads(await answer.read())["error"]
                assert (error["code"], error["type"]) == (code, "server_error")


async def codes(face: ChatFace, headers: dict[str, str]) -> list[tuple[int, str, str]]:
    """What a wrong key, no key, and a path that is switched off come to: status, code, type."""
    asked = [(CHAT, {"x-api-key": "wrong"}), (CHAT, {}), ("/v1/embeddings", {"x-api-key": "key"})]
    found = []
    for path, key in asked:
        async with face.request("POST", path, b"not looked at", {**headers, **key}) as answer:
            error = orjson.loads(await answer.read())["error"]
            found.append((answer.status, error["code"], error["type"]))
    return found
