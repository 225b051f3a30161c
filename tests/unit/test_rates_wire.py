"""Limited routes: which ones, how each API refuses, and what counts."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
import pytest
from aiohttp import ClientSession, web

from localaik.errors import Unavailable
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Route, Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.gemini import read_google_fields
from localaik.protocols.openai import PROTOCOL, beside_gemini, read_transcript
from localaik.protocols.workbench import workbench
from localaik.server.windows import LocalRates
from localaik.settings import BUCKETS, SECRETS, Settings, limits, read_rates
from tests.hollow_server import serving

SECOND: Final = 1_000_000_000
MESSAGE: Final = "Rate limit exceeded. Try again in {} seconds."
RATE_HEADERS: Final = tuple(f"x-ratelimit-{name}-requests" for name in ("limit", "remaining", "reset"))

CHAT: Final = (
    "/v1/chat/completions",
    "/openai/v1/chat/completions",
    "/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/batches",
    "/v1beta/openai/chat/completions",
    "/v1beta/models/m:generateContent",
    "/v1beta/models/m:streamGenerateContent",
    "/v1/models/m:generateContent",
    "/models/m:generateContent",
    "/v1beta/tunedModels/m:generateContent",
    "/v1beta/models/m:batchGenerateContent",
)
EMBED: Final = (
    "/v1/embeddings",
    "/openai/v1/embeddings",
    "/v1beta/openai/embeddings",
    "/v1beta/models/m:embedContent",
    "/v1beta/models/m:batchEmbedContents",
    "/v1beta/models/m:asyncBatchEmbedContent",
)
CONVERSATION: Final = (
    ("POST", "/v1/conversations"),
    ("GET", "/v1/conversations/c"),
    ("DELETE", "/v1/conversations/c"),
    ("POST", "/v1/conversations/c/items"),
)
NEVER_LIMITED: Final = (
    ("POST", "/v1beta/models/m:countTokens"),
    ("POST", "/v1/responses/input_tokens"),
    ("GET", "/v1/responses/r"),
    ("POST", "/v1/moderations"),
    ("POST", "/v1/sessions"),
    ("GET", "/v1/models"),
    ("GET", "/v1beta/models"),
    ("GET", "/rate-limits"),
    ("GET", "/health"),
)

_HARMLESS: Final = """
/moderations /files /files/{file}/content /uploads /uploads/{upload}/parts /uploads/{upload}/complete
/uploads/{upload}/cancel /batches/{batch}/cancel /responses/input_tokens /responses/{response}/cancel
/chat/completions/{completion} /cachedContents /batches/{batch}:cancel /upload/files
/models/{model:rest}:countTokens /tunedModels/{tuned:rest}:countTokens
/sessions /sessions/count-tokens /sessions/{session}/load
"""
HARMLESS: Final = frozenset(_HARMLESS.split())
"""What takes a POST and generates nothing. A path without its prefix."""
REFUSALS: Final = frozenset({"_refuse", "_deny", "_refuse_bytes", "no_tuned_model"})
"""Handlers of routes that are not served."""
_NAMED_LIMITS: Final = """
max_body_bytes max_json_depth max_messages max_tools body_idle_seconds write_idle_seconds keepalive_seconds
sse_ping_seconds request_timeout_seconds max_concurrent queue_size queue_timeout_seconds load_wait_seconds
shutdown_grace_seconds pdf_max_pages pdf_max_bytes pdf_dpi pdf_max_side_px pdf_timeout_seconds pdf_workers
pdf_cache_bytes pdf_mode image_max_bytes image_max_pixels image_max_side_px max_images text_file_max_bytes fetch
fetch_max_bytes fetch_max_redirects fetch_max_per_request fetch_connect_timeout_seconds fetch_timeout_seconds
upstream_connect_timeout_seconds upstream_first_byte_timeout_seconds upstream_idle_timeout_seconds
upstream_max_event_bytes upstream_max_response_bytes health_timeout_seconds engine_restarts
"""
NAMED_LIMITS: Final = frozenset(_NAMED_LIMITS.split())
PREFIX: Final = re.compile(r"/(v1beta/openai|v1alpha/openai|v1/openai|openai/v1|v1beta|v1alpha|v1)(?=/)")


class Clock:
    """A clock that stands still until it is moved."""

    now = 0

    def __call__(self) -> int:
        return self.now


def limited(rates: str, clock: Clock | None = None, **fields: Any) -> tuple[Settings, LocalRates]:
    """What `serving` needs for a server with limits."""
    return Settings(rate_limits=rates, **fields), LocalRates(read_rates(rates), clock or Clock())


async def ask(
    http: ClientSession, path: str, *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> tuple[int, Any, Mapping[str, str]]:
    """Status, body and headers of an answer."""
    async with http.request(method, path, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read() or b"null"), answer.headers


async def status(http: ClientSession, path: str, **how: Any) -> int:
    return (await ask(http, path, **how))[0]


# Which routes


@pytest.mark.parametrize("path", CHAT)
async def test_what_generates_text_counts_as_chat(path: str) -> None:
    async with serving(*limited("chat=1/60")) as http:
        assert [await status(http, path), await status(http, path)] == [200, 429]


@pytest.mark.parametrize("path", EMBED)
async def test_what_embeds_counts_as_embed(path: str) -> None:
    async with serving(*limited("embed=1/60")) as http:
        assert [await status(http, path), await status(http, path)] == [200, 429]


@pytest.mark.parametrize(("method", "path"), CONVERSATION)
async def test_conversations_count_as_such(method: str, path: str) -> None:
    async with serving(*limited("conversation=1/60")) as http:
        assert [await status(http, path, method=method) for _ in range(2)] == [200, 429]


async def test_other_routes_are_never_limited() -> None:
    async with serving(*limited("embed=1/60,chat=1/60,conversation=1/60,summarize=1/60")) as http:
        for method, path in NEVER_LIMITED * 2:
            answered, _, headers = await ask(http, path, method=method)
            assert (path, answered) == (path, 200)
            assert not {*RATE_HEADERS} & {*map(str.lower, headers)}


async def test_a_websocket_counts_by_itself() -> None:
    async with serving(*limited("chat=1/60")) as http:
        for _ in range(3):
            answered, _body, headers = await ask(http, "/v1/responses", method="GET")
            assert (answered, [name for name in RATE_HEADERS if name in headers]) == (200, [])
        assert [await status(http, "/v1/responses") for _ in range(2)] == [200, 429]


def test_every_route_that_generates_has_a_bucket() -> None:
    google, openai_ = beside_gemini(read_google_fields), PROTOCOL
    posts = [
        route
        for protocol in (GEMINI, openai_, google, workbench(read_transcript))
        for route in protocol.routes
        if route.method == "POST" and route.handler.__name__ not in REFUSALS
    ]
    harmless = {route.path for route in posts if PREFIX.sub("", route.path, count=1) in HARMLESS}
    assert {route.path for route in posts if not route.bucket} == harmless
    assert len(harmless) >= len(HARMLESS)
    assert {route.bucket for route in posts} == {"", *BUCKETS} - {"summarize"}


# Refusals


OPENAI_ERROR: Final = {
    "message": MESSAGE.format(60),
    "type": "requests",
    "param": None,
    "code": "rate_limit_exceeded",
    "limit": {"bucket": "chat", "calls": 2, "seconds": 60},
}
GOOGLE: Final = {"code": 429, "message": MESSAGE.format(60), "status": "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/completions"])
async def test_openai_tells_what_is_left_and_refuses_in_its_form(path: str) -> None:
    clock = Clock()
    async with serving(*limited("chat=2/60", clock)) as http:
        for left in ("1", "0"):
            answered, _, headers = await ask(http, path)
            assert (answered, [headers[name] for name in RATE_HEADERS]) == (200, ["2", left, "1m0s"])
        answered, body, headers = await ask(http, path)
        assert (answered, body) == (429, {"error": OPENAI_ERROR})
        assert [headers[name] for name in ("Retry-After", *RATE_HEADERS)] == ["60", "2", "0", "1m0s"]
        clock.now = 59 * SECOND + 1
        answered, body, headers = await ask(http, path)
        assert (answered, body["error"]["message"], headers["Retry-After"]) == (429, MESSAGE.format(1), "1")
        clock.now += SECOND
        assert await status(http, path) == 200


async def test_gemini_refuses_in_its_form_and_tells_nothing_else() -> None:
    async with serving(*limited("chat=2/60")) as http:
        path = "/v1beta/models/m:generateContent"
        for _ in range(2):
            answered, _, headers = await ask(http, path)
            assert (answered, [name for name in RATE_HEADERS if name in headers]) == (200, [])
        answered, body, headers = await ask(http, path)
        details = body["error"].pop("details")
        assert (answered, body, headers["Retry-After"]) == (429, {"error": GOOGLE}, "60")
        assert not any(name in headers for name in RATE_HEADERS)
        assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "60s"} in details
        stream = "/v1beta/models/m:streamGenerateContent"
        answered, (told,), _ = await ask(http, stream)
        assert (answered, told["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        async with http.post(f"{stream}?alt=sse") as answer:
            assert (answer.status, answer.content_type) == (429, "text/event-stream")


async def test_openais_api_beside_gemini_refuses_in_a_list() -> None:
    async with serving(*limited("chat=2/60")) as http:
        path = "/v1beta/openai/chat/completions"
        answers = [await ask(http, path) for _ in range(3)]
        answered, body, headers = answers[-1]
        assert (answered, body, headers["Retry-After"]) == (429, [{"error": GOOGLE}], "60")


async def test_the_workbench_refuses_in_both_forms() -> None:
    async def never(_call: Call, _services: Services) -> web.Response:
        return json_response({})

    settings, rates = limited("summarize=2/60")
    route = Route("POST", "/x", never, "workbench", bucket="summarize")
    protocol = replace(workbench(read_transcript), routes=(route,))
    async with serving(settings, rates, (protocol,)) as http:
        assert [await status(http, "/x") for _ in range(2)] == [200, 200]
        answered, body, headers = await ask(http, "/x")
    limit = {"bucket": "summarize", "calls": 2, "seconds": 60}
    assert (answered, body) == (429, {"error": {**OPENAI_ERROR, "limit": limit}, "detail": MESSAGE.format(60)})
    assert [headers[name] for name in ("Retry-After", *RATE_HEADERS)] == ["60", "2", "0", "1m0s"]


async def test_a_page_may_read_a_refusal() -> None:
    async with serving(*limited("chat=1/60", cors_origin="https://a.test")) as http:
        page = {"Origin": "https://a.test"}
        answers = [await ask(http, "/v1/chat/completions", headers=page) for _ in range(2)]
        answered, _, headers = answers[-1]
        assert (answered, headers["Access-Control-Allow-Origin"]) == (429, "https://a.test")
        exposed = headers["Access-Control-Expose-Headers"].split(", ")
        assert {*RATE_HEADERS, "Retry-After"} <= {*exposed}


# What counts


async def test_calls_without_a_good_key_or_place_use_nothing() -> None:
    path, key = "/v1/chat/completions", {"Authorization": "Bearer k"}
    async with serving(*limited("chat=1/60", api_key="k", cors_origin="https://a.test")) as http:
        for wrong in ({}, {"Authorization": "Bearer x"}) * 3:
            assert await status(http, path, headers=wrong) == 401
        assert await status(http, path, headers={**key, "Origin": "https://b.test"}) == 403
        assert await status(http, path, method="PUT", headers=key) == 405
        preflight = {"Origin": "https://a.test", "Access-Control-Request-Method": "POST"}
        assert await status(http, path, method="OPTIONS", headers=preflight) == 204
        assert [await status(http, path, headers=key) for _ in range(2)] == [200, 429]
        assert await status(http, path, headers={"Authorization": "Bearer x"}) == 401  # the key comes first


async def test_every_api_draws_on_the_same_bucket() -> None:
    async with serving(*limited("embed=2/10,chat=1/60")) as http:
        assert [await status(http, path) for path in EMBED[:3]] == [200, 200, 429]
        assert [await status(http, path) for path in CHAT[-2:]] == [200, 429]


async def test_a_flood_of_one_bucket_leaves_the_others_alone() -> None:
    clock = Clock()
    async with serving(*limited("egemma", clock)) as http:
        assert [await status(http, "/v1/embeddings") for _ in range(7)] == [200] * 5 + [429] * 2
        assert await status(http, "/v1/conversations") == 200
        clock.now = 9 * SECOND
        assert await status(http, "/v1/chat/completions") == 200
        clock.now = 10 * SECOND
        assert await status(http, "/v1/embeddings") == 200


async def test_what_fails_behind_the_check_counts_and_tells_what_is_left() -> None:
    async def fails(_call: Call, _services: Services) -> web.Response:
        raise Unavailable("The queue is full.", reason="queue_full", retry_after=3)

    settings, rates = limited("chat=2/60")
    route = Route("POST", "/v1/x", fails, "openai-chat", bucket="chat")
    async with serving(settings, rates, (replace(PROTOCOL, routes=(route,)),)) as http:
        answers = [await ask(http, "/v1/x") for _ in range(3)]
    assert [answer[0] for answer in answers] == [503, 503, 429]
    assert [answer[2]["Retry-After"] for answer in answers] == ["3", "3", "60"]
    assert [answer[2][RATE_HEADERS[1]] for answer in answers] == ["1", "0", "0"]


async def test_the_header_of_proxies_is_heeded_where_they_are_trusted() -> None:
    path = "/v1/chat/completions"
    one, other = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}
    async with serving(*limited("chat=1/60")) as http:
        assert [await status(http, path, headers=headers) for headers in (one, other)] == [200, 429]
    async with serving(*limited("chat=1/60", trusted_proxies="127.0.0.0/8")) as http:
        statuses = [await status(http, path, headers=headers) for headers in (one, other, one, other)]
        assert statuses == [200, 200, 429, 429]
        assert await status(http, path) == 200


async def test_without_limits_nothing_counts() -> None:
    async with serving(Settings()) as http:
        for _ in range(200):
            assert await status(http, "/v1/chat/completions") == 200


# The routes that tell limits


async def test_the_limits_are_told_to_everybody() -> None:
    off = {"calls": 1_000_000, "seconds": 60, "enabled": False}
    all_off: dict[str, object] = dict.fromkeys(BUCKETS, off)
    some = {"embed": {"calls": 5, "seconds": 10}, "chat": {"calls": 7, "seconds": 60}}
    for text, expected in (("", all_off), ("embed=5/10,chat=7/60", all_off | some)):
        settings = Settings(rate_limits=text, api_key="k")
        async with serving(settings, protocols=(workbench(read_transcript),)) as http:
            answered, body, _ = await ask(http, "/rate-limits", method="GET")
            assert (answered, body, list(body)) == (200, expected, list(BUCKETS))
            assert await status(http, "/rate-limits") == 405
    async with serving(Settings(surfaces="openai-chat"), protocols=(workbench(read_transcript),)) as http:
        answered, body, _ = await ask(http, "/rate-limits", method="GET")
        assert (answered, body["detail"], body["error"]["code"]) == (404, "Not Found", "not_found")


def test_the_limits_in_force_are_told_by_name() -> None:
    told = limits(Settings(rate_limits="chat=7/60", pdf_workers=3, queue_size=0, upstream="http://secret@x/v1"))
    assert told["rate_limits"] == {"chat": {"calls": 7, "seconds": 60}}
    assert (told["pdf_workers"], told["queue_size"], told["max_body_bytes"]) == (3, 0, 67_108_864)
    assert NAMED_LIMITS - {*told} == set()
    assert {*told} & {*SECRETS, "trusted_proxies", "upstream", "data_dir"} == set()
    assert "secret" not in str(told)
    assert limits(Settings())["pdf_workers"] in {1, 2, 3, 4}
