"""Groups of routes that are switched off are not there."""

import pytest
from aiohttp import ClientSession

from localaik.protocols.contract import ALWAYS_SERVED
from localaik.settings import SURFACES, Settings, SettingsError, load
from tests.chat_face import chat_face, user
from tests.hollow_server import hollow_protocols, serving

ONE_OF = {
    "openai-chat": ("POST", "/v1/chat/completions"),
    "openai-completions": ("POST", "/v1/completions"),
    "openai-responses": ("POST", "/v1/responses"),
    "conversations": ("GET", "/v1/conversations/c"),
    "embeddings": ("POST", "/v1/embeddings"),
    "models": ("GET", "/v1/models"),
    "openai-extra": ("GET", "/v1/files/f"),
    "gemini": ("POST", "/v1beta/models/m:generateContent"),
    "sessions": ("GET", "/v1/sessions"),
    "workbench": ("GET", "/rate-limits"),
    "docs": ("GET", "/docs"),
}
ALWAYS = ("GET", "/health")


async def statuses(surfaces: str) -> dict[str, int]:
    """What one route of each surface answers."""
    async with serving(Settings(surfaces=surfaces)) as http:
        return {name: await status(http, *where) for name, where in {**ONE_OF, "health": ALWAYS}.items()}


async def status(http: ClientSession, method: str, path: str) -> int:
    async with http.request(method, path) as answer:
        return answer.status


def test_every_route_has_a_surface_and_every_surface_has_routes() -> None:
    used = {route.surface for protocol in hollow_protocols() for route in protocol.routes}
    assert used == {*SURFACES, ALWAYS_SERVED}


@pytest.mark.parametrize("surface", SURFACES)
async def test_a_surface_alone_answers_alone(surface: str) -> None:
    expected = {**dict.fromkeys(SURFACES, 404), surface: 200, "health": 200}
    assert await statuses(surface) == expected


async def test_all_is_the_default() -> None:
    assert await statuses(Settings().surfaces) == dict.fromkeys([*SURFACES, "health"], 200)


async def test_what_is_off_is_an_unknown_path_in_the_shape_of_its_owner() -> None:
    google = {"x-goog-api-key": "k"}
    async with serving(Settings(surfaces="openai-chat")) as http:
        async with http.get("/v1/models") as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_url")
        async with http.get("/v1/models", headers=google) as answer:
            assert (answer.status, (await answer.json())["error"]["status"]) == (404, "NOT_FOUND")
        async with http.post("/v1beta/models/m:generateContent") as answer:
            assert (answer.status, (await answer.json())["error"]["status"]) == (404, "NOT_FOUND")
        async with http.get("/v1beta/openai/models") as answer:
            assert (answer.status, (await answer.json())[0]["error"]["status"]) == (404, "NOT_FOUND")
        async with http.get("/v1/sessions") as answer:
            assert (answer.status, (await answer.json())["detail"]) == (404, "Not Found")
        async with http.get("/v1/audio/voices") as answer:
            assert "Please check the URL" in (await answer.json())["error"]["message"]
        for path, expected in (("/v1beta/openai/chat/completions", 200), ("/v1beta/openai/embeddings", 404)):
            assert await status(http, "POST", path) == expected
        assert await status(http, "OPTIONS", "/v1/embeddings") == 404
        async with http.options("/v1/chat/completions") as answer:
            assert (answer.status, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_a_shared_path_of_an_owner_that_is_off_is_not_given_to_another_one() -> None:
    async with serving(Settings(surfaces="gemini, OpenAI-Chat")) as http:
        assert await status(http, "GET", "/v1/models") == 404
        assert await status(http, "GET", "/v1/models?key=k") == 200
        assert await status(http, "GET", "/v1beta/models") == 200
        async with http.options("/v1/models") as answer:
            assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_a_path_that_is_off_is_told_before_a_key_is_asked_for() -> None:
    async with serving(Settings(surfaces="gemini", api_key="k")) as http:
        assert await status(http, "POST", "/v1/chat/completions") == 404
        assert await status(http, "GET", "/v1beta/models") == 403


@pytest.mark.parametrize("text", ["chat", "gemini,", "all,gemini", " "])
def test_an_unknown_name_ends_the_start_with_the_list(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"surfaces": text}, {})
    (line,) = caught.value.lines
    assert line.startswith("--surfaces must be `all`, or some of ")
    assert all(f"`{name}`" in line for name in SURFACES)


async def test_a_session_is_nothing_where_sessions_are_off() -> None:
    session = {"X-Session-Id": "sess_0123456789ab"}
    body = {"messages": [user("Hi")]}
    for surfaces, status in (("all", 404), ("openai-chat", 200)):
        async with (
            chat_face(surfaces=surfaces) as face,
            face.request("POST", "/v1/chat/completions", body, session) as answer,
        ):
            assert answer.status == status
            assert "X-Session-Id" not in answer.headers


async def test_one_name_stands_for_all_of_openais_api() -> None:
    found = await statuses("openai")
    assert {name for name, status in found.items() if status == 200} == {*SURFACES[:7], "health"}
    assert await statuses("openai,gemini") == {**found, "gemini": 200}
