"""Rate limits and full queues with real servers: what the official SDKs make of refusals."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import aiohttp
import openai
import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.fake_engine import Answer, ScriptedEngine

MODEL = "gemini-2.5-flash"
HI: Any = [{"role": "user", "content": "Hi"}]
SHORT = types.GenerateContentConfig(max_output_tokens=2)
PERIOD = 3600
GUARD_SECONDS = 60

_addresses = count(1)


@pytest.fixture(scope="module")
def limited() -> Iterator[RunningServer]:
    """A server that takes two chats and one embedding of each client, and believes its proxy."""
    settings = Settings(
        port=0,
        state="memory",
        rate_limits=f"chat=2/{PERIOD},embed=1/{PERIOD},conversation=1/{PERIOD}",
        trusted_proxies="127.0.0.1",
    )
    running = RunningServer(settings).start()
    yield running
    running.stop()


@pytest.fixture
def me() -> dict[str, str]:
    """The header of a client of the test's own."""
    return {"X-Forwarded-For": f"198.51.100.{next(_addresses)}"}


def openai_at(server: RunningServer, headers: dict[str, str], path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=server.url + path, max_retries=0, default_headers=headers)


def gemini_at(server: RunningServer, headers: dict[str, str]) -> genai.Client:
    options = types.HttpOptions(base_url=server.url, timeout=120_000, headers=headers)
    return genai.Client(api_key="k", http_options=options)


def seconds_told(text: str) -> int:
    """The number of seconds in a message."""
    assert text.startswith("Rate limit exceeded. Try again in ")
    return int(text.removesuffix(" seconds.").rpartition(" ")[2])


@pytest.mark.parametrize("stream", [False, True])
def test_openais_sdk_is_told_how_long_to_wait(limited: RunningServer, me: dict[str, str], stream: bool) -> None:
    with openai_at(limited, me) as client:
        for left in ("1", "0"):
            raw = client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=HI, max_tokens=2, stream=stream
            )
            assert raw.headers["x-ratelimit-limit-requests"] == "2"
            assert raw.headers["x-ratelimit-remaining-requests"] == left
            assert raw.headers["x-ratelimit-reset-requests"] == "1h0m0s"
            raw.http_response.read()
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=2, stream=stream)
    error: Any = refused.value.body
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert error["limit"] == {"bucket": "chat", "calls": 2, "seconds": PERIOD}
    wait = refused.value.response.headers["retry-after"]
    assert 0 < int(wait) == seconds_told(error["message"]) <= PERIOD


def test_geminis_sdk_is_told_how_long_to_wait(limited: RunningServer, me: dict[str, str]) -> None:
    with gemini_at(limited, me) as client:
        assert client.models.generate_content(model=MODEL, contents="Hi", config=SHORT).text
        assert [chunk.text for chunk in client.models.generate_content_stream(model=MODEL, contents="Hi", config=SHORT)]
        for _ in range(2):
            with pytest.raises(errors.ClientError) as refused:
                client.models.generate_content(model=MODEL, contents="Hi", config=SHORT)
            assert (refused.value.code, refused.value.status) == (429, "RESOURCE_EXHAUSTED")
        with pytest.raises(errors.ClientError):
            list(client.models.generate_content_stream(model=MODEL, contents="Hi", config=SHORT))
        assert client.models.count_tokens(model=MODEL, contents="Hi").total_tokens
    (info,) = [each for each in refused.value.details["error"]["details"] if each["@type"].endswith("RetryInfo")]
    assert info["retryDelay"] == f"{seconds_told(refused.value.message or '')}s"


def test_openais_sdk_is_refused_beside_gemini(limited: RunningServer, me: dict[str, str]) -> None:
    with openai_at(limited, me, "/v1beta/openai") as client:
        client.embeddings.create(model="text-embedding-004", input="Hi")
        with pytest.raises(openai.RateLimitError) as refused:
            client.embeddings.create(model="text-embedding-004", input="Hi")
    assert int(refused.value.response.headers["retry-after"]) > 0


