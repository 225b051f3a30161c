"""Sessions and stored completions with the official SDK against the real server and engine."""

from collections.abc import Iterator

import aiohttp
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.contract.conftest import RunningServer

MODEL = "gpt-4o-mini"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(server: RunningServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


@pytest.mark.parametrize("stream", [False, True])
async def test_w13_a_session_grows_by_what_is_said(client: OpenAI, http: aiohttp.ClientSession, stream: bool) -> None:
    async with http.post("/v1/sessions", json={}) as answer:
        made = await answer.json()
    session = {"X-Session-Id": made["session_id"]}
    told: list[str] = []
    prompts: list[int] = []
    for text in ("My name is Ada.", "What is my name?"):
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": text}]
        if stream:
            chunks = list(
                client.chat.completions.create(
                    model=MODEL,
                    messages=messages,
                    max_tokens=8,
                    stream=True,
                    stream_options={"include_usage": True},
                    extra_headers=session,
                )
            )
            told.append("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))
            usage = chunks[-1].usage
        else:
            completion = client.chat.completions.create(
                model=MODEL, messages=messages, max_tokens=8, extra_headers=session
            )
            told.append(completion.choices[0].message.content or "")
            usage = completion.usage
        assert usage is not None
        prompts.append(usage.prompt_tokens)
    assert prompts[1] > prompts[0]
    async with http.get(f"/v1/sessions/{made['session_id']}/messages") as answer:
        kept = await answer.json()
    assert [message["content"] for message in kept["messages"]] == [
        "My name is Ada.",
        told[0],
        "What is my name?",
        told[1],
    ]
    async with http.get(f"/v1/sessions/{made['session_id']}") as answer:
        stats = await answer.json()
    assert stats["max_context"] == made["max_context"] > 0
    # Each message counts its text and four tokens; the template's own words take about as much.
    assert abs(stats["token_count"] - prompts[1]) < 30


def test_w15_an_unknown_session_is_an_error_of_the_sdk(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers={"X-Session-Id": "sess_0123456789ab"})
    assert refused.value.code == "session_not_found"


async def test_w19_texts_and_messages_are_counted_by_the_engine(client: OpenAI, http: aiohttp.ClientSession) -> None:
    url = "/v1/sessions/count-tokens"
    async with http.post(url, json={"text": "Hello world, this is a test."}) as answer:
        counted = await answer.json()
    assert counted.keys() == {"text_length", "token_count"}
    assert counted["text_length"] == 28
    assert 1 < counted["token_count"] <= 28
    async with http.post(url, params={"text": "Hello world, this is a test."}) as answer:
        assert await answer.json() == counted
    async with http.post(url, json={"text": "<start_of_turn>"}) as answer:
        assert (await answer.json())["token_count"] > 1  # text, and no special token
    async with http.post(url, json={"messages": HELLO}) as answer:
        of_messages = await answer.json()
    usage = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1).usage
    assert usage is not None
    assert of_messages == {"text_length": 5, "token_count": usage.prompt_tokens}


def test_stored_completions_are_listed_told_tagged_and_deleted(client: OpenAI) -> None:
    completions = client.chat.completions
    for stream in (False, True):
        asked = completions.create(
            model=MODEL, messages=HELLO, max_tokens=4, store=True, metadata={"run": "stored"}, stream=stream
        )
        if stream:
            list(asked)  # type: ignore[call-overload]
    whole, streamed = completions.list(metadata={"run": "stored"})
    assert whole.choices == streamed.choices
    assert completions.retrieve(whole.id) == whole
    (message,) = completions.messages.list(whole.id)
    assert (message.id, message.content) == (f"{whole.id}-0", "Hello")
    assert completions.update(whole.id, metadata={"run": "other"}).id == whole.id
    assert [one.id for one in completions.list(metadata={"run": "stored"})] == [streamed.id]
    for one in (whole, streamed):
        assert completions.delete(one.id).deleted
        with pytest.raises(openai.NotFoundError):
            completions.retrieve(one.id)


def test_w02_thinking_is_shown_on_request(client: OpenAI) -> None:
    shown = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=40, extra_body={"include_thinking": True}
    )
    message = shown.choices[0].message
    assert message.model_extra
    assert message.model_extra["thinking"] == message.model_extra["reasoning_content"]
    assert shown.usage is not None
    assert shown.usage.completion_tokens_details is not None
    assert shown.usage.completion_tokens_details.reasoning_tokens
    plain = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=4)
    assert "thinking" not in (plain.choices[0].message.model_extra or {})
