"""What a scripted engine says, as bytes in the shapes of llama.cpp's server and of OpenAI's. Pure."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

__all__ = [
    "Answer",
    "Body",
    "ErrorShape",
    "Plain",
    "Raw",
    "Route",
    "Script",
    "Step",
    "error",
    "redirect",
    "sse",
    "steps",
    "whole",
]

Route = Literal["chat", "completions", "completion"]
"""OpenAI's chat and legacy routes, and llama.cpp's own `/completion`."""
Body = Mapping[str, object]
Fault = Literal["error_frame", "not_json", "hang_up", "hang_up_early"]
ErrorShape = Literal["object", "text", "flat", "detail"]

DONE = b"data: [DONE]\n\n"
_CREATED = 1_790_000_000
_EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer made of tokens. Usage, log probabilities and progress are sent where the request asks for them."""

    tokens: Sequence[str] = ("Hello", " there", ".")
    """Deltas of text; as a single string it is one delta per word."""
    reasoning: Sequence[str] = ()
    """Deltas of `reasoning_content`, before the text."""
    tool_calls: Sequence[tuple[str, str]] = ()
    """Native tool calls, after the text: name and arguments."""
    call_events: Sequence[str | Sequence[Mapping[str, object]]] = ()
    """More events, after those: a list is sent as it is as `delta.tool_calls`, a string as more text between them."""
    finish: str | None = "stop"
    """The finish reason; None leaves out its chunk."""
    usage: bool = True
    logprobs: bool = True
    prompt_tokens: int = 7
    done: bool = True
    """`[DONE]` ends the stream."""
    fault: Fault | None = None
    """`hang_up_early` resets the connection before the status line, the others come instead of delta `fault_after`."""
    fault_after: int = 1
    first_byte: asyncio.Event | None = None
    """The status line waits for it."""
    gates: Mapping[int, asyncio.Event] = field(default_factory=dict)
    """Delta number -> what it waits for; the number after the last one stands for the finish chunk."""
    at_once: bool = False
    """All in one write, instead of one write for each event."""

    def deltas(self) -> list[tuple[str, str]]:
        """Field and text of each delta: reasoning, then text."""
        tokens = _words(self.tokens) if isinstance(self.tokens, str) else self.tokens
        return [("reasoning_content", text) for text in self.reasoning] + [("content", text) for text in tokens]


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes as the body of a 200, one write for each piece."""

    pieces: Sequence[bytes]
    content_type: str = _EVENT_STREAM
    gates: Mapping[int, asyncio.Event] = field(default_factory=dict)
    """Piece number -> what it waits for."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A whole answer: a refusal, a redirect, JSON where a stream was asked for."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Script = Answer | Raw | Plain


@dataclass(frozen=True, slots=True)
class Step:
    """One write, after `gate` is set; with `hang_up`, the connection is closed instead."""

    data: bytes
    gate: asyncio.Event | None = None
    hang_up: bool = False


def error(
    status: int,
    message: str,
    kind: str = "server_error",
    *,
    shape: ErrorShape = "object",
    headers: Mapping[str, str] | None = None,
    **details: object,
) -> Plain:
    """A refusal in one of the shapes in use; `details` (`n_ctx`, ...) stand beside the message."""
    inner = {"code": status, "message": message, "type": kind, **details}
    bodies: dict[ErrorShape, object] = {
        "object": {"error": inner},  # llama.cpp, OpenAI
        "text": {"error": message},  # Ollama
        "flat": {"object": "error", **inner},  # older vLLM
        "detail": {"detail": message},  # FastAPI
    }
    return Plain(status, orjson.dumps(bodies[shape]), {"Content-Type": "application/json", **(headers or {})})


def redirect(location: str, status: int = 307) -> Plain:
    """A redirect, which must not be followed."""
    return Plain(status, b"", {"Location": location})


def sse(payload: object) -> bytes:
    """One event that holds `payload` as JSON."""
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def steps(answer: Answer, route: Route, body: Body, model: str, *, llamacpp: bool) -> Iterator[Step]:
    """The writes of a streamed answer, from the first event on."""
    writer = _Writer(answer, route, body, model, llamacpp=llamacpp)
    yield from (Step(data) for data in writer.opening())
    deltas = answer.deltas()
    for number, (name, text) in enumerate(deltas):
        if answer.fault is not None and number >= answer.fault_after:
            break
        yield Step(writer.delta(number, name, text), answer.gates.get(number))
    if answer.fault is not None:
        yield _fault(answer)
        return
    closing = writer.closing(len(deltas))
    gate = answer.gates.get(len(deltas))
    yield Step(closing[0] if closing else b"", gate)
    yield from (Step(data) for data in closing[1:])


def whole(answer: Answer, route: Route, body: Body, model: str) -> bytes:
    """The answer of a request without `stream`."""
    deltas = answer.deltas()
    text = "".join(piece for name, piece in deltas if name == "content")
    if route == "completion":
        return orjson.dumps({"content": text, **_completion_end(answer, len(deltas))})
    choice: dict[str, object] = {"index": 0, "finish_reason": answer.finish}
    if route == "chat":
        choice["message"] = {"role": "assistant", "content": text}
    else:
        choice["text"] = text
    kind = "chat.completion" if route == "chat" else "text_completion"
    return orjson.dumps({**_head(model, kind), "choices": [choice], "usage": _usage(answer, len(deltas))})


