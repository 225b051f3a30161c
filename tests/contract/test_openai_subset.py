"""The strict chat profile as the official SDK meets it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.fake_engine import ScriptedEngine

STRICT = {"X-Localaik-Strict": "true"}
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
REFUSED: list[tuple[Mapping[str, Any], str, str]] = [
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_feature", "tools"),
    ({"response_format": {"type": "json_object"}}, "unsupported_feature", "response_format"),
    ({"n": 2}, "unsupported_feature", "n"),
    ({"seed": 1}, "unsupported_feature", "seed"),
    ({"logprobs": True}, "unsupported_feature", "logprobs"),
    ({"extra_body": {"include_thinking": True}}, "unsupported_feature", "include_thinking"),
    ({"temperature": 2.1}, "invalid_value", "temperature"),
    ({"extra_body": {"temperature": True}}, "invalid_type", "temperature"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"stop": list("abcde")}, "invalid_value", "stop"),
    ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
    (
        {"messages": [*HELLO, {"role": "tool", "tool_call_id": "c", "content": "4"}]},
        "unsupported_feature",
        "messages[1].role",
    ),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, "unsupported_feature", "messages[0].content[0].type"),
]


@pytest.fixture
def client(server: RunningServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


def test_the_sdk_raises_its_error_with_code_and_param(client: OpenAI) -> None:
    name = client.models.list().data[0].id
    for change, code, param in REFUSED:
        body: dict[str, Any] = {"model": name, "messages": HELLO, **change}
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(**body, extra_headers=STRICT)
        assert (refused.value.code, refused.value.param) == (code, param)
        assert refused.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers=STRICT)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")


def test_a_stream_counts_what_a_plain_answer_counts(client: OpenAI) -> None:
    body: dict[str, Any] = {
        "model": client.models.list().data[0].id,
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "system", "content": "Please."}, *HELLO],
        "max_tokens": 4,
        "extra_headers": STRICT,
    }
    whole = client.chat.completions.create(**body)
    chunks = list(client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    quiet = list(client.chat.completions.create(**body, stream=True))
    assert not any("usage" in chunk.model_fields_set for chunk in quiet)


async def test_a_strict_server_asks_its_engine_for_admitted_requests_alone(
    start_server: Callable[[Settings], RunningServer],
) -> None:
    async with ScriptedEngine() as engine:
        settings = Settings(
            port=0, state="memory", chat_profile="subset", api_key="key", model_id="m", upstream=engine.url
        )
        running = await asyncio.to_thread(start_server, settings)
        before = len(engine.requests)
        async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="key", max_retries=0) as one:
            for change, code, param in REFUSED:
                body: dict[str, Any] = {"model": "m", "messages": HELLO, **change}
                with pytest.raises(openai.BadRequestError) as refused:
                    await one.chat.completions.create(**body, extra_headers={"X-Localaik-Strict": "false"})
                assert (refused.value.code, refused.value.param) == (code, param)
            with pytest.raises(openai.NotFoundError):
                await one.chat.completions.create(model="gpt-4o", messages=HELLO)
            assert len(engine.requests) == before
            turns: list[ChatCompletionMessageParam] = [
                {"role": "system", "content": "One."},
                {"role": "developer", "content": "Two."},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            ]
            await one.chat.completions.create(model="m", messages=turns)
        (call,) = engine.calls
        assert (call.body["temperature"], call.body["top_p"]) == (1, 1)
        asked = call.body["messages"]
        assert isinstance(asked, list)
        assert {turn["role"] for turn in asked} == {"system", "user"}
        assert "\n".join(turn["content"] for turn in asked).split() == ["One.", "Two.", "a", "b"]
        async with AsyncOpenAI(base_url=f"{running.url}/v1", api_key="wrong", max_retries=0) as stranger:
            with pytest.raises(openai.AuthenticationError) as closed:
                await stranger.chat.completions.create(model="m", messages=HELLO)
            assert closed.value.code == "unauthorized"
            with pytest.raises(openai.AuthenticationError) as closed:
                await stranger.models.list()
            assert closed.value.code == "invalid_api_key"
        await asyncio.to_thread(running.stop)


async def test_the_profile_holds_beside_gemini_too(http: aiohttp.ClientSession) -> None:
    body: dict[str, Any] = {"model": "models/tiny", "messages": HELLO, "max_tokens": 2}
    google = {"google": {"thinking_config": {"include_thoughts": True}}}
    for change, status in [({}, 200), (google, 400), ({"extra_body": google}, 400)]:
        async with http.post("/v1beta/openai/chat/completions", json={**body, **change}, headers=STRICT) as answer:
            told = await answer.text()
            assert answer.status == status, told
            assert status == 200 or f"'{next(iter(change))}' is not supported in the strict chat profile" in told
