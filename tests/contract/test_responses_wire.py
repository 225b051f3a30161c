"""Responses and conversations as HTTP: paths, methods, queries, headers, odd ids, and what the SDK makes of faults."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI
from yarl import URL

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.responses_grammar import check_response, check_stream, events_of_sse

MODEL = "gpt-5"
BODY: dict[str, Any] = {"model": MODEL, "input": "Hello", "temperature": 0, "max_output_tokens": 16}
PREFIXES = ("/v1", "", "/openai/v1")
ODD_IDS = [
    "..%2fx",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "resp_" + "a" * 300,
    "resp_%00",
    "%00",
    "resp_a%2Fb",
    "resp_%27%20OR%201=1--",
    "%F0%9F%98%80",
    "%ff%fe",
    "resp_%0d%0ax:%20y",
    "conv_",
    "*",
]
RATE_LIMITS = {f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")}


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


@pytest.fixture
async def response_id(http: aiohttp.ClientSession) -> str:
    async with http.post("/v1/responses", json=BODY) as answer:
        response_id: str = (await answer.json())["id"]
    return response_id


def raw(server: RunningServer, path: str) -> URL:
    """A path that the client sends as it is."""
    return URL(server.url + path, encoded=True)


async def error_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    error: dict[str, Any] = (await answer.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


# Paths and methods


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_routes_answer_under_every_prefix(
    server: RunningServer, http: aiohttp.ClientSession, prefix: str
) -> None:
    for path in (f"{prefix}/responses", f"{prefix}/responses/", f"/{prefix}/responses?beta=true"):
        async with http.post(raw(server, path), json=BODY) as answer:
            response = await answer.json()
            assert answer.status == 200, response
        check_response(response)
    one = f"{prefix}/responses/{response['id']}"
    for path in (one, f"{one}/", f"{one}?beta=true", f"{one}?include[]=message.output_text.logprobs&include[]="):
        async with http.get(path) as answer:
            assert answer.status == (400 if path.endswith("[]=") else 200)
    async with http.get(f"{one}/input_items/") as answer:
        assert len((await answer.json())["data"]) == 1
    async with http.post(f"{prefix}/responses/input_tokens", json={"model": MODEL, "input": "Hello"}) as answer:
        assert (await answer.json())["input_tokens"] == response["usage"]["input_tokens"]
    async with http.post(f"{prefix}/responses/compact", json={"model": MODEL, "input": "Hello"}) as answer:
        assert [item["type"] for item in (await answer.json())["output"]] == ["message", "compaction"]
    async with http.post(f"{prefix}/conversations", json={}) as answer:
        talk = (await answer.json())["id"]
    async with http.get(f"{prefix}/conversations/{talk}/items/?metadata[a]=b&order=asc") as answer:
        assert (await answer.json())["data"] == []


async def test_includes_come_in_every_form(http: aiohttp.ClientSession, response_id: str) -> None:
    known = ("message.output_text.logprobs", "reasoning.encrypted_content")
    for name in ("include", "include[]"):
        query = "&".join(f"{name}={value}" for value in known)
        for path in (f"/v1/responses/{response_id}", f"/v1/responses/{response_id}/input_items"):
            async with http.get(f"{path}?{query}") as answer:
                assert answer.status == 200
            async with http.get(f"{path}?{query}&{name}=nonsense") as answer:
                error = await error_of(answer)
                assert (answer.status, error["param"], error["code"]) == (400, "include[2]", "invalid_value")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/responses/resp_x", "DELETE, GET, HEAD"),
        ("PATCH", "/v1/responses/resp_x", "DELETE, GET, HEAD"),
        ("GET", "/v1/responses", "POST"),
        ("PUT", "/v1/responses", "GET, HEAD, POST"),
        ("GET", "/v1/responses/resp_x/cancel", "POST"),
        ("POST", "/v1/responses/resp_x/input_items", "GET, HEAD"),
        ("GET", "/v1/responses/compact/", None),
        ("DELETE", "/v1/conversations", "GET, HEAD, POST"),
        ("PUT", "/v1/conversations/conv_x", "DELETE, GET, HEAD, POST"),
        ("PUT", "/v1/conversations/conv_x/items", "GET, HEAD, POST"),
        ("POST", "/v1/conversations/conv_x/items/msg_x", "DELETE, GET, HEAD"),
    ],
)
async def test_other_methods_are_told_what_is_served(
    http: aiohttp.ClientSession, method: str, path: str, allow: str | None
) -> None:
    async with http.request(method, path, json={}) as answer:
        error = await error_of(answer)
    if allow is None:  # a name of its own, which is no id of a response
        assert answer.status in {404, 405}
        return
    assert (answer.status, error["code"], answer.headers["Allow"]) == (405, "method_not_supported", allow)
    assert error["message"].startswith("Only ")


async def test_an_answer_to_head_has_no_body(http: aiohttp.ClientSession, response_id: str) -> None:
    for query in ("", "?stream=true"):
        async with http.head(f"/v1/responses/{response_id}{query}") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with http.get(f"/v1/responses/{response_id}") as answer:  # on the same connection
            assert (await answer.json())["id"] == response_id


@pytest.mark.parametrize("path", ["/responses/resp_x/nonsense", "/responses/resp_x/cancel/x", "/responses/a/b/c"])
async def test_unknown_paths_below_are_404(http: aiohttp.ClientSession, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        async with http.request(method, f"/v1{path}") as answer:
            error = await error_of(answer)
            assert (answer.status, error["code"]) == (404, "unknown_url")
            assert f"{method} /v1{path}" in error["message"]


# Ids

ONE_RESPONSE = [
    ("GET", ""),
    ("GET", "?stream=true&starting_after=1"),
    ("DELETE", ""),
    ("POST", "/cancel"),
    ("GET", "/input_items"),
]
ONE_CONVERSATION = [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/items"), ("POST", "/items")]
ITEM = {"items": [{"role": "user", "content": "x"}], "metadata": {}}


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_odd_ids_are_unknown_everywhere(server: RunningServer, http: aiohttp.ClientSession, odd: str) -> None:
    routes = [(method, f"/v1/responses/{odd}{rest}") for method, rest in ONE_RESPONSE]
    routes += [(method, f"/v1/conversations/{odd}{rest}") for method, rest in ONE_CONVERSATION]
    routes += [(method, f"/v1/conversations/{odd}/items/{odd}") for method in ("GET", "DELETE")]
    async with http.post("/v1/conversations", json={}) as answer:
        talk = (await answer.json())["id"]
    routes += [(method, f"/v1/conversations/{talk}/items/{odd}") for method in ("GET", "DELETE")]
    for method, path in routes:
        async with http.request(method, raw(server, path), json=ITEM if method == "POST" else None) as answer:
            error = await error_of(answer)
            assert answer.status == 404, (method, path, error)
            assert error["type"] == "invalid_request_error"
            assert len(error["message"]) < 400
    body = BODY | {"input": [{"type": "item_reference", "id": "x" + URL(f"/{odd}", encoded=True).path}]}
    async with http.post("/v1/responses", json=body) as answer:
        assert answer.status in {400, 404}


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 5000, "\u0663"])
async def test_odd_numbers_are_refused(http: aiohttp.ClientSession, response_id: str, number: str) -> None:
    query = {"stream": "true", "starting_after": number}
    async with http.get(f"/v1/responses/{response_id}", params=query) as answer:
        error = await error_of(answer)
        assert (answer.status, error["param"], error["code"]) == (400, "starting_after", "invalid_type")
    async with http.get(f"/v1/responses/{response_id}/input_items", params={"limit": number}) as answer:
        assert (answer.status, (await error_of(answer))["param"]) == (400, "limit")


# Headers


async def test_headers_of_answers(http: aiohttp.ClientSession) -> None:
    body = BODY | {"user": "ada", "tools": [{"type": "web_search"}], "prompt_cache_key": "k", "nonsense": 1}
    for stream in (False, True):
        async with http.post("/v1/responses", json=body | {"stream": stream}) as answer:
            told, text = answer.headers, await answer.read()
        assert told["x-request-id"].startswith("req_")
        assert told["openai-version"] == "2020-10-01"
        assert told["openai-organization"] == "localaik"
        assert told["openai-processing-ms"].isdigit()
        assert set(told) >= RATE_LIMITS
        ignored = set(told["x-localaik-ignored"].split(", "))
        assert ignored >= {"user", "prompt_cache_key", "tools[0]", "nonsense"}
        if stream:
            assert told["content-type"] == "text/event-stream; charset=utf-8"
            assert told["cache-control"] == "no-cache"
            assert told["x-accel-buffering"] == "no"
            check_stream(events_of_sse(text))
        else:
            assert told["content-type"].startswith("application/json")
    response_id = URL(f"/v1/responses/{events_of_sse(text)[0]['response']['id']}")
    async with http.get(response_id) as answer:
        assert not RATE_LIMITS & set(answer.headers)
        assert "x-localaik-ignored" not in answer.headers
    async with http.get("/v1/responses/resp_x") as answer:
        assert answer.status == 404
        assert answer.headers["x-request-id"].startswith("req_")
        assert "openai-processing-ms" in answer.headers


async def test_every_route_names_what_it_ignores(start_server: Callable[[Settings], RunningServer]) -> None:
    body = {"model": MODEL, "input": "Hello", "instructions": "Be brief.", "prompt_cache_key": "k", "nonsense": 1}
    server = start_server(Settings(port=0, state="memory", strict_wire=True, strict_models=True, model_id="m"))
    for path, ignored in (
        ("/v1/responses/compact", {"instructions", "prompt_cache_key"}),
        ("/v1/responses/input_tokens", set[str]()),
    ):
        sent = {name: value for name, value in body.items() if name in {"input", "instructions", *ignored}}
        async with aiohttp.ClientSession(server.url) as http:
            async with http.post(path, json=sent | {"model": "m"}) as answer:
                assert answer.status == 200, await answer.text()
                assert answer.headers.get("x-localaik-ignored", "") == ", ".join(sorted(ignored, reverse=True))
            async with http.post(path, json=sent | {"model": "m", "nonsense": 1}) as answer:
                error = await error_of(answer)
                assert (answer.status, error["code"], error["param"]) == (400, "unknown_parameter", "nonsense")
            async with http.post(path, json=sent | {"model": "other"}) as answer:
                assert (answer.status, (await error_of(answer))["code"]) == (404, "model_not_found")


async def test_a_body_must_be_json(http: aiohttp.ClientSession) -> None:
    for path in ("/v1/responses", "/v1/conversations", "/v1/responses/compact", "/v1/responses/input_tokens"):
        async with http.post(path, data=b"{", headers={"Content-Type": "application/json"}) as answer:
            error = await error_of(answer)
            assert answer.status == 400
            assert error["message"].startswith("We could not parse the JSON body of your request.")
        async with http.post(path, data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
            assert answer.status == 415
        async with http.post(path, json=[]) as answer:
            assert answer.status == 400


# What the SDK raises


async def test_faults_are_typed(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        await client.responses.create(model=MODEL, input="x", temperature=5)
    assert (bad.value.param, bad.value.code, bad.value.type) == (
        "temperature",
        "decimal_above_max_value",
        "invalid_request_error",
    )
    assert bad.value.request_id is not None
    for get in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="Response with id 'resp_nothing' not found"):
            await get("resp_nothing")
    with pytest.raises(openai.NotFoundError, match="resp_nothing"):
        await client.responses.input_items.list("resp_nothing")
    with pytest.raises(openai.NotFoundError, match="conv_nothing"):
        await client.conversations.items.list("conv_nothing")
    with pytest.raises(openai.BadRequestError, match="Mutually exclusive") as bad:
        await client.responses.create(model=MODEL, input="x", previous_response_id="resp_a", conversation="conv_b")
    assert bad.value.code == "mutually_exclusive_parameters"
    with pytest.raises(openai.BadRequestError, match="Mutually exclusive"):
        await client.responses.input_tokens.count(
            model=MODEL, input="x", previous_response_id="resp_a", conversation="conv_b"
        )
    with pytest.raises(openai.BadRequestError) as bad:
        await client.responses.create(
            model=MODEL,
            input="x",
            tools=[{"type": "web_search_preview"}],
            tool_choice={"type": "web_search_preview"},
        )
    assert (bad.value.param, bad.value.code) == ("tool_choice", "unsupported_value")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        await client.responses.cancel((await client.responses.create(**BODY)).id)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_of_a_stream_is_raised_before_it_begins(client: AsyncOpenAI, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        await client.responses.create(model=MODEL, input=[{"role": "user", "content": []}], stream=stream)
    assert bad.value.param is not None
    assert bad.value.param.startswith("input[0]")