def test_buckets_and_clients_do_not_see_each_other(limited: RunningServer, me: dict[str, str]) -> None:
    with openai_at(limited, me) as client, gemini_at(limited, me) as google:
        client.embeddings.create(model="m", input="Hi")
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="m", input="Hi")
        with pytest.raises(errors.ClientError, match="RESOURCE_EXHAUSTED"):
            google.models.embed_content(model="text-embedding-004", contents="Hi")
        assert client.conversations.create().id
        with pytest.raises(openai.RateLimitError):
            client.conversations.create()
        answer = client.responses.create(model="m", input="Hi", max_output_tokens=16)
        assert google.models.generate_content(model=MODEL, contents="Hi", config=SHORT).text
        with pytest.raises(openai.RateLimitError):
            client.responses.create(model="m", input="Hi", max_output_tokens=16)
        assert client.responses.retrieve(answer.id).id == answer.id
    with openai_at(limited, {"X-Forwarded-For": "203.0.113.1"}) as other:
        other.embeddings.create(model="m", input="Hi")


async def test_requests_on_a_websocket_count_one_by_one(limited: RunningServer, me: dict[str, str]) -> None:
    ask = {"type": "response.create", "model": "m", "input": "Hi", "max_output_tokens": 16}
    async with aiohttp.ClientSession(limited.url, headers=me) as http, asyncio.timeout(GUARD_SECONDS):
        async with http.ws_connect("/v1/responses") as socket:
            for last in ("response.completed", "response.completed", "error"):
                await socket.send_json(ask)
                event = await socket.receive_json()
                while event["type"] not in {"error", "response.completed", "response.incomplete"}:
                    event = await socket.receive_json()
                assert event["type"].replace("incomplete", "completed") == last
        assert (event["status"], event["error"]["code"]) == (429, "rate_limit_exceeded")
        async with http.post("/v1/chat/completions", json={"model": "m", "messages": HI}) as answer:
            assert answer.status == 429


def test_whoever_waits_as_told_gets_through(start_server: Any) -> None:
    running = start_server(Settings(port=0, state="memory", rate_limits="chat=1/1"))
    with openai_at(running, {}) as client:
        client.chat.completions.create(model="m", messages=HI, max_tokens=2)
        began = time.monotonic()
        patient = client.with_options(max_retries=1)
        patient.chat.completions.create(model="m", messages=HI, max_tokens=2)  # the SDK waits by itself
        assert time.monotonic() - began < GUARD_SECONDS


async def test_a_full_queue_is_told_by_every_api_and_when_to_come_again() -> None:
    path_bodies = {
        "/v1/chat/completions": {"model": "m", "messages": HI},
        "/v1/completions": {"model": "m", "prompt": "Hi"},
        "/v1/responses": {"model": "m", "input": "Hi"},
        f"/v1beta/models/{MODEL}:generateContent": {"contents": [{"parts": [{"text": "Hi"}]}]},
        "/v1beta/openai/chat/completions": {"model": "m", "messages": HI},
    }
    held = asyncio.Event()
    async with ScriptedEngine() as engine:
        engine.enqueue(Answer(first_byte=held))
        settings = Settings(port=0, state="memory", upstream=engine.url, max_concurrent=1, queue_size=1)
        running = await asyncio.to_thread(RunningServer(settings).start)
        try:
            async with aiohttp.ClientSession(running.url) as http, asyncio.timeout(GUARD_SECONDS):
                path, chat = next(iter(path_bodies.items()))
                asked = [asyncio.create_task(http.post(path, json=chat).__aenter__()) for _ in range(3)]
                # One is answered, one waits, and the first that comes back is the one that was refused.
                (refused,), kept = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                assert refused.result().status == 503
                for stream in (False, True):
                    for path, body in path_bodies.items():
                        sent = body if "v1beta/models" in path else {**body, "stream": stream}
                        where = path.replace(":generate", ":streamGenerate") if stream else path
                        async with http.post(where, json=sent) as answer:
                            told = await answer.json()
                        error = (told[0] if isinstance(told, list) else told)["error"]
                        assert (where, answer.status, answer.headers["Retry-After"].isdigit()) == (where, 503, True)
                        assert error.get("code") in {"overloaded", 503}, where
                        assert error.get("status", "UNAVAILABLE") == "UNAVAILABLE"
                held.set()
                assert [(await task).status for task in kept] == [200, 200]
                for task in asked:
                    task.result().close()
        finally:
            await asyncio.to_thread(running.stop)
