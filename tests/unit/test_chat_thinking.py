"""`include_thinking`, `reasoning_effort` and what clients of eGemma read, in both forms of an answer."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from localaik.engine.capabilities import UNKNOWN
from tests.chat_face import CAPABILITIES, ChatFace, Object, Reply, chat_face, deltas, message_of, said, user

REASONING = replace(CAPABILITIES, chat_template="{% if enable_thinking %}<think>{% endif %}")
PLAIN = replace(UNKNOWN, context_tokens=1000)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.fixture
async def face() -> AsyncIterator[ChatFace]:
    async with chat_face(capabilities=REASONING) as one:
        yield one


def folded(frames: list[Object], index: int = 0) -> Object:
    """What the texts of a stream's choice add up to."""
    names = ("reasoning_content", "thinking", "content")
    return {name: "".join(texts) for name in names if (texts := deltas(frames, name, index))}


def told(message: Object) -> Object:
    return {name: message[name] for name in ("reasoning_content", "thinking", "content") if message.get(name)}


@pytest.mark.parametrize("asked", [True, False, None])
@pytest.mark.parametrize(
    ("capabilities", "reply", "thoughts", "text"),
    [
        (REASONING, Reply(("Y", "es"), thoughts=("Hm", ", ", "\n\n")), "Hm, \n\n", "Yes"),
        (REASONING, Reply(("Y", "es")), None, "Yes"),
        (PLAIN, Reply(("<thi", "nk>Hm", ", </think>", "Yes")), "Hm, ", "Yes"),
        (
            PLAIN,
            Reply(("<|channel|>analysis<|message|>Hm, <|end|><|start|>assistant<|channel|>final<|message|>Yes",)),
            "Hm, ",
            "Yes",
        ),
        (PLAIN, Reply(("Yes",)), None, "Yes"),
    ],
)
async def test_w07_thinking_is_there_exactly_when_it_is_due(
    capabilities: object, reply: Reply, thoughts: str | None, text: str, asked: bool | None
) -> None:
    async with chat_face(capabilities=capabilities) as face:  # type: ignore[arg-type]
        face.replies += [reply, reply]
        message = message_of(await face.chat(user("Hi"), include_thinking=asked))
        frames = await face.frames(user("Hi"), include_thinking=asked)
        expected: Object = {"content": text}
        if thoughts is not None:
            expected |= {"reasoning_content": thoughts, **({"thinking": thoughts} if asked else {})}
        assert told(message) == folded(frames) == expected
        assert "thinking" not in message or message["thinking"]
        assert all("include_thinking" not in call.extra for call in face.engine.calls)


async def test_w07_thoughts_are_streamed_piece_by_piece_before_all_else(face: ChatFace) -> None:
    face.replies.append(Reply(("Yes",), thoughts=("Hm", " ", "so"), calls=[("f", "{}")], finish="tool_calls"))
    frames = await face.frames(user("Hi"), include_thinking=True, tools=[TOOL])
    assert deltas(frames, "thinking") == ["Hm", " ", "so"]
    kinds = [name for frame in frames for name in _kinds(frame)]
    assert kinds == ["thinking"] * 3 + ["content"] + ["tool_calls"] * (len(kinds) - 4)


def _kinds(frame: Object) -> list[str]:
    (choice,) = frame["choices"]  # type: ignore[misc]
    kinds = [name for name in ("thinking", "content", "tool_calls") if choice["delta"].get(name)]
    assert len(kinds) <= 1
    return kinds


async def test_w02_each_choice_has_its_own_thoughts(face: ChatFace) -> None:
    face.replies += [Reply((text,), thoughts=(f"thoughts of {text}",)) for text in ("A", "B")]
    completion = await face.chat(user("Hi"), include_thinking=True, n=2)
    for index in range(2):
        message = message_of(completion, index)
        assert message["thinking"] == f"thoughts of {message['content']}"


async def test_w02_cut_while_thinking(face: ChatFace) -> None:
    cut = Reply((), thoughts=("Hm",), finish="length")
    face.replies += [cut, cut]
    completion = await face.chat(user("Hi"), include_thinking=True, max_tokens=1)
    message = message_of(completion)
    assert (message["thinking"], message["content"]) == ("Hm", "")
    assert completion["choices"][0]["finish_reason"] == "length"  # type: ignore[index]
    frames = await face.frames(user("Hi"), include_thinking=True, max_tokens=1)
    assert folded(frames) == {"reasoning_content": "Hm", "thinking": "Hm"}


async def test_w02_thoughts_beside_calls(face: ChatFace) -> None:
    face.replies.append(Reply((), thoughts=("Hm",), calls=[("f", "{}")], finish="tool_calls"))
    message = message_of(await face.chat(user("Hi"), include_thinking=True, tools=[TOOL]))
    assert (message["thinking"], message["content"], len(message["tool_calls"])) == ("Hm", None, 1)  # type: ignore[arg-type]


