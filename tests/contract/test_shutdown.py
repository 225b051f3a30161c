"""How a server ends: its streams, its engine, its port."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil

from localaik.settings import Settings
from localaik.state.store import Store
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS, banner, serving
from tests.contract.test_engine_death import OPENAI_BODY, engine_pid, read_until
from tests.contract.test_faults import begin_all, check_cut
from tests.fake_engine import Answer, ScriptedEngine

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


async def test_b129_kept_connections_get_refusals_while_the_server_stops(start_server: StartServer) -> None:
    gate = asyncio.Event()
    chat: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
    gemini = {"contents": [{"parts": [{"text": "Hi"}]}]}
    asked = {
        "/v1/chat/completions": chat,
        "/v1/responses": {"model": "m", "input": "Hi", "stream": True},
        "/v1beta/models/m:generateContent": gemini,
        "/v1beta/models/m:streamGenerateContent": gemini,
        "/v1/sessions": {},
    }
    async with asyncio.timeout(HANG_SECONDS), ScriptedEngine() as engine, AsyncExitStack() as stack:
        engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: gate}))
        settings = Settings(port=0, state="memory", upstream=engine.url, embeddings="off", shutdown_grace_seconds=3600)
        server = await asyncio.to_thread(start_server, settings)
        # Each of these has one connection, which it keeps.
        callers = [await stack.enter_async_context(aiohttp.ClientSession(server.url)) for _ in range(len(asked) + 2)]
        for caller in callers:
            await (await caller.get("/health/live")).read()
        running, watching, *others = callers
        streamed = await running.post("/v1/chat/completions", json={**chat, "stream": True})
        await read_until(streamed, b"Hel")
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        while (answer := await watching.get("/health")).status == 200:
            await answer.read()
        assert (await answer.json())["reason"] == "stopping"
        for caller, (path, body) in zip(others, asked.items(), strict=True):
            answer = await caller.post(path, json=body)
            told = await answer.json()
            error = (told[0] if isinstance(told, list) else told)["error"]
            assert (answer.status, error["message"]) == (503, "The server is stopping."), path
            assert (answer.headers["Connection"], answer.headers["Retry-After"]) == ("close", "1")
        assert not stopping.done()
        gate.set()
        assert (await streamed.read()).endswith(b"data: [DONE]\n\n")
        await stopping
    assert len(engine.calls) == 1


async def test_b129_a_second_signal_ends_the_grace_period_and_nothing_kept_is_lost(tmp_path: Path) -> None:
    arguments = ("--port", "0", "--parallel", "8", "--shutdown-grace-seconds", "3600", "--data-dir", str(tmp_path))
    async with asyncio.timeout(HANG_SECONDS):
        with serving(*arguments) as process:
            url, _ = await asyncio.to_thread(banner, process)
            async with aiohttp.ClientSession(url) as http:
                kept = await (await http.post("/v1/responses", json={"model": "m", "input": "Hi"})).json()
                running = await begin_all(http)
                children = psutil.Process(process.pid).children()
                process.send_signal(signal.SIGTERM)
                await refuses_connections(url)
                assert process.poll() is None
                process.send_signal(signal.SIGTERM)
                rests = {kind: await rest() for kind, rest in running.items()}
            _, errors = await asyncio.to_thread(process.communicate)
        assert (process.returncode, "Traceback" in errors) == (0, False), errors
        assert children
        assert not any(child.is_running() for child in children)
        check_cut(rests, status=502, grpc="UNAVAILABLE", code="upstream_unreachable")

        store = Store(Settings(data_dir=str(tmp_path)))
        responses = await store.responses()
        assert (await responses.get(kept["id"])).status == "completed"
        cut = orjson.loads(rests["background"].partition(b'"response":')[2].partition(b"\n")[0][:-1])
        assert (await responses.get(cut["id"])).status == "failed"
        await store.close()


async def refuses_connections(url: str) -> None:
    """Return when nobody listens there any more."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return
        except ConnectionError:  # the listening socket was closed in this moment
            continue
        writer.close()
