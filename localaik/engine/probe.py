"""Finds out what an engine can do, without having it generate anything.

llama.cpp tells nearly everything in `/props` (`tools/server/server-context.cpp`), vLLM its context in `/v1/models`,
Ollama its modalities in `/api/show`. Whatever is not told keeps the value that is safe to assume. Reading the answers
is pure; the requests are few, side by side, and each may fail.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
import orjson
from yarl import URL

from localaik.engine.capabilities import LLAMA_CPP, LLAMA_CPP_PYTHON, OLLAMA, UNKNOWN, VLLM, Capabilities
from localaik.engine.faults import unreachable
from localaik.engine.upstream import join
from localaik.settings import Settings

__all__ = ["Answers", "Capabilities", "apply_settings", "probe", "read_answers"]

_ANSWER_SECONDS: Final = 10.0
_MAX_ANSWER_BYTES: Final = 16_777_216
_MISSING: Final = frozenset({404, 405, 501})
_MAX_TOKENS: Final = 2**31
# 32 x 32 pixels, white.
_PNG: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR4nGP4TwAwjCoYVTCqYKQqAAA/aPwuq5iY/w"
    "AAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the routes of a server answered, as decoded JSON; None where there was nothing of use."""

    models: object = None
    """`GET <base>/models`"""
    props: object = None
    """`GET <root>/props`"""
    version: object = None
    """`GET <root>/version`"""
    ollama_version: object = None
    """`GET <root>/api/version`"""


async def probe(
    base: URL, root: URL, headers: Mapping[str, str], settings: Settings, declared: Capabilities = UNKNOWN
) -> Capabilities:
    """What the server at `base` can do. `declared` is what its launcher knows of it; for a remote server, nothing.

    Two requests for an engine of our own, at most five for a remote one. Redirects are not followed: the credential in
    `headers` is for this server alone. Raises `EngineUnreachable` where no request got any answer.
    """
    timeout = aiohttp.ClientTimeout(
        total=_ANSWER_SECONDS, sock_connect=settings.upstream_connect_timeout_seconds or None
    )
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={**headers, "Accept": "application/json", "User-Agent": "localaik"},
        timeout=timeout,
    ) as session:
        urls = [join(base, "models"), join(root, "props")]
        if declared.kind == "unknown":
            urls += [join(root, "version"), join(root, "api/version")]
        results = await asyncio.gather(*(_ask(session, url) for url in urls))
        if all(status is None for status, _ in results):
            raise unreachable("it did not answer any question about itself")
        answers = Answers(*(body if status == 200 else None for status, body in results))
        capabilities = read_answers(answers, settings, declared)
        if declared.kind == "unknown":
            capabilities = await _ask_more(session, base, root, capabilities)
        return apply_settings(capabilities, settings, remote=declared.kind == "unknown")


def read_answers(answers: Answers, settings: Settings, declared: Capabilities = UNKNOWN) -> Capabilities:
    """The capabilities that `answers` tell of, on top of `declared` or of what is known of a server of that kind."""
    entries = _entries(answers.models)
    known = declared if declared.kind != "unknown" else _recognise(answers, entries)
    ids = tuple(str(entry["id"]) for entry in entries)
    remote = declared.kind == "unknown"
    model_id = (settings.upstream_model if remote else "") or (ids[0] if ids else declared.model_id)
    entry = next((entry for entry in entries if entry["id"] == model_id), {})
    capabilities = replace(
        known,
        model_id=model_id,
        model_ids=ids,
        context_tokens=_context(entry) or known.context_tokens or settings.ctx_size,
        trained_tokens=_count(_object(entry.get("meta")).get("n_ctx_train")),
        vocabulary=_count(_object(entry.get("meta")).get("n_vocab")),
        build=_build(known, answers),
    )
    return _with_props(capabilities, _object(answers.props)) if known.kind == "llamacpp" else capabilities


def apply_settings(capabilities: Capabilities, settings: Settings, *, remote: bool) -> Capabilities:
    """`capabilities` as the person wants them used, who may know more of a `remote` server than it tells."""
    if settings.tool_calls == "prompt":
        capabilities = replace(capabilities, native_tools=False)
    elif settings.tool_calls == "native" and remote:
        capabilities = replace(capabilities, native_tools=True)
    constraint = settings.upstream_constraint
    if constraint == "auto" or not remote:
        return capabilities
    return replace(capabilities, grammar=constraint == "grammar", json_schema=constraint == "json_schema")


