"""What an engine refuses, and what becomes of its slot when the caller leaves."""

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
