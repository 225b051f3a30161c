"""Faults of a real engine process: killed or stopped in the middle of each kind of answer, while idle, and for good."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import psutil

from localaik.cli.health import main as health_command
from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS, banner, serving
from tests.contract.test_engine_death import engine_pid, read_until
from tests.responses_grammar import check_stream, events_of_sse

StartServer = Callable[[Settings], RunningServer]

# 6,000 tokens at least: no answer can be complete while a test still reads its beginning.
ITEMS = {"type": "array", "items": {"type": "string", "enum": ["a"]}, "minItems": 1500}
SCHEMA = {"type": "object", "properties": {"list": ITEMS}, "required": ["list"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "name": "long", "schema": SCHEMA}
CHAT: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "long", "schema": SCHEMA}},
    "stream": True,
}
GEMINI: dict[str, Any] = {
    "contents": [{"parts": [{"text": "Hi"}]}],
    "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
}
RESPONSE: dict[str, Any] = {"model": "m", "input": "Hi", "text": {"format": FORMAT}}
SHORT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
GEMINI_PATH = "/v1beta/models/m:streamGenerateContent"

Rest = Callable[[], Awaitable[bytes]]
"""What is still to come of an answer that has begun."""


async def begun(http: aiohttp.ClientSession, path: str, body: dict[str, Any], marker: bytes) -> Rest:
    answer = await http.post(path, json=body)
    assert answer.status == 200, await answer.text()
    beginning = await read_until(answer, marker)

    async def rest() -> bytes:
        return beginning + await answer.read()

    return rest


async def begun_socket(http: aiohttp.ClientSession) -> Rest:
    """The last event of a response over a WebSocket."""
    socket = await http.ws_connect("/v1/responses")
    await socket.send_json({"type": "response.create", **RESPONSE})
    while "output_text.delta" not in await socket.receive_str():
        pass

    async def rest() -> bytes:
        last = ""
        while '"type":"response.failed"' not in last:
            last = await socket.receive_str()
        await socket.close()
        return last.encode()

    return rest


async def begin_all(http: aiohttp.ClientSession) -> dict[str, Rest]:
    """One answer of each kind that is told in pieces; all of them have told some text."""
    legacy = {"model": "m", "prompt": "Hi", "grammar": 'root ::= "a" root', "max_tokens": 8000, "stream": True}
    in_background = {**RESPONSE, "stream": True, "background": True}
    return {
        "chat": await begun(http, "/v1/chat/completions", CHAT, b'"content":"{'),
        "legacy": await begun(http, "/v1/completions", legacy, b'"text":"a'),
        "gemini sse": await begun(http, f"{GEMINI_PATH}?alt=sse", GEMINI, b'"text":'),
        "gemini array": await begun(http, GEMINI_PATH, GEMINI, b'"text":'),
        "responses": await begun(http, "/v1/responses", {**RESPONSE, "stream": True}, b"output_text.delta"),
        "websocket": await begun_socket(http),
        "background": await begun(http, "/v1/responses", in_background, b"output_text.delta"),
    }


def check_cut(rests: dict[str, bytes], *, status: int, grpc: str, code: str) -> None:
    """Each answer ends with the error of its protocol, and none of them as if it were whole."""
    for kind in ("chat", "legacy"):
        error = orjson.loads(rests[kind].strip().split(b"\n\n")[-1].removeprefix(b"data: "))["error"]
        assert (error["type"], error["code"]) == ("server_error", code), kind
        assert b"[DONE]" not in rests[kind]
        assert b'"finish_reason":"' not in rests[kind]
    frame = rests["gemini sse"].strip().split(b"\r\n\r\n")[-1].removeprefix(b"data: ")
    last = orjson.loads(rests["gemini array"])[-1]
    for error in (orjson.loads(frame)["error"], last["error"]):
        assert (error["code"], error["status"]) == (status, grpc)
    assert b'"finishReason"' not in rests["gemini sse"] + rests["gemini array"]
    by_socket = orjson.loads(rests["websocket"])["response"]
    for told in (*(check_stream(events_of_sse(rests[kind])) for kind in ("responses", "background")), by_socket):
        assert told is not None
        assert (told["status"], told["error"]["code"]) == ("failed", "server_error")


async def health(http: aiohttp.ClientSession) -> dict[str, Any]:
    async with http.get("/health") as answer:
        return dict(await answer.json())


async def test_b131_a_killed_engine_cuts_every_answer_and_the_next_requests_work(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server, Settings(port=0, state="memory", parallel=8, embeddings="off"))
    async with asyncio.timeout(HANG_SECONDS), aiohttp.ClientSession(server.url) as http:
        running = await begin_all(http)
        os.kill(engine_pid(server), signal.SIGKILL)

        rests = {kind: await rest() for kind, rest in running.items()}
        check_cut(rests, status=502, grpc="UNAVAILABLE", code="upstream_unreachable")
        async with http.post("/v1/chat/completions", json=SHORT) as answer:
            assert answer.status == 200, await answer.text()
        told = await health(http)
        assert (told["status"], told["engine"]["state"], told["engine"]["restarts"]) == ("ok", "ready", 1)

        # While nobody asks for anything.
        os.kill(engine_pid(server), signal.SIGKILL)
        async with http.post("/v1/chat/completions", json=SHORT) as answer:
            assert answer.status == 200, await answer.text()
        told = await health(http)
        assert (told["status"], told["engine"]["restarts"]) == ("ok", 2)


async def test_b153_an_engine_that_hangs_holds_no_request_beyond_its_time(start_server: StartServer) -> None:
    settings = Settings(
        port=0,
        state="memory",
        parallel=8,
        embeddings="off",
        upstream_first_byte_timeout_seconds=1.5,
        upstream_idle_timeout_seconds=1.5,
    )
    server = await asyncio.to_thread(start_server, settings)
    process = psutil.Process(engine_pid(server))
    async with asyncio.timeout(HANG_SECONDS), aiohttp.ClientSession(server.url) as http:
        running = await begin_all(http)
        process.suspend()
        try:
            answers = await asyncio.gather(
                http.post("/v1/chat/completions", json=SHORT),
                http.post("/v1beta/models/m:generateContent", json={"contents": GEMINI["contents"]}),
                http.post(GEMINI_PATH, json=GEMINI, headers={"X-Server-Timeout": "1"}),
            )
            assert [answer.status for answer in answers] == [504, 504, 504]
            assert (await answers[0].json())["error"]["code"] == "timeout"
            assert (await answers[1].json())["error"]["status"] == "DEADLINE_EXCEEDED"
            rests = {kind: await rest() for kind, rest in running.items()}
            assert (await health(http))["reason"] == "timeout"
        finally:
            process.resume()
        check_cut(rests, status=504, grpc="DEADLINE_EXCEEDED", code="timeout")
        assert not server.server.engine.gate.busy
        async with http.post("/v1/chat/completions", json=SHORT) as answer:
            assert answer.status == 200, await answer.text()
        assert (await health(http))["engine"]["restarts"] == 0


def test_b131_an_engine_that_keeps_dying_ends_the_server_with_its_status() -> None:
    with serving("--port", "0", "--engine-restarts", "1") as process:
        url, _ = banner(process)
        kill_child(process.pid)  # still loading, as far as anybody knows
        assert health_command([url, "--wait", str(HANG_SECONDS)]) == 0
        kill_child(process.pid)
        _, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 128 + signal.SIGKILL
    assert "SIGKILL" in errors
    assert "Traceback" not in errors
    assert health_command([url]) == 1


def kill_child(pid: int) -> None:
    children = psutil.Process(pid).children()
    assert children
    for child in children:
        child.kill()
