"""The pages that browsers get: what they are made of, and how they are sent."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, cast

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import RawTestServer
from yarl import URL

from localaik import __version__
from localaik.embeddings.embedder import Embedder
from localaik.errors import LocalaikError, NotFound
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.contract import Protocol, Services
from localaik.server.app import Face
from localaik.server.pages import with_pages
from localaik.server.pages.files import ASSETS
from localaik.settings import Settings
from localaik.state.store import Store
from tests.hollow_server import hollow_protocols

PAGES = {"/": "start.html", "/docs": "docs.html"}
FOLDER = files("localaik.assets") / "pages"
CANARY = "canary-key-93f1"
ELSEWHERE = re.compile(r"(?:[a-z]+:)?//[^\s\"'`<>)]+")
OWN_ADDRESSES = ("http://127.0.0.1:8090", "http://www.w3.org/2000/svg")
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """What a page holds; `faults` tells of elements that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{name}> is not closed" for name in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def values(self, attribute: str) -> list[str]:
        return [value for _, found in self.elements if (value := found.get(attribute)) is not None]


@cache
def text_of(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@cache
def page_of(name: str) -> Page:
    return Page(text_of(name))


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    return json_response({"error": error.message}, status=404 if isinstance(error, NotFound) else 401)


@asynccontextmanager
async def serving(**fields: object) -> AsyncIterator[ClientSession]:
    settings = Settings.model_validate({"surfaces": "docs,models", **fields})
    registry = Registry([ModelEntry("my-model", 7, "localaik", 1000, "A model.")])
    services = Services(settings, cast("Any", None), registry, Store(settings), Embedder(None, settings))
    protocols = list(hollow_protocols()[:-1])
    protocols.append(with_pages(Protocol("service", (), _render_error, lambda _: {}), lambda: protocols))
    server = RawTestServer(Face(services, protocols).handle)
    await server.start_server(access_log=None)
    try:
        async with ClientSession(server.make_url("/")) as http:
            yield http
    finally:
        await server.close()


def check_headers(answer: ClientResponse) -> None:
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"


def test_all_files_are_served_and_all_that_is_served_is_there() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {*ASSETS, *PAGES.values()}


@pytest.mark.parametrize("name", [*ASSETS, *PAGES.values()])
def test_nothing_comes_from_another_host(name: str) -> None:
    found = ELSEWHERE.findall(re.sub(r"^\s*//.*$", "", text_of(name), flags=re.MULTILINE))
    assert [address for address in found if not address.startswith(OWN_ADDRESSES)] == []
    assert "@import" not in text_of(name)


@pytest.mark.parametrize("name", [name for name in ASSETS if name.endswith(".js")])
def test_scripts_never_turn_text_into_markup_or_code(name: str) -> None:
    script = text_of(name)
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert word not in script
    loaded = re.findall(r'from "\./([\w.]+)"', script)
    assert set(loaded) <= set(ASSETS)
    assert script.count("import ") == len(loaded)


@pytest.mark.parametrize("name", PAGES.values())
def test_pages_are_sound(name: str) -> None:
    page = page_of(name)
    assert text_of(name).startswith("<!doctype html>\n")
    assert page.faults == []
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    for attribute in ("for", "aria-labelledby", "aria-controls", "data-copy"):
        assert set(page.values(attribute)) <= set(ids)
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)


@pytest.mark.parametrize("name", PAGES.values())
def test_pages_hold_no_script_and_no_style_of_their_own(name: str) -> None:
    page = page_of(name)
    assert [tag for tag, found in page.elements if tag == "style" or (tag == "script" and "src" not in found)] == []
    assert [key for _, found in page.elements for key in found if key == "style" or key.startswith("on")] == []


@pytest.mark.parametrize("name", PAGES.values())
def test_fields_have_labels_and_pictures_have_texts(name: str) -> None:
    page = page_of(name)
    labelled = set(page.values("for"))
    for tag, found in page.elements:
        assert tag not in {"input", "select", "textarea"} or found["id"] in labelled
        assert tag != "img" or "alt" in found
    assert dict(page.elements)["html"]["lang"] == "en"


