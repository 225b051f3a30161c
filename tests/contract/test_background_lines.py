"""What the log and `/metrics` tell of work in the background."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from localaik.server.background import WorkLine
from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS
from tests.fake_engine import Answer, ScriptedEngine

LINE = b'{"custom_id":"%d","method":"POST","url":"/v1/responses","body":{"model":"m","input":"secret"}}\n'
CONTENTS = [{"parts": [{"text": "secret"}]}]


class Lines(logging.Handler):
    """The lines of a logger, as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, WorkLine)
        assert "secret" not in record.msg.text()
        self._loop.call_soon_threadsafe(self._lines.put_nowait, dict(record.msg.fields()))

    async def next(self) -> dict[str, Any]:
        return await self._lines.get()


async def test_each_end_has_a_line_and_is_counted(
    start_server: Callable[[Settings], RunningServer], caplog: pytest.LogCaptureFixture
) -> None:
    lines = Lines()
    logger = logging.getLogger("localaik.background")
    caplog.set_level(logging.INFO, logger.name)
    logger.addHandler(lines)
    async with asyncio.timeout(HANG_SECONDS), ScriptedEngine() as engine:
        server = await asyncio.to_thread(start_server, Settings(port=0, state="memory", upstream=engine.url))
        async with aiohttp.ClientSession(server.url) as http:

            async def made(path: str, **body: Any) -> dict[str, Any]:
                async with http.post(path, json=body) as answer:
                    assert answer.status == 200, await answer.text()
                    return dict(await answer.json())

            response = {"model": "mine", "input": "secret", "background": True}
            done = await made("/v1/responses", **response)
            told = await lines.next()
            assert {**told, "latency_ms": 0} == {
                "message": f"response {done['id']} completed",
                "protocol": "openai",
                "work": "response",
                "status": "completed",
                "latency_ms": 0,
                "id": done["id"],
                "model": "mine",
                "tokens_in": 7,
                "tokens_out": 3,
            }
            engine.enqueue(Answer(fault="hang_up"))
            await made("/v1/responses", **response)
            told = await lines.next()
            assert (told["status"], told["fault"]) == ("failed", "EngineUnreachable")

            form = aiohttp.FormData()
            form.add_field("purpose", "batch")
            form.add_field("file", b"".join(LINE % number for number in range(2)), filename="a.jsonl")
            async with http.post("/v1/files", data=form) as answer:
                file = (await answer.json())["id"]
            await made("/v1/batches", input_file_id=file, endpoint="/v1/responses", completion_window="24h")
            told = await lines.next()
            assert (told["protocol"], told["work"], told["status"]) == ("openai", "batch", "succeeded")
            assert (told["requests"], told["failed"], told["tokens_in"], told["tokens_out"]) == (2, 0, 14, 6)

            engine.enqueue(Answer(first_byte=asyncio.Event()))
            inlined = {"requests": {"requests": [{"request": {"contents": CONTENTS}}]}}
            path = "/v1beta/models/gemini-x:batchGenerateContent"
            batch = await made(path, batch={"displayName": "x", "inputConfig": inlined})
            await made(f"/v1beta/{batch['name']}:cancel")
            told = await lines.next()
            assert (told["protocol"], told["work"], told["status"]) == ("gemini", "batch", "cancelled")
            assert (told["requests"], told["failed"]) == (1, 1)

            async with http.get("/metrics") as answer:
                page = await answer.text()
        await asyncio.to_thread(server.stop)
    logger.removeHandler(lines)
    name = "localaik_background_ended_total"
    counted = [line.removeprefix(name) for line in page.splitlines() if line.startswith(name)]
    assert counted == [
        '{protocol="gemini",work="batch",status="cancelled"} 1',
        '{protocol="openai",work="batch",status="succeeded"} 1',
        '{protocol="openai",work="response",status="completed"} 1',
        '{protocol="openai",work="response",status="failed"} 1',
    ]
