"""What web pages may do: the `Host` that they call, and the origin that they come from."""

from collections.abc import Mapping

import pytest
from aiohttp import ClientSession
from multidict import CIMultiDict

from localaik.server.hosts import Hosts
from localaik.server.origins import Origins
from localaik.settings import Settings, SettingsError, load, normal_origin, read_hosts, read_origins
from tests.hollow_server import serving

PAGE = "http://localhost:3000"
EVIL = "https://evil.example"
EXPOSED = (
    "X-Session-Id, X-Request-Id, Retry-After, X-Cache, X-Input-Truncated, x-localaik-ignored, X-Goog-Upload-URL,"
    " X-Goog-Upload-Status, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
)
HEADERS_OF = {
    "gemini": "/v1beta/models",
    "openai": "/v1/models",
    "gemini-openai": "/v1beta/openai/models",
    "workbench": "/v1/sessions",
    "service": "/health",
}


def cors_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower().startswith("access-control-")}


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        ("localhost", True),
        ("LOCALHOST:8090", True),
        ("localhost.:8090", True),
        ("app.localhost:1", True),
        ("127.0.0.1:8090", True),
        ("127.255.0.9", True),
        ("[::1]:8090", True),
        ("[::1]", True),
        ("", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8090", False),
        ("evillocalhost", False),
        ("192.168.1.4:8090", False),
        ("0.0.0.0:8090", False),
        ("[::2]", False),
        ("::1", False),
        ("llm.lan:8090", True),
        ("a.llm.lan", False),
        ("lan", False),
        ("a.box", True),
        ("a.b.BOX:1", True),
        ("box", False),
    ],
)
def test_b135_hosts_of_this_machine_and_allowed_ones(header: str, admitted: bool) -> None:
    assert Hosts(read_hosts("llm.lan, *.Box")).admits(header) is admitted


@pytest.mark.parametrize("path", HEADERS_OF.values())
async def test_b135_another_host_is_refused_in_every_protocol(path: str) -> None:
    async with serving(Settings()) as http:
        for method in ("GET", "OPTIONS"):
            async with http.request(method, path, headers={"Host": "evil.example:8090"}) as answer:
                assert answer.status == 403
                assert "error" in await answer.text()
        async with http.get(path, headers={"Host": "127.0.0.1"}) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "settings", [Settings(api_key="k"), Settings(host="0.0.0.0"), Settings(allowed_hosts="evil.example")]
)
async def test_b135_with_a_key_or_beyond_loopback_any_host_will_do(settings: Settings) -> None:
    headers = {"Host": "evil.example:8090", "x-api-key": "k"}
    async with serving(settings) as http, http.post("/v1/chat/completions", headers=headers) as answer:
        assert answer.status == 200


async def refusal(http: ClientSession, path: str, headers: dict[str, str]) -> object:
    async with http.get(path, headers=headers) as answer:
        assert answer.status == 403
        assert answer.headers["Vary"].startswith("Origin")
        assert not cors_headers(answer.headers)
        return await answer.json()


async def test_b136_a_foreign_origin_is_refused_in_each_protocols_shape() -> None:
    async with serving(Settings(cors_origin=PAGE)) as http:
        seen = {name: await refusal(http, path, {"Origin": EVIL}) for name, path in HEADERS_OF.items()}
    text = "Web pages of this origin may not call this server. LOCALAIK_CORS_ORIGIN allows origins."
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": "forbidden"}
    google = {"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}}
    assert seen == {
        "gemini": google,
        "openai": {"error": error},
        "gemini-openai": [google],
        "workbench": {"error": {**error, "type": "permission_error"}, "detail": text},
        "service": {"error": text},
    }


async def test_b136_by_default_every_answer_is_for_every_page() -> None:
    expected = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}
    async with serving(Settings(api_key="k")) as http:
        for path, key, status in (
            ("/v1/models", "k", 200),
            ("/v1/models", "", 401),
            ("/v1beta/models", "", 403),
            ("/v1/nothing", "", 404),
            ("/v1/sessions/x/load", "k", 405),
        ):
            for origin in ({"Origin": EVIL}, {}):
                async with http.get(path, headers={**origin, "Authorization": f"Bearer {key}"}) as answer:
                    assert answer.status == status
                    assert cors_headers(answer.headers) == expected


@pytest.mark.parametrize("origin", [PAGE, "HTTP://LocalHost:3000", "capacitor://localhost", "null", "https://a.b:443"])
async def test_an_allowed_origin_is_echoed_and_the_others_vary(origin: str) -> None:
    async with serving(Settings(cors_origin=f"{PAGE},capacitor://localhost,null,https://A.b")) as http:
        async with http.get("/v1/models", headers={"Origin": origin}) as answer:
            expected = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}
            assert (answer.status, cors_headers(answer.headers), answer.headers["Vary"]) == (200, expected, "Origin")
        own = str(http._base_url).rstrip("/")
        for headers in ({}, {"Origin": own}, {"Origin": own.upper()}):
            async with http.get("/v1/models", headers=headers) as answer:
                assert (answer.status, cors_headers(answer.headers), answer.headers["Vary"]) == (200, {}, "Origin")
        for other in ("http://localhost:3001", "http://localhost", "https://localhost:3000", "https://a.b:444", "x"):
            await refusal(http, "/v1/models", {"Origin": other})


