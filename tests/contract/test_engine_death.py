"""What happens when the engine dies, and when it can't answer yet."""

import os
import signal
from collections.abc import Callable

import aiohttp
import orjson
import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

StartServer = Callable[[Settings], RunningServer]

# The grammar has no end, so the model writes until the token limit, which is far away.
ENDLESS = 'root ::= "a" root'
OPENAI_BODY = {"messages": [{"role": "user", "content": "Hi"}], "grammar": ENDLESS, "max_tokens": 8000}


def engine_pid(server: RunningServer) -> int:
    pid = server.server.engine.describe()["pid"]
    assert isinstance(pid, int)
    return pid


async def read_until(answer: aiohttp.ClientResponse, marker: bytes) -> bytes:
    body = b""
    while marker not in body:
        piece = await answer.content.readany()
        assert piece, body
        body += piece
    return body


async def test_a_killed_engine_ends_an_openai_stream_with_an_error_and_the_next_request_works(
    start_server: StartServer,
) -> None:
    server = start_server(Settings(port=0))
    async with aiohttp.ClientSession(server.url) as http:
        async with http.post("/v1/chat/completions", json={**OPENAI_BODY, "stream": True}) as answer:
            assert answer.status == 200
            await read_until(answer, b'"content":"a"')
            os.kill(engine_pid(server), signal.SIGKILL)
            rest = await answer.read()
        last = rest.strip().split(b"\n\n")[-1]
        error = orjson.loads(last.removeprefix(b"data: "))["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "server_error"
        assert b"[DONE]" not in rest
        assert b'"finish_reason":"' not in rest
        async with http.post("/v1/chat/completions", json={**OPENAI_BODY, "max_tokens": 3}) as answer:
            body = await answer.json()
        assert (answer.status, body["choices"][0]["message"]["content"]) == (200, "aaa")


async def test_a_killed_engine_ends_a_gemini_stream_with_an_error(start_server: StartServer) -> None:
    server = start_server(Settings(port=0))
    body = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        # 4,000 items at least: the answer can't be complete when the engine is killed at its beginning.
        "generationConfig": {
            "responseSchema": {"type": "ARRAY", "items": {"type": "STRING", "enum": ["a"]}, "minItems": 1500},
            "maxOutputTokens": 8000,
        },
    }
    async with aiohttp.ClientSession(server.url) as http:
        path = "/v1beta/models/m:streamGenerateContent?alt=sse"
        async with http.post(path, json=body) as answer:
            assert answer.status == 200
            await read_until(answer, b'"text":')
            os.kill(engine_pid(server), signal.SIGKILL)
            rest = await answer.read()
    last = orjson.loads(rest.strip().split(b"\r\n\r\n")[-1].removeprefix(b"data: "))
    assert next(iter(last)) == "error"
    assert (last["error"]["code"], last["error"]["status"]) == (502, "UNAVAILABLE")
    assert b'"finishReason"' not in rest


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_prompt_longer_than_the_context_is_refused_in_each_protocol(
    http: aiohttp.ClientSession, streamed: bool
) -> None:
    text = "word and another word " * 20_000
    async with http.post(
        "/v1/chat/completions", json={"messages": [{"role": "user", "content": text}], "stream": streamed}
    ) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["param"]) == (400, "context_length_exceeded", "messages")
        assert "8192" in error["message"]
    action = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    async with http.post(f"/v1beta/models/m:{action}", json={"contents": [{"parts": [{"text": text}]}]}) as answer:
        error = orjson.loads(await answer.read())["error"]
        assert (answer.status, error["status"]) == (400, "INVALID_ARGUMENT")
        assert "exceeds the maximum number of tokens allowed (8192)" in error["message"]


async def test_b137_a_caller_that_leaves_frees_its_slot(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, parallel=1))
    async with aiohttp.ClientSession(server.url) as http:
        streamed = await http.post("/v1/chat/completions", json={**OPENAI_BODY, "stream": True})
        await read_until(streamed, b'"content":"a"')
        streamed.close()
        await assert_slot_is_free(http, server)
        with pytest.raises(TimeoutError):
            await http.post("/v1/chat/completions", json=OPENAI_BODY, timeout=aiohttp.ClientTimeout(total=0.2))
        await assert_slot_is_free(http, server)


async def assert_slot_is_free(http: aiohttp.ClientSession, server: RunningServer) -> None:
    """The engine's only slot answers, and was not simply waited for: the abandoned answer never became complete."""
    async with http.post("/v1/chat/completions", json={**OPENAI_BODY, "max_tokens": 2}) as answer:
        assert (await answer.json())["choices"][0]["message"]["content"] == "aa"