async def test_a_model_that_does_not_reason_thinks_in_a_pass_of_its_own() -> None:
    async with chat_face() as face:
        face.replies += [Reply(("Hm.",)), Reply(("Yes",))]
        assert told(message_of(await face.chat(user("Hi"), include_thinking=True))) == {
            "reasoning_content": "Hm.",
            "thinking": "Hm.",
            "content": "Yes",
        }
        for off in ({}, {"include_thinking": False}, {"include_thinking": True, "reasoning_effort": "none"}):
            face.replies.append(Reply(("Yes",)))
            assert told(message_of(await face.chat(user("Hi"), **off))) == {"content": "Yes"}
        assert len(face.engine.calls) == 5


async def test_a_model_that_reasons_against_expectation_is_not_asked_for_thoughts_of_thoughts() -> None:
    async with chat_face() as face:
        face.replies += [Reply(("Asked to think.",), thoughts=("About thinking.",)), Reply(("Yes",), thoughts=("Hm.",))]
        completion = await face.chat(user("Hi"), include_thinking=True)
        assert told(message_of(completion)) == {"reasoning_content": "Hm.", "thinking": "Hm.", "content": "Yes"}
        assert completion["usage"]["completion_tokens"] == 2  # type: ignore[index]
        assert face.prompt() == [("user", "Hi")]


async def test_a_message_with_thoughts_may_be_sent_back(face: ChatFace) -> None:
    face.replies.append(Reply(("Yes",), thoughts=("Hm",)))
    message = message_of(await face.chat(user("Hi"), include_thinking=True))
    async with face.request("POST", "/v1/chat/completions", {"messages": [user("Hi"), message, user("So?")]}) as answer:
        assert (answer.status, answer.headers.get("x-localaik-ignored")) == (200, None)
    assert "Hm" not in str(face.prompt())


@pytest.mark.parametrize(
    ("capabilities", "effort", "options", "ignored"),
    [
        (REASONING, "low", None, "reasoning_effort"),
        (REASONING, "none", {"enable_thinking": False}, None),
        (
            replace(REASONING, template_caps={"supports_reasoning_effort": True}),
            "high",
            {"reasoning_effort": "high"},
            None,
        ),
        (CAPABILITIES, "high", None, "reasoning_effort"),
        (CAPABILITIES, "none", None, None),
        (PLAIN, "none", None, "reasoning_effort"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_w03_effort_goes_where_the_template_takes_it_and_else_is_named(
    capabilities: object, effort: str, options: Object | None, ignored: str | None, stream: bool
) -> None:
    async with chat_face(capabilities=capabilities) as face:  # type: ignore[arg-type]
        body = {"messages": [user("Hi")], "reasoning_effort": effort, "stream": stream}
        async with face.request("POST", "/v1/chat/completions", body) as answer:
            assert (answer.status, answer.headers.get("x-localaik-ignored")) == (200, ignored)
            await answer.read()
        assert face.engine.calls[0].extra.get("chat_template_kwargs") == options


async def test_w12_messages_without_calls_say_so_for_clients_of_egemma() -> None:
    async with chat_face(egemma_compat=True) as face:
        assert message_of(await face.chat(user("Hi")))["tool_calls"] is None
        face.replies.append(Reply((), calls=[("f", "{}")], finish="tool_calls"))
        assert len(message_of(await face.chat(user("Hi"), tools=[TOOL]))["tool_calls"]) == 1  # type: ignore[arg-type]
    async with chat_face() as face:
        assert "tool_calls" not in message_of(await face.chat(user("Hi")))


async def test_w10_pieces_join_to_the_text(face: ChatFace) -> None:
    face.replies.append(Reply(("Hello", "\n\n", " world")))
    assert deltas(await face.frames(user("Hi")), "content") == ["Hello", "\n\n", " world"]


async def test_w11_what_is_sent_reaches_the_engine_and_nothing_else(face: ChatFace) -> None:
    completion = await face.chat(
        said("developer", "Be brief."), user("Hi"), top_p=0.5, presence_penalty=1, frequency_penalty=-1, stop=["x"]
    )
    call = face.engine.calls[0]
    assert call.sampling == {"top_p": 0.5, "presence_penalty": 1, "frequency_penalty": -1}
    assert (list(call.stop), completion["model"]) == (["x"], "tiny")
    assert "Be brief." in str(face.prompt())
    await face.chat(user("Hi"))
    assert face.engine.calls[1].sampling == {}


async def test_w12_the_limit_is_told_and_a_natural_end_is_not(face: ChatFace) -> None:
    face.replies += [Reply(("a",), finish="length"), Reply(("a",))]
    for reason in ("length", "stop"):
        completion = await face.chat(user("Hi"), max_tokens=5)
        assert completion["choices"][0]["finish_reason"] == reason  # type: ignore[index]
