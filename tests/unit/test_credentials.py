"""Who is let in, and how the others are told, over a real socket and for every protocol."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientSession
from multidict import CIMultiDict

from localaik.cli.checks import check_keys
from localaik.errors import Unauthorized
from localaik.server.credentials import Credentials
from localaik.settings import Settings, SettingsError, load, read_keys
from tests.hollow_server import REACHED, serving

KEY = "canary-9f31"
PATHS = {
    "gemini": "/v1beta/models/m:generateContent",
    "openai": "/v1/chat/completions",
    "gemini-openai": "/v1beta/openai/chat/completions",
    "workbench": "/v1/sessions",
}
CHALLENGE = 'Bearer realm="localaik"'
NO_KEY = "Method doesn't allow unregistered callers"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with serving(Settings(api_key=KEY)) as session:
        yield session


Ask = Callable[..., Awaitable[tuple[int, object, str]]]


@pytest.fixture
def ask(http: ClientSession) -> Ask:
    async def send(protocol: str, headers: dict[str, str], query: str = "") -> tuple[int, object, str]:
        async with http.post(PATHS[protocol] + query, headers=headers, json={}) as answer:
            return answer.status, await answer.json(), answer.headers.get("WWW-Authenticate", "")

    return send


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bEARER   {KEY} "},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
        {"x-goog-api-key": KEY, "Authorization": "Bearer wrong"},
        {"x-api-key": "wrong", "Authorization": f"Bearer {KEY}"},
        {"x-api-key": "", "x-goog-api-key": KEY, "Authorization": "Basic wrong"},
    ],
)
async def test_every_form_of_a_right_key_is_taken_whatever_the_others_hold(
    ask: Ask, protocol: str, headers: dict[str, str]
) -> None:
    assert await ask(protocol, headers) == (200, REACHED, "")


@pytest.mark.parametrize(("protocol", "status"), [("gemini", 200), ("gemini-openai", 200), ("openai", 401)])
async def test_the_query_is_a_credential_on_gemini_paths_alone(ask: Ask, protocol: str, status: int) -> None:
    assert (await ask(protocol, {}, f"?key={KEY}"))[0] == status


NOTHING = [{}, {"Authorization": ""}, {"x-api-key": ""}, {"x-goog-api-key": " "}]
OTHER = [{"Authorization": f"Basic {KEY}"}, {"Authorization": KEY}, {"Authorization": f"Token {KEY}"}]
BEARER = [{"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": "Bearer \u00e9"}]
WRONG = [{"x-api-key": "wrong"}, {"x-goog-api-key": KEY[:-1]}, {"x-api-key": "wrong", "Authorization": "Bearer no"}]


@pytest.mark.parametrize("headers", NOTHING + OTHER + BEARER + WRONG)
async def test_openai_refuses_with_401(ask: Ask, headers: dict[str, str]) -> None:
    message = "Missing API key." if headers in NOTHING + OTHER else "Invalid API key."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    assert await ask("openai", headers) == (401, {"error": error}, CHALLENGE)


@pytest.mark.parametrize("headers", NOTHING + OTHER + BEARER + WRONG)
async def test_w01_the_workbench_refuses_with_both_forms_of_its_texts(ask: Ask, headers: dict[str, str]) -> None:
    text = "Invalid API Key"
    if headers in [*NOTHING, {"Authorization": "Bearer"}]:
        text = "Not authenticated"
    elif headers in OTHER:
        text = "Invalid authentication credentials"
    error = {"message": text, "type": "authentication_error", "param": None, "code": "unauthorized"}
    assert await ask("workbench", headers) == (401, {"error": error, "detail": text}, CHALLENGE)


@pytest.mark.parametrize("headers", NOTHING + OTHER)
@pytest.mark.parametrize("protocol", ["gemini", "gemini-openai"])
async def test_g52_without_a_key_gemini_says_403(ask: Ask, protocol: str, headers: dict[str, str]) -> None:
    status, body, challenge = await ask(protocol, headers)
    error = gemini_error(protocol, body)
    assert (status, challenge) == (403, "")
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert "details" not in error
    if protocol == "gemini":
        assert str(error["message"]).startswith(NO_KEY)


@pytest.mark.parametrize("headers", WRONG)
async def test_g52_a_wrong_key_is_400_with_its_details(ask: Ask, headers: dict[str, str]) -> None:
    text = "API key not valid. Please pass a valid API key."
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        },
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": text},
    ]
    error = {"code": 400, "message": text, "status": "INVALID_ARGUMENT", "details": details}
    assert await ask("gemini", headers) == (400, {"error": error}, "")
    assert await ask("gemini", {}, "?key=wrong") == (400, {"error": error}, "")
    status, body, _ = await ask("gemini-openai", headers)
    assert (status, gemini_error("gemini-openai", body)["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("headers", BEARER)
@pytest.mark.parametrize("protocol", ["gemini", "gemini-openai"])
async def test_g52_a_wrong_token_alone_is_401(ask: Ask, protocol: str, headers: dict[str, str]) -> None:
    status, body, challenge = await ask(protocol, headers)
    error = gemini_error(protocol, body)
    assert (status, challenge) == (401, CHALLENGE)
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    if protocol == "gemini":
        assert cast("list[dict[str, object]]", error["details"])[0]["reason"] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


def gemini_error(protocol: str, body: object) -> dict[str, object]:
    """The one error of a body; beside OpenAI's paths it stands in a list."""
    inner = cast("list[object]", body)[0] if protocol == "gemini-openai" else body
    return cast("dict[str, dict[str, object]]", inner)["error"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1beta/models", "/models", "/v1beta/openai/models", "/v1/responses"])
async def test_everything_but_health_is_closed(http: ClientSession, path: str) -> None:
    async with http.get(path, headers={"Connection": "Upgrade", "Upgrade": "websocket"}) as answer:
        assert answer.status in {401, 403}
    for method in ("GET", "HEAD"):
        async with http.request(method, "/health") as answer:
            assert answer.status == 200


async def test_an_unknown_path_and_a_wrong_method_are_told_before_the_key_is_asked_for(http: ClientSession) -> None:
    async with http.get("/v1/nothing") as answer:
        assert answer.status == 404
    async with http.put("/v1/chat/completions") as answer:
        assert answer.status == 405


async def test_g43_the_start_of_an_upload_needs_a_key_and_its_pieces_need_none(http: ClientSession) -> None:
    for path in ("/upload/v1beta/files", "/upload/v1beta/files?upload_id=", "/v1beta/files?upload_id=1"):
        async with http.post(path) as answer:
            assert answer.status == 403
    for method in ("POST", "PUT"):
        async with http.request(method, "/upload/v1beta/files?upload_id=0123") as answer:
            assert answer.status == 200


async def test_a_refusal_does_not_wait_for_the_body(http: ClientSession) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await refused.wait()

    refused = asyncio.Event()
    async with http.post("/v1/chat/completions", data=endless()) as answer:
        assert answer.status == 401
        refused.set()


async def test_a_key_is_in_no_line_of_the_log(caplog: pytest.LogCaptureFixture, ask: Ask) -> None:
    caplog.set_level(logging.DEBUG)
    for protocol in PATHS:
        await ask(protocol, {"Authorization": f"Bearer {KEY}", "x-api-key": KEY + "x"}, f"?key={KEY}")
        _, body, _ = await ask(protocol, {"x-goog-api-key": KEY + "x"}, f"?key={KEY}y")
        assert KEY not in str(body)
    assert caplog.records
    assert KEY not in caplog.text


async def test_no_key_configured_takes_whatever_comes() -> None:
    async with serving(Settings()) as session:
        for path in PATHS.values():
            async with session.post(path, headers={"Authorization": "Bearer any"}) as answer:
                assert answer.status == 200


def test_keys_are_compared_as_bytes() -> None:
    credentials = Credentials(["sch\u00f6n", "two words"])
    for key in ("sch\u00f6n", "two words"):
        digest = credentials.check(CIMultiDict({"Authorization": f"Bearer {key}"}), None)
        assert credentials.check(CIMultiDict({}), key) == digest
        assert re.fullmatch("[0-9a-f]{32}", digest)
    for key in ("sch\udcf6n", "\ud800", "words", "Two words"):
        with pytest.raises(Unauthorized):
            credentials.check(CIMultiDict({"x-api-key": key}), None)


def test_keys_of_a_list_and_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\ufeff# ours\none\r\n\n  two \n #three\na,b\n", "utf-8")
    assert read_keys("") == ()
    assert read_keys("one, two") == ("one", "two")
    assert read_keys(f"@{file}") == ("one", "two", "a,b")


@pytest.mark.parametrize("text", [" ", "one,", "one, ,two", "o\x01ne", "one\n", "@", "@/no/such/file"])
def test_a_key_that_can_not_be_one_ends_the_start(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({}, {"LOCALAIK_API_KEY": text})
    (line,) = caught.value.lines
    assert line.startswith("LOCALAIK_API_KEY: ")
    assert "one" not in line.removeprefix("LOCALAIK_API_KEY: ")


def test_a_file_without_keys_leaves_no_server_open(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for content in (b"", b"# none\n", b"\xff\xfe"):
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=r"^--api-key: the file of keys "):
            load({"api_key": f"@{file}"}, {})


def test_the_warning_of_an_open_port_is_for_servers_without_a_key() -> None:
    assert len(load({"host": "0.0.0.0"}, {}).warnings) == 1
    assert load({"host": "0.0.0.0", "api_key": "k"}, {}).warnings == ()
    assert load({}, {}).warnings == ()


def test_settings_and_diagnosis_do_not_show_keys() -> None:
    settings = Settings(api_key=f"{KEY},two")
    assert KEY not in repr(settings)
    assert check_keys(settings).detail == "callers must show one of 2 keys"
    assert check_keys(Settings()).detail.startswith("no key is asked for")


def test_keys_of_other_programs_are_taken_where_there_is_none_of_ours() -> None:
    environ = {"GEMMAKIT_API_KEY": "g"}
    assert load({}, environ).settings.api_key == "g"
    environ["WORKBENCH_API_KEY"] = "w"
    assert load({}, environ).settings.api_key == "w"
    environ["LOCALAIK_API_KEY"] = "ours"
    loaded = load({}, environ)
    assert (loaded.settings.api_key, loaded.sources["api_key"]) == ("ours", "LOCALAIK_API_KEY")
    assert [line.split()[4] for line in loaded.warnings] == ["WORKBENCH_API_KEY", "GEMMAKIT_API_KEY"]
    assert load({}, {"GEMMAKIT_CORS_ORIGIN": "none"}).settings.cors == "none"