def _recognise(answers: Answers, entries: list[dict[str, object]]) -> Capabilities:
    owners = {entry.get("owned_by") for entry in entries}
    if "default_generation_settings" in _object(answers.props) or "llamacpp" in owners:
        return LLAMA_CPP
    if "vllm" in owners or any("max_model_len" in entry for entry in entries):
        return VLLM
    if "version" in _object(answers.ollama_version):
        return OLLAMA
    if any(entry.get("owned_by") == "me" and "permissions" in entry for entry in entries):  # llama_cpp/server/app.py
        return LLAMA_CPP_PYTHON
    return UNKNOWN


def _with_props(capabilities: Capabilities, props: Mapping[str, object]) -> Capabilities:
    modalities = _object(props.get("modalities"))
    template = props.get("chat_template")
    marker = props.get("media_marker")
    context = _count(_object(props.get("default_generation_settings")).get("n_ctx"))
    caps = {name: value for name, value in _object(props.get("chat_template_caps")).items() if isinstance(value, bool)}
    return replace(
        capabilities,
        context_tokens=context or capabilities.context_tokens,
        slots=_count(props.get("total_slots")) or capabilities.slots,
        vision=modalities.get("vision") is True,
        audio=modalities.get("audio") is True,
        template_caps=caps,
        native_tools=caps.get("supports_tools", False) and caps.get("supports_tool_calls", False),
        chat_template=template if isinstance(template, str) else "",
        media_marker=marker if isinstance(marker, str) and marker else None,
    )


def _context(entry: Mapping[str, object]) -> int:
    """Tokens of one request: vLLM's `max_model_len`, llama.cpp's `meta.n_ctx`; 0 where neither is told."""
    return _count(entry.get("max_model_len")) or _count(_object(entry.get("meta")).get("n_ctx"))


def _build(known: Capabilities, answers: Answers) -> str:
    if known.kind == "llamacpp":
        return _text(_object(answers.props).get("build_info"))
    if known.kind in {"vllm", "ollama"}:
        source = answers.version if known.kind == "vllm" else answers.ollama_version
        return f"{known.kind} {_text(_object(source).get('version'))}".rstrip()
    return ""


async def _ask_more(session: aiohttp.ClientSession, base: URL, root: URL, capabilities: Capabilities) -> Capabilities:
    """What a server of a known kind tells only when it is asked about one model."""
    if capabilities.kind == "llamacpp":
        # Older builds lack this route; with a wrong method llama.cpp answers 404 either way, hence a real question.
        url = join(base, "chat/completions/input_tokens")
        status, _ = await _ask(session, url, {"messages": [{"role": "user", "content": "a"}]})
        return replace(capabilities, count_tokens=status not in _MISSING)
    if capabilities.kind == "ollama":
        _, answer = await _ask(session, join(root, "api/show"), {"model": capabilities.model_id})
        told = _object(answer).get("capabilities")
        able = told if isinstance(told, list) else []
        return replace(capabilities, vision="vision" in able, native_tools="tools" in able)
    if capabilities.kind == "vllm":
        # Its tokenizer route renders images like the chat route does, and refuses them where the model takes none.
        content = [{"type": "image_url", "image_url": {"url": _PNG}}, {"type": "text", "text": "a"}]
        body = {"model": capabilities.model_id, "messages": [{"role": "user", "content": content}]}
        status, _ = await _ask(session, join(root, "tokenize"), body)
        return replace(capabilities, vision=status == 200)
    return capabilities


async def _ask(
    session: aiohttp.ClientSession, url: URL, body: Mapping[str, object] | None = None
) -> tuple[int | None, object]:
    """Status and decoded JSON of an answer; the body is None where it is no JSON, the status where none came."""
    data = None if body is None else orjson.dumps(body)
    kind = {} if body is None else {"Content-Type": "application/json"}
    try:
        async with session.request(
            "GET" if body is None else "POST", url, data=data, headers=kind, allow_redirects=False
        ) as response:
            return response.status, await _read_json(response)
    except (aiohttp.ClientError, OSError):  # OSError includes TimeoutError
        return None, None


async def _read_json(response: aiohttp.ClientResponse) -> object:
    text = b""
    async for piece in response.content.iter_any():
        text += piece
        if len(text) > _MAX_ANSWER_BYTES:
            return None
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


def _entries(models: object) -> list[dict[str, object]]:
    """The entries of a model list that have an id."""
    data = _object(models).get("data")
    listed = data if isinstance(data, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]]


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    """A sensible number of tokens or slots, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_TOKENS else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
