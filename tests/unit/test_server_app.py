"""The face of the server: what surrounds every handler."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer

from localaik.embeddings.embedder import Embedder
from localaik.errors import BadRequest, LocalaikError, MethodNotAllowed
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.models.registry import Registry
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route, Services
from localaik.server.access import escape
from localaik.server.app import Face
from localaik.settings import Settings
from localaik.state.store import Store

Handle = Callable[[Call, Services], Awaitable[web.StreamResponse]]


def render(error: LocalaikError, _call: Call) -> web.Response:
    status = 405 if isinstance(error, MethodNotAllowed) else 400 if isinstance(error, BadRequest) else 500
    return json_response({"error": error.message}, status=status)


def services_of(settings: Settings | None = None) -> Services:
    settings = settings or Settings()
    pipeline = cast("None", None)
    return Services(settings, pipeline, Registry([]), Store(settings), Embedder(None, settings))  # type: ignore[arg-type]


@asynccontextmanager
async def serving(handle: Handle, settings: Settings | None = None) -> AsyncIterator[ClientSession]:
    route = Route("POST", "/x/{name}", handle, ALWAYS_SERVED)
    protocol = Protocol("test", (route,), render, lambda _: {"x-test": "yes"})
    server = RawTestServer(Face(services_of(settings), [protocol]).handle)
    await server.start_server()
    async with ClientSession(server.make_url("/")) as http:
        yield http
    await server.close()


async def fine(call: Call, _services: Services) -> web.Response:
    call.model, call.prompt_tokens, call.completion_tokens = "m", 3, 4
    call.ignored += ["tools.googleSearch", "a,b\r\nx-evil: 1"]
    return json_response({"name": call.params["name"]})


async def test_every_answer_carries_the_common_headers() -> None:
    async with serving(fine) as http:
        async with http.post("/x/a%20b") as answer:
            assert await answer.json() == {"name": "a b"}
            assert answer.headers["x-test"] == "yes"
            assert answer.headers["x-request-id"].startswith("req_")
            assert answer.headers["x-localaik-ignored"] == "tools.googleSearch, a?b??x-evil: 1"
        async with http.get("/x/a") as answer:
            assert (answer.status, answer.headers["x-test"]) == (405, "yes")


async def test_a_defect_is_a_clean_500_and_its_traceback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_call: Call, _services: Services) -> web.Response:
        raise KeyError("secret text of ours")

    async with serving(broken) as http, http.post("/x/a") as answer:
        assert answer.status == 500
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "secret" not in await answer.text()
    assert any(record.exc_info for record in caplog.records)


async def test_b139_b141_the_access_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")
    async with serving(fine) as http:
        headers = {"Authorization": "Bearer sk-1"}
        async with http.post("/x/%0A%1B?key=sk-2", data=b"sk-3", headers=headers) as answer:
            request_id = answer.headers["x-request-id"]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "localaik.access"]
    assert line.startswith("[test] POST /x/%0A%1B 200 ")
    assert line.endswith(f" id={request_id} model=m in=3 out=4")
    assert "\n" not in line
    assert "sk-" not in line


async def test_b140_the_access_log_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")
    async with serving(fine, Settings(access_log=False)) as http, http.post("/x/a"):
        pass
    assert not [record for record in caplog.records if record.name == "localaik.access"]


async def test_b137_b141_a_callers_departure_cancels_the_handler_and_is_logged_as_499(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "localaik.access")
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(_call: Call, _services: Services) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return web.Response()

    async with serving(slow) as http:
        asking = asyncio.create_task(http.post("/x/a").__aenter__())
        async with asyncio.timeout(10):
            await begun.wait()
            asking.cancel()
            await cancelled.wait()
        await asyncio.gather(asking, return_exceptions=True)
    lines = [record.getMessage() for record in caplog.records if record.name == "localaik.access"]
    assert [" 499 " in line for line in lines] == [True]


@pytest.mark.parametrize("char", ["\n", "\r", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"])
def test_b142_no_text_can_forge_or_colour_a_line(char: str) -> None:
    assert char not in escape(f"a{char}b")
    assert escape("plain äöü 漢字") == "plain äöü 漢字"
