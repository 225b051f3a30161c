"""An engine that says what a test tells it to, over a real socket: llama.cpp's server, or one of the others.

    async with ScriptedEngine() as engine:
        engine.answer("Hello there.")
        engine.enqueue(error(503, "Loading model", "unavailable_error"))
        ...  # point localaik at engine.url
        assert engine.calls[0].body["messages"] == [...]

Scripts are used up in order, one for each generation request; after the last one `default` answers.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal, NamedTuple, Self

import orjson
from aiohttp import web
from multidict import CIMultiDict

from tests.engine_answers import Answer, Plain, Raw, Route, Script, Step, error, redirect, sse, steps, whole

__all__ = ["Answer", "Kind", "Plain", "Raw", "Recorded", "ScriptedEngine", "error", "redirect", "sse"]

Kind = Literal["llamacpp", "vllm", "ollama", "plain"]
"""Whose questions it answers; `plain` has a list of models and the chat route, and tells nothing of itself."""

IMAGE_TOKENS = 258  # Gemma 3: 256 per image and two markers
_MAX_BODY_BYTES = 1 << 30
_BODY = web.RequestKey("body", dict[str, Any])
_Handler = Callable[[web.Request], Coroutine[None, None, web.StreamResponse]]


class Recorded(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    """With its query string, as sent."""
    headers: CIMultiDict[str]
    body: dict[str, object]
    """The JSON body; empty where there was none."""


class ScriptedEngine:
    """An async context manager; `url` is valid inside."""

    def __init__(
        self,
        *,
        llamacpp: bool = True,
        kind: Kind | None = None,
        native_tools: bool = False,
        models: Sequence[str] = ("scripted",),
        context_tokens: int = 8192,
        slots: int = 4,
        vision: bool = True,
        keep_alive: bool | None = None,
    ) -> None:
        """Without `llamacpp` and without a `kind` it is a plain OpenAI server. `native_tools` makes a llama.cpp and an
        Ollama tell that the model's template takes functions; the others never tell.

        `keep_alive` says whether a connection survives a streamed answer. llama.cpp closes it although its header
        promises otherwise; that is the default with `llamacpp`.
        """
        self.kind: Kind = kind or ("llamacpp" if llamacpp else "plain")
        self.llamacpp = self.kind == "llamacpp"
        self.native_tools = native_tools
        self.models = list(models)
        self.context_tokens = context_tokens
        self.slots = slots
        self.vision = vision
        self.keep_alive = not self.llamacpp if keep_alive is None else keep_alive
        self.health_status = 200
        """What `/health` and, on a plain server, `/v1/models` answer."""
        self.default: Script = Answer()
        self.requests: list[Recorded] = []
        self.connections: set[tuple[str, int]] = set()
        """Peer addresses: one for each connection ever made."""
        self.disconnected = asyncio.Event()
        """A client left before its answer was complete."""
        self.active = 0
        """Generations that are being answered now."""
        self.peak = 0
        """The most generations that were answered at once."""
        self.url = ""
        """`http://127.0.0.1:PORT/v1`"""
        self._scripts: deque[Script] = deque()
        self._vocabulary: dict[str, int] = {}
        self._arrived = asyncio.Condition()
        self._running: set[asyncio.Task[object]] = set()
        self._runner = web.AppRunner(self._application(), access_log=None, handler_cancellation=True)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        running = tuple(self._running)
        for task in running:  # answers that wait at a gate
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._runner.cleanup()

    @property
    def calls(self) -> list[Recorded]:
        """The generation requests among `requests`."""
        return [request for request in self.requests if _generates(request)]

    def enqueue(self, *scripts: Script) -> None:
        """What the next generation requests get, in this order."""
        self._scripts.extend(scripts)

    def answer(self, text: str | Sequence[str]) -> None:
        """Enqueue a plain answer: a list of deltas, or a string, which is cut into words."""
        self.enqueue(Answer(tokens=text))

    async def called(self, count: int = 1) -> list[Recorded]:
        """Wait until that many generation requests have arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)
        return self.calls

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[self._record])
        add = app.router.add_route
        add("GET", "/v1/models", self._models)
        add("POST", "/v1/chat/completions", self._generation("chat"))
        if self.llamacpp:
            add("POST", "/v1/completions", self._generation("completions"))
            add("POST", "/completion", self._generation("completion"))
            add("GET", "/health", self._health)
            add("GET", "/props", self._props)
            add("POST", "/tokenize", self._tokenize)
            add("POST", "/detokenize", self._detokenize)
            add("POST", "/apply-template", self._apply_template)
            add("POST", "/v1/chat/completions/input_tokens", self._input_tokens)
        if self.kind == "vllm":
            add("POST", "/v1/completions", self._generation("completions"))
            add("GET", "/health", self._health)
            add("GET", "/version", self._version)
            add("POST", "/tokenize", self._tokenize)
            add("POST", "/detokenize", self._detokenize)
        if self.kind == "ollama":
            add("GET", "/api/version", self._version)
            add("POST", "/api/show", self._show)
        app.router.add_route("*", "/{path:.*}", self._not_found)
        return app

    @web.middleware
    async def _record(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        raw = await request.read()
        recorded = Recorded(
            request.method, request.path_qs, CIMultiDict(request.headers), orjson.loads(raw) if raw else {}
        )
        self.requests.append(recorded)
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        if _generates(recorded):
            async with self._arrived:
                self._arrived.notify_all()
        request[_BODY] = recorded.body
        return await handler(request)

    def _generation(self, route: Route) -> _Handler:
        async def generate(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            script = self._scripts.popleft() if self._scripts else self.default
            if task is not None:
                self._running.add(task)
            self.active += 1
            self.peak = max(self.peak, self.active)
            try:
                return await self._respond(request, script, route)
            except (asyncio.CancelledError, ConnectionError):
                self.disconnected.set()
                raise
            finally:
                self.active -= 1
                self._running.discard(task)

        return generate

    async def _respond(self, request: web.Request, script: Script, route: Route) -> web.StreamResponse:
        if isinstance(script, Plain):
            return web.Response(status=script.status, body=script.body, headers=script.headers)
        if isinstance(script, Raw):
            pieces = [Step(piece, script.gates.get(number)) for number, piece in enumerate(script.pieces)]
            return await self._stream(request, pieces, script.content_type)
        if script.first_byte is not None:
            await script.first_byte.wait()
        if script.fault == "hang_up_early":
            return _hang_up(request, reset=True)
        body = request[_BODY]
        model = self.models[0] if self.models else "scripted"
        if body.get("stream") is not True:
            return web.Response(body=whole(script, route, body, model), content_type="application/json")
        writes = list(steps(script, route, body, model, llamacpp=self.llamacpp))
        if script.at_once:
            writes = [Step(b"".join(step.data for step in writes), hang_up=writes[-1].hang_up)]
        return await self._stream(request, writes, "text/event-stream")

    async def _stream(self, request: web.Request, writes: Sequence[Step], content_type: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type, "X-Accel-Buffering": "no"})
        await response.prepare(request)
        for step in writes:
            if step.gate is not None:
                await step.gate.wait()
            if step.data:
                await response.write(step.data)
            if step.hang_up:
                return _hang_up(request, response)
        await response.write_eof()
        if not self.keep_alive and request.transport is not None:
            request.transport.close()
        return response

    # What an engine tells about itself

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        if self.health_status == 200:
            return web.json_response({"status": "ok"})
        return _as_response(error(self.health_status, "Loading model", "unavailable_error"))

    async def _models(self, _request: web.Request) -> web.StreamResponse:
        if not self.llamacpp and self.health_status != 200:
            return _as_response(error(self.health_status, "not ready"))
        owner = {"llamacpp": "llamacpp", "vllm": "vllm", "ollama": "library", "plain": "scripted"}[self.kind]
        told: dict[str, object] = {"object": "model", "created": 1, "owned_by": owner}
        if self.llamacpp:
            told["meta"] = {"n_ctx": self.context_tokens}
        if self.kind == "vllm":
            told["max_model_len"] = self.context_tokens
        entries = [{"id": name, **told} for name in self.models]
        return web.json_response({"object": "list", "data": entries})

    async def _props(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {
                "default_generation_settings": {"n_ctx": self.context_tokens},
                "total_slots": self.slots,
                "modalities": {"vision": self.vision, "audio": False, "video": False},
                "media_marker": "<__media_scripted__>",
                "chat_template": "{{ bos_token }}<start_of_turn><end_of_turn>",
                "chat_template_caps": {
                    "supports_tools": self.native_tools,
                    "supports_tool_calls": self.native_tools,
                    "supports_system_role": True,
                },
                "build_info": "b1-scripted",
                "model_alias": self.models[0] if self.models else "",
            }
        )

    async def _version(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"version": "1.2.3"})

    async def _show(self, _request: web.Request) -> web.StreamResponse:
        able = {"completion": True, "vision": self.vision, "tools": self.native_tools}
        return web.json_response({"capabilities": [name for name, holds in able.items() if holds]})

    # Tokens: words, with the white space before them

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        body = request[_BODY]
        if self.kind == "llamacpp":
            content = body["content"]
            pieces = content if isinstance(content, list) else [content]  # texts and ids of tokens
            words = [word for each in pieces for word in ([each] if isinstance(each, int) else _tokens(each))]
            return web.json_response({"tokens": [each if isinstance(each, int) else self._id(each) for each in words]})
        text, images = _render(body["messages"]) if "messages" in body else (str(body["prompt"]), 0)
        if images and not self.vision:
            return _as_response(error(400, "At most 0 image(s) may be provided.", "BadRequestError"))
        tokens = [self._id(word) for word in _tokens(text)]
        return web.json_response({"count": len(tokens) + IMAGE_TOKENS * images, "tokens": tokens})

    async def _detokenize(self, request: web.Request) -> web.StreamResponse:
        words = {number: word for word, number in self._vocabulary.items()}
        text = "".join(words.get(number, f"<{number}>") for number in request[_BODY]["tokens"])
        return web.json_response({"content" if self.llamacpp else "prompt": text})

    async def _apply_template(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"prompt": _render(request[_BODY]["messages"])[0]})

    async def _input_tokens(self, request: web.Request) -> web.StreamResponse:
        prompt, images = _render(request[_BODY]["messages"])
        return web.json_response({"input_tokens": len(_tokens(prompt)) + IMAGE_TOKENS * images})

    async def _not_found(self, _request: web.Request) -> web.StreamResponse:
        if not self.llamacpp:
            return _as_response(error(404, "Not Found", shape="detail"))
        return _as_response(error(404, "File Not Found", "not_found_error"))

    def _id(self, word: str) -> int:
        return self._vocabulary.setdefault(word, 10 + len(self._vocabulary))


def _generates(request: Recorded) -> bool:
    return request.method == "POST" and request.path.partition("?")[0].endswith(("/completions", "/completion"))


def _as_response(plain: Plain) -> web.Response:
    return web.Response(status=plain.status, body=plain.body, headers=plain.headers)


def _hang_up(
    request: web.Request, response: web.StreamResponse | None = None, *, reset: bool = False
) -> web.StreamResponse:
    """Close the connection in the middle. A reset would destroy what the client has not read yet; a close does not."""
    if request.transport is not None:
        if reset:
            request.transport.abort()
        else:
            request.transport.close()
    return response if response is not None else web.Response()


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def _render(messages: Sequence[dict[str, object]]) -> tuple[str, int]:
    """A prompt in Gemma's form, and the number of images in it."""
    prompt = ""
    images = 0
    for message in messages:
        content = message["content"] or ""
        if isinstance(content, list):
            images += sum(part["type"] == "image_url" for part in content)
            content = "".join(part.get("text", "") for part in content)
        role = "model" if message["role"] == "assistant" else message["role"]
        prompt += f"<start_of_turn>{role}\n{content}<end_of_turn>\n"
    return f"{prompt}<start_of_turn>model\n", images
