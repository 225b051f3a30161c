"""The pages of a real server, and the snippets of its start page, run as a reader would copy them."""

import json
import os
import re
import runpy
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest

from localaik.assets import page_asset
from localaik.server.pages.files import ASSETS
from tests.contract.conftest import RunningServer
from tests.contract.sdk_drivers import INSTALLED
from tests.contract.test_readme import run

NODE = INSTALLED / "node" / "node"
needs_node = pytest.mark.skipif(not NODE.exists(), reason="Node is not installed")
CHECK_OF_SCRIPTS = """
import { readFileSync } from "node:fs";
import { curlOf } from "./console.js";
import { kindOf, resolve } from "./schema.js";

const told = JSON.parse(readFileSync("openapi.json"));
const kinds = Object.values(told.components.schemas).map((schema) => kindOf(told, schema));
for (const schema of Object.values(told.components.schemas)) {
  for (const field of Object.values(schema.properties ?? {})) {
    kinds.push(kindOf(told, field));
    resolve(told, field);
  }
}
if (kinds.length < 500 || kinds.some((kind) => typeof kind !== "string" || !kind)) throw new Error("kinds");
const seed = kindOf(told, told.components.schemas.OpenAIChatRequest.properties.seed);
if (seed !== "integer | null") throw new Error(seed);

const text = JSON.stringify({ metadata: { topic: process.argv[3] } });
const headers = new Headers({ Authorization: "Bearer SECRET", "Content-Type": "application/json" });
const body = { isGiven: () => true, words: () => ["-d", text] };
process.stdout.write(curlOf("POST", { url: process.argv[2], headers, body: text }, body));
"""
ELSEWHERE = re.compile(r"http://127\.0\.0\.1:8090")


class Snippets(HTMLParser):
    """The codes of a page by their ids, with what the page would put into them."""

    def __init__(self, page: str, slots: dict[str, str]) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._slots = slots
        self._id: str | None = None
        self._in_slot = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "code":
            self._id = given["id"]
            self.found[str(self._id)] = ""
        slot = given.get("data-slot")
        if slot is not None:
            self._in_slot = True
            self.handle_value(self._slots[slot])

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self._id = None
        self._in_slot = self._in_slot and tag != "span"

    def handle_data(self, data: str) -> None:
        if not self._in_slot:
            self.handle_value(data)

    def handle_value(self, text: str) -> None:
        if self._id is not None:
            self.found[self._id] += text


@pytest.fixture
async def snippets(server: RunningServer, http: aiohttp.ClientSession) -> dict[str, str]:
    async with http.get("/") as answer:
        page = await answer.text()
    found = Snippets(page, {"url": server.url, "key": "any", "model": "tiny"}).found
    assert not any(ELSEWHERE.search(code) for code in found.values())
    return found


def test_base_addresses_are_those_of_the_server(server: RunningServer, snippets: dict[str, str]) -> None:
    assert snippets["openai-address"] == f"{server.url}/v1"
    assert snippets["gemini-address"] == server.url


@pytest.mark.parametrize("name", ["openai-python", "gemini-python", "langchain-python"])
def test_python_snippets_run(
    name: str,
    snippets: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable in list(os.environ):
        if variable.startswith(("GOOGLE_", "GEMINI_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_")):
            monkeypatch.delenv(variable)
    (tmp_path / f"{name}.py").write_text(snippets[f"{name}-code"], "utf-8")
    runpy.run_path(str(tmp_path / f"{name}.py"), run_name="__main__")
    assert capsys.readouterr().out.strip()


@needs_node
def test_node_snippets_run(snippets: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(INSTALLED / "node" / "node_modules")
    for name in ("openai-node", "gemini-node"):
        (tmp_path / f"{name}.mjs").write_text(snippets[f"{name}-code"], "utf-8")
        assert run([str(NODE), f"{name}.mjs"], tmp_path).strip()


def test_the_shell_snippet_runs(snippets: dict[str, str], tmp_path: Path) -> None:
    said = run(["bash", "-euc", snippets["curl-code"].replace("curl ", "curl --fail --silent ")], tmp_path)
    assert said.startswith("data: {")
    assert said.rstrip().endswith("data: [DONE]")


@needs_node
async def test_scripts_are_sound_and_tell_commands_that_work(
    server: RunningServer, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with http.get("/openapi.json") as answer:
        (tmp_path / "openapi.json").write_bytes(await answer.read())
    names = [name for name in ASSETS if name.endswith(".js")]
    for name in names:
        (tmp_path / name).write_bytes(page_asset(name).read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "check.js").write_text(CHECK_OF_SCRIPTS, "utf-8")
    for name in names:
        run([str(NODE), "--check", name], tmp_path)
    topic = "it's $HOME and `date` and \\"
    command = run([str(NODE), "check.js", f"{server.url}/v1/conversations", topic], tmp_path)
    assert "SECRET" not in command
    said = run(["bash", "-euc", f"LOCALAIK_API_KEY=any\n{command} --fail --silent"], tmp_path)
    assert json.loads(said)["metadata"] == {"topic": topic}


async def test_the_start_page_tells_of_the_server(http: aiohttp.ClientSession) -> None:
    async with http.get("/", headers={"Accept": "application/json"}) as answer:
        told = await answer.json()
    assert (told["model"], told["asks_for_key"]) == ("tiny", False)
    for link in told["links"].values():
        async with http.get(link if link not in {"/v1", "/v1beta"} else f"{link}/models") as answer:
            assert answer.status == 200


async def test_examples_of_the_document_work(http: aiohttp.ClientSession) -> None:
    async with http.get("/openapi.json") as answer:
        told = await answer.json()
    needs_something_stored = {"/v1/batches", "/v1/responses/compact"}
    asked = 0
    for path, methods in told["paths"].items():
        operation = methods.get("post", {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        parts = [one for one in operation.get("parameters", ()) if one["in"] == "path"]
        if content is None or path in needs_something_stored or any(one["name"] != "model" for one in parts):
            continue
        url = path.replace("{model}", str(parts[0]["example"])) if parts else path
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"} if "upload" in path else {}
        async with http.post(url, json=content["example"], headers=headers) as answer:
            assert answer.status == 200, f"{path}: {await answer.text()}"
            asked += 1
    assert asked > 12
