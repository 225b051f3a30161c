"""The access line and the log around it: what they tell, and that nobody else can write in them."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from localaik.engine.gate import Gate
from localaik.errors import BadRequest, EngineUnreachable, LocalaikError, TimedOut
from localaik.http.call import Call
from localaik.http.stream import stream_events
from localaik.protocols.contract import Services
from localaik.server.access import AccessLine, log_access
from localaik.server.logs import JsonFormatter, TextFormatter, escape, secrets_hider
from localaik.settings import Settings
from tests.unit.test_server_app import serving

FIELD: Final = re.compile(r'([a-z_]+)=((?:[A-Za-z0-9._:/@+-]+)|"(?:[^"\\]|\\.)*")(?: |$)')
HEAD: Final = re.compile(r"\[([a-z-]+)\] (\S+) (\S+) (\d{3})((?: [A-Z][\w'-]*)*)( cut short)? (\d+\.\d)ms ")
NASTY: Final = (
    "\n2026-01-01 00:00:00,000 INFO [openai] GET /forged 200 0.1ms id=x",
    "\r\x1b[31mred",
    "a\x7f\x85\x9b\u2028\u2029b",
    "\u202eevil\u2066\u061c\u200f",
    "\ud800 half",
    'm" in=999 "',
    "m in=999 out=1",
    "ends with \\",
    "\\" * 3 + '"',
    "x" * 3000,
)


def a_call(*, method: str = "POST", headers: dict[str, str] | None = None, protocol: str = "openai") -> Call:
    call = Call(make_mocked_request(method, "/x", headers=headers), "req_1", protocol)
    call.route = "/x"
    return call


def record(message: object, *, fault: BaseException | None = None) -> logging.LogRecord:
    info = (type(fault), fault, fault.__traceback__) if fault is not None else None
    return logging.LogRecord("localaik.test", logging.INFO, "f.py", 1, message, (), info)


def as_text(message: object, **more: BaseException) -> str:
    return TextFormatter().format(record(message, **more))


def as_json(message: object, **more: BaseException) -> dict[str, object]:
    line = JsonFormatter().format(record(message, **more))
    assert "\n" not in line
    told = orjson.loads(line)
    assert isinstance(told, dict)
    return told


def access_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "localaik.access"]


def test_b139_all_that_is_known_of_a_request_is_told() -> None:
    call = a_call(headers={"X-Client-Request-Id": "my id", "Authorization": "Bearer sk-1"})
    call.model, call.prompt_tokens, call.completion_tokens = "tiny", 3, 4
    call.first_token = call.started + 0.0123
    call.slot_use.asked = True
    line = AccessLine(call, "/v1/chat/completions", 200)
    text = re.sub(r"\d+\.\dms id", "1.0ms id", str(line))
    assert text == (
        "[openai] POST /v1/chat/completions 200 1.0ms id=req_1"
        ' client="my id" model=tiny in=3 out=4 ttft=12.3ms wait=0.0ms engine=0.0ms'
    )
    told = as_json(line)
    assert isinstance(told.pop("latency_ms"), float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(told.pop("time")))
    assert told == {
        "level": "info",
        "logger": "localaik.test",
        "message": "POST /v1/chat/completions 200",
        "protocol": "openai",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "request_id": "req_1",
        "client_request_id": "my id",
        "model": "tiny",
        "tokens_in": 3,
        "tokens_out": 4,
        "ttft_ms": 12.3,
        "slot_wait_ms": 0.0,
        "engine_ms": 0.0,
    }


@pytest.mark.parametrize(
    ("status", "failure", "told"),
    [
        (404, None, " 404 Not Found "),
        (499, None, " 499 Client Closed Request "),
        (529, None, " 529 Error "),
        (400, BadRequest("secret", reason="invalid_value"), " 400 Bad Request "),
        (200, EngineUnreachable("secret", reason="upstream_unreachable"), " 200 cut short "),
        (101, EngineUnreachable("secret"), " 101 "),
    ],
)
def test_b139_faults_are_told_by_name_and_never_by_their_text(
    status: int, failure: Exception | None, told: str
) -> None:
    call = a_call(protocol="service")
    call.failure = failure
    line = str(AccessLine(call, "/a", status))
    assert line.startswith(f"[-] POST /a{told}")
    assert "secret" not in line
    assert (f"fault={type(failure).__name__}" in line) == (failure is not None)
    assert ("reason=invalid_value" in line) == isinstance(failure, BadRequest)
    assert as_json(AccessLine(call, "/a", status)).get("cut_short", False) == ("cut short" in told)


@pytest.mark.parametrize("route", ["/health", "/health/live", "/metrics"])
def test_b140_probes_are_quiet_while_they_succeed(route: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")
    call = a_call(method="GET", protocol="service")
    call.route = route
    log_access(call, route, 200)
    assert not access_lines(caplog)
    log_access(call, route, 503)
    assert [line.startswith(f"[-] GET {route} 503 Service Unavailable ") for line in access_lines(caplog)] == [True]


def test_a_target_with_a_user_in_it_loses_it() -> None:
    line = str(AccessLine(a_call(), "http://me:secret@h/v1", 404))
    assert " http://***@h/v1 404 " in line


ANY_TEXT = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(NASTY)


ANY_FIVE = st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT.filter(bool), ANY_TEXT, ANY_TEXT.filter(bool))


@settings(max_examples=60)
@given(ANY_FIVE, st.sampled_from([101, 200, 404, 499]))
@example(("GET", "/a\n", "x", "\u2028", "y"), 200)
def test_b142_nothing_that_a_caller_sends_can_forge_or_colour_a_line(texts: tuple[str, ...], status: int) -> None:
    method, path, client, model, reason = texts
    call = a_call()
    call.request._headers = CIMultiDictProxy(CIMultiDict({"X-Client-Request-Id": client}))
    call.request._method = method or "-"
    call.model, call.prompt_tokens = model, 7
    call.failure = BadRequest("x", reason=reason)
    line = AccessLine(call, path or "/", status)
    text = as_text(line)
    assert text.isprintable()
    assert len(text) < 12_000
    _, _, level, told = text.split(" ", 3)
    assert level == "INFO"
    head = HEAD.match(told)
    assert head is not None
    assert (head[1], head[4]) == ("openai", str(status))
    fields = FIELD.findall(told, head.end())
    assert told[head.end() :] == "".join(f"{name}={value} " for name, value in fields)[:-1]
    assert [name for name, _ in fields] == ["id", "client", "model", "in", "fault", "reason"]
    assert dict(fields)["in"] == "7"
    as_object = as_json(line)
    assert JsonFormatter().format(record(line)).isprintable()
    assert (as_object["status"], as_object["tokens_in"], as_object["request_id"]) == (status, 7, "req_1")


@settings(max_examples=50)
@given(st.lists(ANY_TEXT, max_size=4).map("\n".join))
def test_b142_no_other_line_can_be_forged_either(text: str) -> None:
    first, *rest = as_text(text).split("\n")
    assert first.isprintable()
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
    assert len(rest) == text.count("\n")
    assert set(as_json(text)) == {"time", "level", "logger", "message"}


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise KeyError("a\x1b[31m")
    except KeyError as error:
        text, told = as_text("it broke", fault=error), as_json("it broke", fault=error)
    assert text.split("\n")[0].endswith(" INFO it broke")
    assert all(line.startswith("    ") for line in text.split("\n")[1:])
    assert told["message"] == "it broke"
    assert str(told["exception"]).startswith("Traceback (most recent call last):\n")
    assert "test_access_line.py" in str(told["exception"])


def test_b144_credentials_are_blotted_out() -> None:
    hide = secrets_hider(
        Settings(
            upstream="http://h/v1",
            upstream_auth_header='Authorization: Bearer sk-"one"',
            embedding_upstream="http://h/v1?key=sk-two",
            api_key="sk-three, sk-four",
        )
    )
    text = 'sk-"one" sk-two sk-three sk-four'
    call = a_call(headers={"X-Client-Request-Id": "sk-three"})
    call.model = 'sk-"one"'
    for message in (text, AccessLine(call, "/sk-four/x", 200)):
        assert "sk-" not in TextFormatter(hide).format(record(message))
        told = JsonFormatter(hide).format(record(message))
        assert "sk-" not in told
        assert "***" in told
    assert secrets_hider(Settings())("unchanged") == "unchanged"


def test_b142_escape_keeps_what_can_be_read() -> None:
    assert escape("plain äöü 漢字 🙂") == "plain äöü 漢字 🙂"
    assert escape("a\nb") == "a\\nb"


async def test_b141_a_crash_is_a_500_and_a_crash_of_the_error_page_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")

    async def broken(call: Call, _services: Services) -> web.Response:
        if call.params["name"] == "headers":
            call.protocol_headers = lambda _: {}["missing"]
        raise KeyError("secret")

    async with serving(broken) as http:
        for name in ("page", "headers"):
            async with http.post(f"/x/{name}") as answer:
                assert answer.status == 500
    lines = access_lines(caplog)
    assert [line.split(" ")[2] for line in lines] == ["/x/page", "/x/headers"]
    assert all(" 500 Internal Server Error " in line and line.endswith("fault=KeyError") for line in lines)
    assert len(lines) == 2
    assert "secret" not in "".join(lines)


@pytest.mark.parametrize("fault", [TimedOut("late", reason="timeout"), KeyError("secret")])
async def test_a_stream_that_is_cut_short_says_so(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def batches() -> AsyncGenerator[list[str], None]:
        yield ["a"]
        raise fault

    class Plain:
        def feed(self, events: Sequence[str]) -> bytes:
            return "".join(events).encode()

        def fail(self, error: LocalaikError) -> bytes:
            return type(error).__name__.encode()

    async def streamed(call: Call, _services: Services) -> web.StreamResponse:
        return await stream_events(call, batches(), Plain(), content_type="text/plain")

    async with serving(streamed) as http, http.post("/x/a") as answer:
        assert answer.status == 200
        await answer.read()
    (line,) = access_lines(caplog)
    assert " 200 cut short " in line
    assert f"fault={type(fault).__name__}" in line
    assert any(record.exc_info for record in caplog.records) == isinstance(fault, KeyError)


async def test_the_wait_for_a_slot_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")
    gate = Gate(1, queue_size=0, queue_seconds=0)
    await gate.acquire()

    waiting = asyncio.Event()

    async def queued(_call: Call, _services: Services) -> web.Response:
        waiting.set()
        slot = await gate.enter()
        await asyncio.sleep(0.002)
        slot.leave()
        return web.Response()

    async with serving(queued) as http:
        task = asyncio.create_task(http.post("/x/a").__aenter__())
        async with asyncio.timeout(10):
            await waiting.wait()
        await asyncio.sleep(0.002)  # a wait that can be told in tenths of a millisecond
        gate.release()
        await task
    (line,) = access_lines(caplog)
    found = re.search(r" wait=(\d+\.\d)ms engine=(\d+\.\d)ms$", line)
    assert found is not None
    assert float(found[1]) > 0
    assert float(found[2]) > 0


@pytest.mark.parametrize(
    "raw", [b"/x/\xe2\x80\xae\xe2\x80\xa8", b"/x/\x9b31m", b"/x/%0a%1b", b"/x/\xc2\x85a", b"/x/a\x1b"]
)
async def test_b142_bytes_on_the_wire_make_one_line_at_most(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "localaik.access")

    async def fine(_call: Call, _services: Services) -> web.Response:
        return web.Response()

    async with serving(fine) as http:
        url = http._base_url
        assert url is not None
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nX-Client-Request-Id: \xe2\x80\xae\x9b a=1\r\n"
        writer.write(head % raw + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    lines = access_lines(caplog)
    assert len(lines) == (0 if b" 400 Bad Request" in answer else 1)
    assert all(line.isprintable() and line.startswith("[test] POST /x/") for line in lines)
    assert all(" 200 " in line and line.count(' client="') == 1 for line in lines)
