"""Health, headers and refusals that belong to no protocol."""

import aiohttp
import pytest


async def test_b126_health_tells_engine_model_context_and_since_when(http: aiohttp.ClientSession) -> None:
    async with http.get("/health") as answer:
        body = await answer.json()
        assert answer.status == 200
    assert (body["status"], body["model"], body["context_tokens"], body["slots"]) == ("ok", "tiny", 8192, 4)
    assert body["engine"]["name"] == "xllamacpp"
    assert body["ready_since"] > 1_700_000_000
    async with http.get("/health/live") as answer:
        assert await answer.json() == {"status": "ok"}


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