async def test_every_link_of_the_pages_leads_somewhere() -> None:
    links = {link for name in PAGES.values() for key in ("href", "src") for link in page_of(name).values(key)}
    elsewhere = {"/health", "/metrics"}  # routes of others
    async with serving() as http:
        for link in sorted(link for link in links - elsewhere if not link.startswith("#")):
            async with http.get(link) as answer:
                assert answer.status == 200, link
                check_headers(answer)


@pytest.mark.parametrize("keys", ["", CANARY])
async def test_pages_are_open_and_tell_no_key(keys: str) -> None:
    async with serving(api_key=keys) as http:
        for path in ("/", "/docs", "/openapi.json", *(f"/docs/{name}" for name in ASSETS)):
            async with http.get(path) as answer:
                assert answer.status == 200
                check_headers(answer)
                assert CANARY not in await answer.text()
                assert CANARY not in str(answer.headers)


async def test_the_document_tells_whether_a_key_is_asked_for() -> None:
    for keys in ("", CANARY):
        async with serving(api_key=keys) as http, http.get("/openapi.json") as answer:
            assert ("securitySchemes" in (await answer.json())["components"]) is bool(keys)


async def test_the_document_is_that_of_this_server() -> None:
    async with serving(surfaces="docs,openai-chat") as http, http.get("/openapi.json") as answer:
        told = await answer.json()
    chat = told["paths"]["/v1/chat/completions"]["post"]
    assert chat["requestBody"]["content"]["application/json"]["example"]["model"] == "my-model"
    assert "/v1/models" not in told["paths"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/html", "text/html"),
    ],
)
async def test_the_start_page_is_json_for_those_who_want_no_page(accept: str, kind: str) -> None:
    async with serving(api_key=CANARY) as http, http.get("/", headers={"Accept": accept}) as answer:
        assert answer.content_type == kind
        assert "Accept" in answer.headers["Vary"]
        if kind == "application/json":
            told = await answer.json()
            assert told["links"].pop("docs") == "/docs"
            assert (told["name"], told["version"], told["model"]) == ("localaik", __version__, "my-model")
            assert told["asks_for_key"] is True


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/pages.css", "/openapi.json"])
async def test_what_a_browser_has_is_not_sent_again(path: str) -> None:
    async with serving() as http:
        async with http.get(path) as answer:
            tag = answer.headers["ETag"]
        for known, status in ((tag, 304), (f'"other", {tag}', 304), ("*", 304), ('"other"', 200)):
            async with http.get(path, headers={"If-None-Match": known}) as answer:
                assert (answer.status, answer.headers["ETag"]) == (status, tag)
                assert bool(await answer.read()) is (status == 200)


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/docs.js", "/openapi.json"])
async def test_head_tells_the_size_and_sends_nothing(path: str) -> None:
    async with serving() as http:
        async with http.get(path, headers={"Accept-Encoding": "identity"}) as answer:
            size = len(await answer.read())
        async with http.head(path, headers={"Accept-Encoding": "identity"}) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert int(answer.headers["Content-Length"]) == size


async def test_pages_are_compressed_for_those_who_can_read_it() -> None:
    async with serving() as http, http.get("/openapi.json", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert (await answer.json())["info"]["title"] == "localaik"


@pytest.mark.parametrize(
    "path", ["/docs/nothing.js", "/docs/start.html", "/docs/..%2fmodels", "/docs/a/b", "/index.html"]
)
async def test_other_files_are_not_found(path: str) -> None:
    async with serving() as http, http.get(URL(path, encoded=True)) as answer:
        assert answer.status == 404
        assert "Content-Security-Policy" not in answer.headers


async def test_the_host_of_a_request_is_never_repeated() -> None:
    async with serving(api_key=CANARY) as http:
        for path in ("/", "/docs", "/openapi.json"):
            async with http.get(path, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 200
                assert "evil" not in await answer.text() + str(answer.headers)


async def test_pages_can_be_switched_off() -> None:
    async with serving(surfaces="openai-chat") as http:
        for path in ("/", "/docs", "/docs/pages.css", "/openapi.json"):
            async with http.get(path) as answer:
                assert answer.status == 404
