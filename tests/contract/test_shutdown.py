"""How a server ends: its streams, its engine, its port."""

import asyncio
import threading
from collections.abc import Callable

import aiohttp
import orjson
import psutil

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_engine_death import OPENAI_BODY, engine_pid, read_until

StartServer = Callable[[Settings], RunningServer]


async def test_b129_streams_that_outlive_the_grace_period_end_with_an_error(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, shutdown_grace_seconds=0.05))
    pid = engine_pid(server)
    async with (
        aiohttp.ClientSession(server.url) as http,
        http.post("/v1/chat/completions", json={**OPENAI_BODY, "stream": True}) as answer,
    ):
        await read_until(answer, b'"content":"a"')
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        rest = await answer.read()
        await asyncio.to_thread(stopping.join)
    error = orjson.loads(rest.strip().split(b"\n\n")[-1].removeprefix(b"data: "))["error"]
    assert error["type"] == "server_error"
    assert b"[DONE]" not in rest
    assert not psutil.pid_exists(pid)


async def test_b129_running_requests_get_the_grace_period(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, shutdown_grace_seconds=60))
    body = {**OPENAI_BODY, "stream": True, "max_tokens": 300}
    async with aiohttp.ClientSession(server.url) as http, http.post("/v1/chat/completions", json=body) as answer:
        await read_until(answer, b'"content":"a"')
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        rest = await answer.read()
        await asyncio.to_thread(stopping.join)
    assert rest.endswith(b"data: [DONE]\n\n")
    assert b'"finish_reason":"length"' in rest