async def test_none_has_no_header_and_takes_its_own_pages_alone() -> None:
    async with serving(Settings(cors_origin="none")) as http:
        own = str(http._base_url).rstrip("/")
        for origin, status in ((own, 200), (EVIL, 403), ("null", 403)):
            async with http.get("/v1/models", headers={"Origin": origin}) as answer:
                assert (answer.status, cors_headers(answer.headers), answer.headers.get("Vary")) == (status, {}, None)
        preflight = {"Origin": own, "Access-Control-Request-Method": "POST"}
        for headers in ({}, preflight):
            async with http.options("/v1/chat/completions", headers=headers) as answer:
                assert (answer.status, cors_headers(answer.headers)) == (204, {})
                assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


ASKED = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, X-Stainless-Lang,x-evil, x-goog-upload-command",
}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/chat/completions", "GET, HEAD, POST"),
        ("/v1beta/models/m:generateContent", "POST"),
        ("/v1/batches/b", "DELETE, GET, HEAD"),
        ("/upload/v1beta/files", "POST, PUT"),
        ("/v1/sessions/s", "DELETE, GET, HEAD"),
        ("/health/", "GET, HEAD"),
    ],
)
async def test_a_preflight_needs_no_key(path: str, methods: str) -> None:
    granted = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "content-type, X-Stainless-Lang, x-goog-upload-command",
        "Access-Control-Max-Age": "600",
        "Access-Control-Expose-Headers": EXPOSED,
    }
    private = {"Access-Control-Request-Private-Network": "true"}
    asked = {"Origin": PAGE, **ASKED, **private}
    async with serving(Settings(api_key="k")) as http, http.options(path, headers=asked) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert cors_headers(answer.headers) == {**granted, "Access-Control-Allow-Origin": "*"}
    async with serving(Settings(api_key="k", cors_origin=PAGE)) as http:
        async with http.options(path, headers={"Origin": PAGE, **ASKED}) as answer:
            assert cors_headers(answer.headers) == {**granted, "Access-Control-Allow-Origin": PAGE}
        async with http.options(path, headers=asked) as answer:
            assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
            assert "Access-Control-Allow-Credentials" not in answer.headers
        async with http.options(path, headers={"Origin": EVIL, **ASKED, **private}) as answer:
            assert (answer.status, cors_headers(answer.headers)) == (403, {})


async def test_an_unknown_path_has_no_preflight() -> None:
    async with serving(Settings()) as http:
        for path in ("/v1/nothing", "/nothing", "*"):
            async with http.options(path, headers={"Origin": PAGE, **ASKED}) as answer:
                assert answer.status == 404
                assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_what_a_page_may_send() -> None:
    names = "Authorization,Accept,anthropic-version,X-Session-Id,X-Localaik-Strict,X-Client-Version,x-stainless-os"
    refused = "cookie, x-stainless, x-stainless-a b,xx-client-a, host"
    asked = CIMultiDict({"Origin": PAGE, "Access-Control-Request-Headers": f"{names},{refused},"})
    assert Origins("*").preflight(asked, ("GET",))["Access-Control-Allow-Headers"] == names.replace(",", ", ")
    assert "Access-Control-Allow-Headers" not in Origins("*").preflight(CIMultiDict({"Origin": PAGE}), ("GET",))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("HTTP://A.B:80", "http://a.b"),
        ("https://a:8443", "https://a:8443"),
        ("https://[::1]:443", "https://[::1]"),
        ("http://a:443", "http://a:443"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
        ("http://a/", None),
        ("http://a?b", None),
        ("http://u@a", None),
        ("//a", None),
        ("a.b", None),
        ("", None),
    ],
)
def test_origins_are_compared_without_case_and_default_ports(text: str, origin: str | None) -> None:
    assert normal_origin(text) == origin


@pytest.mark.parametrize(
    "text", ["http://a/b", "*,http://a", "http://a b", " ", "http://a, http://b", "http://a,", "a"]
)
def test_a_setting_that_is_no_origin_ends_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^LOCALAIK_CORS_ORIGIN must be `\*`, `none`, or origins"):
        load({}, {"LOCALAIK_CORS_ORIGIN": text})


@pytest.mark.parametrize("text", ["a:8090", "http://a", " ", "*", "a,,b"])
def test_a_setting_that_is_no_host_ends_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--allowed-hosts must be names without a port"):
        load({"allowed_hosts": text}, {})


def test_b136_with_a_credential_for_an_upstream_the_default_is_none() -> None:
    upstream = "http://h:1/v1"
    assert Settings().cors == Settings(upstream=upstream).cors == "*"
    assert Settings(upstream=upstream, upstream_auth_header="A: b").cors == "none"
    assert Settings(upstream="http://u:p@h:1/v1").cors == "none"
    assert Settings(embedding_upstream="http://h/v1?key=1").cors == "none"
    assert Settings(upstream=upstream, upstream_auth_header="A: b", cors_origin="*").cors == "*"
    assert read_origins("none") == ()