class _Writer:
    """The events of one streamed answer."""

    def __init__(self, answer: Answer, route: Route, body: Body, model: str, *, llamacpp: bool) -> None:
        self._answer = answer
        self._route = route
        self._head = _head(model, "chat.completion.chunk" if route == "chat" else "text_completion")
        self._alternatives = _alternatives(body) if answer.logprobs else None
        options = body.get("stream_options")
        self._usage = answer.usage and isinstance(options, Mapping) and options.get("include_usage") is True
        self._progress = llamacpp and body.get("return_progress") is True

    def opening(self) -> list[bytes]:
        """The role, which llama.cpp repeats after each report of progress."""
        if self._route != "chat":
            return []
        role = self._chunk({"delta": {"role": "assistant", "content": None}})
        if not self._progress:
            return [sse(role)]
        total = self._answer.prompt_tokens
        progress = {"total": total, "cache": 0, "processed": total, "time_ms": 0}
        return [sse({**role, "prompt_progress": progress}), sse(role)]

    def delta(self, number: int, name: str, text: str) -> bytes:
        """One piece of text or reasoning."""
        probability = None if self._alternatives is None else [_logprob(number, text, self._alternatives)]
        if self._route == "completion":
            frame: dict[str, object] = {
                "index": 0,
                "content": text,
                "tokens": [100 + number],
                "stop": False,
                "id_slot": -1,
                "tokens_predicted": number + 1,
                "tokens_evaluated": self._answer.prompt_tokens,
            }
            if probability is not None:
                frame["completion_probabilities"] = probability
            return sse(frame)
        choice: dict[str, object] = {"delta": {name: text}} if self._route == "chat" else {"text": text}
        if probability is not None:
            choice["logprobs"] = {"content": probability}
        return sse(self._chunk(choice))

    def closing(self, count: int) -> list[bytes]:
        """Tool calls, finish reason, usage and `[DONE]`, as far as the script has them."""
        answer = self._answer
        if self._route == "completion":
            end = {"index": 0, "content": "", "tokens": [], **_completion_end(answer, count)}
            return [sse(end)] if answer.finish is not None else []
        events = [sse(self._chunk({"delta": delta})) for delta in _call_deltas(answer)]
        if answer.finish is not None:
            last: dict[str, object] = {"delta": {}} if self._route == "chat" else {"text": ""}
            events.append(sse(self._chunk({**last, "finish_reason": answer.finish})))
        if self._usage:
            events.append(sse({**self._head, "choices": [], "usage": _usage(answer, count)}))
        if answer.done:
            events.append(DONE)
        return events

    def _chunk(self, choice: dict[str, object]) -> dict[str, object]:
        return {"choices": [{"finish_reason": None, "index": 0, **choice}], **self._head}


def _fault(answer: Answer) -> Step:
    gate = answer.gates.get(answer.fault_after)
    if answer.fault == "error_frame":
        return Step(sse({"error": {"code": 500, "message": "decoding failed", "type": "server_error"}}), gate)
    if answer.fault == "not_json":
        return Step(b"data: {broken\n\n", gate)
    return Step(b"", gate, hang_up=True)


def _head(model: str, kind: str) -> dict[str, object]:
    return {
        "created": _CREATED,
        "id": f"chatcmpl-{0:032d}",
        "model": model,
        "system_fingerprint": "b1-scripted",
        "object": kind,
    }


def _usage(answer: Answer, count: int) -> dict[str, object]:
    prompt = answer.prompt_tokens
    return {
        "completion_tokens": count,
        "prompt_tokens": prompt,
        "total_tokens": prompt + count,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _completion_end(answer: Answer, count: int) -> dict[str, object]:
    return {
        "stop": True,
        "stop_type": "limit" if answer.finish == "length" else "eos",
        "stopping_word": "",
        "truncated": False,
        "tokens_predicted": count,
        "tokens_evaluated": answer.prompt_tokens,
    }


def _call_deltas(answer: Answer) -> Iterator[dict[str, object]]:
    for part in _tool_call_parts(answer.tool_calls):
        yield {"tool_calls": [part]}
    for event in answer.call_events:
        yield {"content": event} if isinstance(event, str) else {"tool_calls": list(event)}


def _tool_call_parts(calls: Sequence[tuple[str, str]]) -> Iterator[dict[str, object]]:
    """Each call's name with the first half of its arguments, then the rest."""
    for index, (name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        function = {"name": name, "arguments": arguments[:half]}
        yield {"index": index, "id": f"{index:032d}", "type": "function", "function": function}
        yield {"index": index, "function": {"arguments": arguments[half:]}}


def _alternatives(body: Body) -> int | None:
    """How many alternatives per token the request asks for: by chat, legacy and llama.cpp fields. None: no logprobs."""
    for name in ("top_logprobs", "n_probs", "logprobs"):
        asked = body.get(name)
        if isinstance(asked, int) and not isinstance(asked, bool):
            return asked or None
    return None


def _logprob(number: int, text: str, alternatives: int) -> dict[str, object]:
    """A token and its alternatives, the token itself first; each an eighth less likely than the one before."""
    ranked = [
        _entry(100 + number + 1000 * rank, text if rank == 0 else f"{text}~{rank}", rank)
        for rank in range(alternatives)
    ]
    return {**ranked[0], "top_logprobs": ranked}


def _entry(token_id: int, token: str, rank: int) -> dict[str, object]:
    return {"id": token_id, "token": token, "bytes": list(token.encode()), "logprob": -0.125 * (rank + 1)}


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]
