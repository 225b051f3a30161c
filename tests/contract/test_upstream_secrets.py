"""What goes to an upstream and what comes back from it: our own headers alone, the credential to nobody else."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import pytest
from aiohttp import ClientSession, web
from multidict import CIMultiDict

from localaik.server.logs import JsonFormatter, TextFormatter, secrets_hider
from localaik.server.server import Server
from localaik.settings import Settings

KEY = "sk-upstream-secret-1"
EMBEDDING_KEY = "sk-embedding-secret-2"
QUERY = "query-secret-3"
MINE = "client-secret-4"
SECRETS = (KEY, EMBEDDING_KEY, QUERY)

CLIENT_HEADERS = {
    "Authorization": f"Bearer {MINE}",
    "X-Api-Key": MINE,
    "Api-Key": MINE,
    "X-Goog-Api-Key": MINE,
    "X-Goog-User-Project": MINE,
    "X-Goog-Api-Client": MINE,
    "Cookie": f"session={MINE}",
    "Proxy-Authorization": f"Basic {MINE}",
    "Proxy-Connection": "keep-alive",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "forwarded.test",
    "X-Real-Ip": "203.0.113.9",
    "Forwarded": "for=203.0.113.9",
    "Via": "1.1 proxy.test",
    "Connection": "keep-alive, X-Named",
    "X-Named": MINE,
    "Keep-Alive": "timeout=5",
    "TE": "trailers",
    "Referer": f"http://localhost/{MINE}",
    "User-Agent": MINE,
    "Accept-Language": "de",
    "OpenAI-Organization": MINE,
    "OpenAI-Project": MINE,
    "OpenAI-Beta": MINE,
    "Idempotency-Key": MINE,
    "X-Client-Request-Id": "mine",
    "X-Stainless-Lang": MINE,
    "X-Unknown": MINE,
}
FROM_UPSTREAM = {
    "Set-Cookie": "a=b",
    "Proxy-Authenticate": "Basic",
    "WWW-Authenticate": 'Basic realm="upstream"',
    "Server": "upstream/1.0",
    "X-Powered-By": "upstream",
    "X-Request-Id": "theirs",
    "Access-Control-Allow-Credentials": "true",
    "Alt-Svc": 'h3=":443"',
    "Strict-Transport-Security": "max-age=1",
    "Link": "<http://upstream.test>",
}

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Remote:
    """A server that writes down what it is asked. `answer` replaces what an OpenAI-compatible server would say."""

    requests: list[tuple[str, str, CIMultiDict[str], bytes]] = field(default_factory=list)
    answer: Answer | None = None
    only: str = ""
    """What of the paths `answer` is for."""
    url: str = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.raw_path, CIMultiDict(request.headers), body))
        if self.answer is not None and self.only in request.path:
            return await self.answer(request)
        return _ordinary(request.path, body)

    def paths(self) -> set[str]:
        return {path for _, path, _, _ in self.requests}


def _ordinary(path: str, body: bytes) -> web.StreamResponse:
    told: object = {}
    if path == "/v1/models":
        told = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]}
    elif path == "/health":
        told = {"status": "ok"}
    elif path == "/tokenize":
        told = {"tokens": [1, 2, 3], "count": 3}
    elif path == "/v1/embeddings":
        texts = orjson.loads(body)["input"]
        data = [{"object": "embedding", "index": index, "embedding": [1.0, 0.0]} for index in range(len(texts))]
        told = {"object": "list", "data": data, "usage": {"prompt_tokens": 1}}
    elif path.endswith("/completions"):
        asked = orjson.loads(body)
        text = {"delta": {"content": "Hi"}} if "messages" in asked else {"text": "Hi"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        chunk = {"id": "c", "choices": [{"index": 0, "finish_reason": "stop", **text}], "usage": usage}
        if asked.get("stream"):
            stream = b"data: " + orjson.dumps(chunk) + b"\n\ndata: [DONE]\n\n"
            return web.Response(body=stream, headers={**FROM_UPSTREAM, "Content-Type": "text/event-stream"})
        told = {**chunk, "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hi"}}]}
    else:
        return web.json_response({"error": {"message": "no such route"}}, status=404)
    return web.json_response(told, headers=FROM_UPSTREAM)


@asynccontextmanager
async def remote() -> AsyncIterator[Remote]:
    one = Remote()
    runner = web.ServerRunner(web.Server(one.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield one
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(remote: Remote, /, **settings: object) -> AsyncIterator[ClientSession]:
    chosen = {
        "port": 0,
        "state": "memory",
        "upstream": f"{remote.url}?api_key={QUERY}",
        "upstream_auth_header": f"Authorization: Bearer {KEY}",
    }
    server = Server(Settings.model_validate(chosen | settings))
    await server.start()
    try:
        async with ClientSession(server.url) as http:
            yield http
    finally:
        await server.stop()


HELLO = [{"role": "user", "content": "Hello"}]
CALLS: Mapping[str, tuple[str, str, object]] = {
    "chat": ("POST", "/v1/chat/completions", {"model": "m", "messages": HELLO}),
    "streamed chat": ("POST", "/v1/chat/completions", {"model": "m", "messages": HELLO, "stream": True}),
    "completion": ("POST", "/v1/completions", {"model": "m", "prompt": "Hello"}),
    "response": ("POST", "/v1/responses", {"model": "m", "input": "Hello"}),
    "count of a response": ("POST", "/v1/responses/input_tokens", {"model": "m", "input": "Hello"}),
    "embedding": ("POST", "/v1/embeddings", {"model": "m", "input": "Hello"}),
    "models": ("GET", "/v1/models", None),
    "health": ("GET", "/health", None),
    "metrics": ("GET", "/metrics", None),
    "generated content": ("POST", "/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}),
    "streamed content": (
        "POST",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": [{"parts": [{"text": "Hello"}]}]},
    ),
    "count of content": ("POST", "/v1beta/models/m:countTokens", {"contents": [{"parts": [{"text": "Hello"}]}]}),
    "embedded content": ("POST", "/v1beta/models/m:embedContent", {"content": {"parts": [{"text": "Hello"}]}}),
}


@dataclass(frozen=True)
class Told:
    status: int
    headers: CIMultiDict[str]
    text: str

    def everything(self) -> str:
        return f"{self.headers} {self.text}"


async def call(http: ClientSession, name: str, headers: Mapping[str, str] | None = None) -> Told:
    method, path, body = CALLS[name]
    async with http.request(method, path, json=body, headers=headers) as answer:
        return Told(answer.status, CIMultiDict(answer.headers), await answer.text())


async def test_b148_no_header_of_a_caller_reaches_an_upstream() -> None:
    """All calls, and the questions of the start: the names of their headers are always these."""
    async with remote() as upstream:
        async with serving(upstream) as http:
            for name in CALLS:
                assert (await call(http, name, CLIENT_HEADERS)).status == 200, name
        asked = {(method, path.partition("?")[0]) for method, path, _, _ in upstream.requests}
        assert {("POST", "/v1/chat/completions"), ("POST", "/v1/completions"), ("POST", "/v1/embeddings")} <= asked
        assert {("GET", "/v1/models"), ("GET", "/health")} <= asked
        for _, path, headers, body in upstream.requests:
            names = {name.lower() for name in headers}
            required = {"host", "user-agent", "accept", "authorization"}
            assert required <= names <= required | {"accept-encoding", "content-type", "content-length", "connection"}
            assert len(headers) == len(names)
            assert headers["Authorization"] == f"Bearer {KEY}"
            assert headers["User-Agent"] == "localaik"
            assert "Transfer-Encoding" not in headers
            assert MINE not in f"{path} {headers} {body!r}"
            assert path.endswith(f"?api_key={QUERY}")


async def test_b148_no_header_of_an_upstream_reaches_a_caller() -> None:
    async with remote() as upstream, serving(upstream) as http:
        for name in CALLS:
            told = await call(http, name)
            for header, value in FROM_UPSTREAM.items():
                assert value not in told.headers.getall(header, []), (name, header)
            assert "Set-Cookie" not in told.headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", [True, False])
async def test_b147_redirects_are_never_followed(status: int, elsewhere: bool) -> None:
    async with remote() as upstream, remote() as other, serving(upstream) as http:

        async def redirect(_request: web.BaseRequest) -> web.StreamResponse:
            target = other.url if elsewhere else upstream.url
            return web.Response(status=status, headers={"Location": f"{target}/redirected?x={KEY}"})

        upstream.answer = redirect
        for name in ("chat", "streamed chat", "completion", "response", "embedding", "generated content"):
            told = await call(http, name)
            assert told.status in {502, 500}, name
            assert not [secret for secret in SECRETS if secret in told.everything()]
        assert (await call(http, "health")).status == 503
        assert not other.requests
        assert not [path for path in upstream.paths() if "redirected" in path]


@pytest.mark.parametrize("status", [401, 403])
async def test_b108_a_refused_credential_is_told_with_the_setting_to_mend(status: int) -> None:
    async with remote() as upstream, remote() as other:
        settings = {"embedding_upstream": other.url, "embedding_upstream_auth_header": f"X-Key: {EMBEDDING_KEY}"}
        async with serving(upstream, **settings) as http:

            async def refuse(_request: web.BaseRequest) -> web.StreamResponse:
                body = {"error": {"message": f"Incorrect API key provided: {KEY} {EMBEDDING_KEY}."}}
                return web.json_response(body, status=status, headers=FROM_UPSTREAM)

            upstream.answer = other.answer = refuse
            for name, setting in (
                ("chat", "LOCALAIK_UPSTREAM_AUTH_HEADER"),
                ("generated content", "LOCALAIK_UPSTREAM_AUTH_HEADER"),
                ("embedding", "LOCALAIK_EMBEDDING_UPSTREAM_AUTH_HEADER"),
            ):
                told = await call(http, name)
                assert told.status == 502, name
                assert f" {setting}." in told.text, name
                assert "WWW-Authenticate" not in told.headers
                assert not [secret for secret in SECRETS if secret in told.everything()]


def _echo_error(status: int, how: str) -> Answer:
    said = f"you sent {KEY} and {EMBEDDING_KEY} to ?api_key={QUERY}"

    async def echo(_request: web.BaseRequest) -> web.StreamResponse:
        if how == "reason":
            return web.Response(status=status, reason=said, headers={"X-Echo": said})
        if how == "text":
            return web.Response(status=status, text=said)
        if how == "stream":
            frame = b"data: " + orjson.dumps({"error": {"message": said, "code": status}}) + b"\n\n"
            return web.Response(body=frame, content_type="text/event-stream")
        if how == "junk":
            return web.Response(body=b"data: {" + said.encode() + b"\n\n", content_type="text/event-stream")
        return web.json_response({"error": {"message": said, "type": KEY, "param": KEY, "code": KEY}}, status=status)

    return echo


@pytest.mark.parametrize("how", ["json", "text", "reason", "stream", "junk"])
async def test_b144_a_credential_that_an_upstream_repeats_is_in_no_answer_and_no_log(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with remote() as upstream, remote() as other:
        settings = {
            "embedding_upstream": f"{other.url}?api_key={QUERY}",
            "embedding_upstream_auth_header": f"X-Key: {EMBEDDING_KEY}",
            "log_level": "debug",
        }
        async with serving(upstream, **settings) as http:
            everything = ""
            for status in (400, 404, 429, 500, 503):
                upstream.answer = other.answer = _echo_error(status, how)
                for name in CALLS:
                    everything += (await call(http, name)).everything()
            upstream.answer = other.answer = None
            for name in ("health", "metrics", "models"):
                everything += (await call(http, name)).everything()
            for path in ("/", "/docs", "/openapi.json", "/health?verbose=1", "/nothing"):
                async with http.get(path) as answer:
                    everything += f"{answer.headers} {await answer.text()}"
        assert not [secret for secret in SECRETS if secret in everything]
        hide = secrets_hider(
            Settings.model_validate(
                {"upstream": f"{upstream.url}?api_key={QUERY}", "upstream_auth_header": f"A: {KEY}", **settings}
            )
        )
        for record in caplog.records:
            if record.name == "asyncio":
                continue
            for formatter in (TextFormatter(hide), JsonFormatter(hide)):
                line = formatter.format(record)
                assert not [secret for secret in SECRETS if secret in line], line


async def test_b147_each_credential_goes_to_its_own_server() -> None:
    async with remote() as upstream, remote() as other:
        settings = {"embedding_upstream": other.url, "embedding_upstream_auth_header": f"X-Key: {EMBEDDING_KEY}"}
        async with serving(upstream, **settings) as http:
            for name in CALLS:
                assert (await call(http, name)).status == 200, name
        assert "/v1/embeddings" in other.paths()
        assert upstream.requests
        for _, path, headers, _ in upstream.requests:
            assert EMBEDDING_KEY not in f"{path} {headers}"
            assert not path.startswith("/v1/embeddings")
        for _, path, headers, _ in other.requests:
            assert KEY not in f"{path} {headers}"
            assert QUERY not in f"{path} {headers}"
            assert headers["X-Key"] == EMBEDDING_KEY


@pytest.mark.parametrize("header", ["", "X-Key: own-secret-5"])
async def test_b147_another_server_for_embeddings_never_gets_the_credential_of_the_first(header: str) -> None:
    async with remote() as upstream, remote() as other:
        settings = {"embedding_upstream": other.url, "embedding_upstream_auth_header": header}
        async with serving(upstream, **settings) as http:
            assert (await call(http, "embedding")).status == 200
        assert other.requests
        assert not [request for request in other.requests if KEY in str(request) or QUERY in str(request)]


@pytest.mark.parametrize(
    "line",
    [
        f"Bearer {KEY}",
        f": {KEY}",
        f"Authorization {KEY}",
        f"Author ization: {KEY}",
        f"Authorization: a\r\nX-Evil: {KEY}",
        f"Authorization: {KEY}\n",
        f"Authorization: {KEY}\0",
        f"Authorization: \x7f{KEY}",
        f"Auth\u00f6: {KEY}",
        f"Authorization: {KEY} \u20ac",
    ],
)
async def test_b146_a_malformed_line_is_never_sent_and_told_once(line: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with remote() as upstream:
        async with serving(upstream, upstream=upstream.url, upstream_auth_header=line) as http:
            for name in ("chat", "health", "embedding", "count of content"):
                assert (await call(http, name)).status == 200, name
        assert upstream.requests
        for _, _, headers, _ in upstream.requests:
            assert KEY not in str(headers)
            assert "X-Evil" not in headers
    told = [record for record in caplog.records if "AUTH_HEADER" in record.getMessage()]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert KEY not in caplog.text


async def test_b143_doctor_shows_an_upstream_without_its_secrets() -> None:
    async with remote() as upstream:
        url = upstream.url.replace("http://", f"http://user:{KEY}@")
        variables = {
            "LOCALAIK_UPSTREAM": f"{url}?api_key={QUERY}#{KEY}",
            "LOCALAIK_UPSTREAM_AUTH_HEADER": f"X-Key: {EMBEDDING_KEY}",
        }
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "localaik", "doctor", "--json"),
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, errors = await program.communicate()
    shown = (output + errors).decode()
    assert upstream.url in shown
    assert json.loads(output)
    assert not [secret for secret in SECRETS if secret in shown]
