"""Health, headers and refusals that belong to no protocol."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer


async def test_b126_health_tells_engine_model_context_and_since_when(http: aiohttp.ClientSession) -> None:
    async with http.get("/health") as answer:
        body = await answer.json()
        assert answer.status == 200
    assert (body["status"], body["model"], body["context_tokens"], body["slots"]) == ("ok", "tiny", 8192, 4)
    assert body["engine"]["name"] == "xllamacpp"
    assert body["ready_since"] > 1_700_000_000
    async with http.get("/health/live") as answer:
        assert await answer.json() == {"status": "ok"}


async def test_health_tells_what_embeds_and_whether_it_runs(start_server: Callable[[Settings], RunningServer]) -> None:
    running = start_server(Settings(port=0))
    async with aiohttp.ClientSession(running.url) as http:
        told = await embeddings_of(http)
        assert (told["model"], told["engine"]) == ("tiny-embedding", {"state": "off"})
        async with http.post("/v1/embeddings", json={"model": "m", "input": "Hello"}) as answer:
            assert answer.status == 200
        engine = (await embeddings_of(http))["engine"]
    assert (engine["name"], engine["state"]) == ("xllamacpp", "ready")


async def test_health_tells_that_embeddings_are_off(start_server: Callable[[Settings], RunningServer]) -> None:
    running = start_server(Settings(port=0, embeddings="off"))
    async with aiohttp.ClientSession(running.url) as http:
        assert await embeddings_of(http) is None


async def embeddings_of(http: aiohttp.ClientSession) -> Any:
    async with http.get("/health") as answer:
        assert answer.status == 200
        return (await answer.json())["embeddings"]


@pytest.mark.parametrize("query", ["verbose", "verbose=1", "verbose=true"])
async def test_health_tells_every_limit_on_request(http: aiohttp.ClientSession, query: str) -> None:
    async with http.get(f"/health?{query}") as answer:
        assert answer.status == 200
        told = (await answer.json())["limits"]
    assert (told["max_body_bytes"], told["request_timeout_seconds"]) == (67_108_864, 0)
    assert (told["max_concurrent"], told["rate_limits"]) == (4, {})  # as many as the engine has slots
    for plain in ("/health", "/health?verbose=0", "/health?verbose=false"):
        async with http.get(plain) as answer:
            assert "limits" not in await answer.json()


async def test_b010_head_answers_as_get_without_a_body(http: aiohttp.ClientSession) -> None:
    async with http.head("/health") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nothing", 404, {"error": "not found", "detail": "Not Found"}),
        ("POST", "/health", 405, {"error": "Only GET and HEAD requests are accepted."}),
    ],
)
async def test_b007_paths_of_nobody_get_the_service_shape(
    http: aiohttp.ClientSession, method: str, path: str, status: int, body: object
) -> None:
    async with http.request(method, path) as answer:
        assert (answer.status, await answer.json()) == (status, body)


@pytest.mark.parametrize(
    ("path", "owner"),
    [("/v1beta/nothing", "gemini"), ("/v1beta", "gemini"), ("/v1/nothing", "openai"), ("/v1", "openai")],
)
async def test_b007_b008_unknown_paths_get_the_404_of_their_owner(
    http: aiohttp.ClientSession, path: str, owner: str
) -> None:
    async with http.get(path) as answer:
        assert answer.status == 404
        error = (await answer.json())["error"]
    if owner == "gemini":
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    else:
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "unknown_url")


async def test_b015_every_answer_has_a_request_id_of_its_own(http: aiohttp.ClientSession) -> None:
    ids = []
    for path in ("/health", "/health", "/nothing", "/v1/nothing", "/v1beta/x"):
        async with http.get(path) as answer:
            ids.append(answer.headers["x-request-id"])
    assert len(set(ids)) == len(ids)
