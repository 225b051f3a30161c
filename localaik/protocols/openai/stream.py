"""Streamed chat completions: a state machine from events to frames. Pure: no I/O.

One frame for each delta, which holds one choice and one kind of delta. Of each choice: the role, its deltas, its finish
reason; then, if asked for, the usage; then `[DONE]`. A fault is one frame with `error` and no `[DONE]` after it, so
that a cut answer never looks whole. Frames of text are put together from bytes that are prepared once for each choice.
"""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from localaik.errors import LocalaikError
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    TextDelta,
    UsageReported,
)
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import (
    FINISH_REASONS,
    SERVICE_TIER,
    Identity,
    Object,
    json_line,
    logprobs_object,
    usage_object,
)
from localaik.protocols.openai.errors import error_object

__all__ = ["DONE", "ChatStream", "ChunkFrames"]

DONE: Final = b"data: [DONE]\n\n"
_OBFUSCATION: Final = "abcdefghijklmnop"
_ROLE: Final[Object] = {"role": "assistant", "content": "", "refusal": None}
_NO_MORE: Final = b'},"logprobs":null,"finish_reason":null}'


class ChunkFrames:
    """The frames of one answer: what all its chunks share, around what each has."""

    def __init__(self, kind: str, answering: Answering, identity: Identity, **more: object) -> None:
        """`kind` is the chunk's `object`, `more` are further keys of every chunk."""
        shared = {
            "id": identity.id,
            "object": kind,
            "created": identity.created,
            "model": answering.model,
            **more,
            "system_fingerprint": f"fp_{identity.fingerprint}",
        }
        self.before: Final = b"data: " + json_line(shared)[:-1] + b',"choices":['
        self.after: Final = b'],"usage":null}\n\n' if answering.include_usage else b"]}\n\n"
        self._obfuscate = answering.obfuscate

    def choice(self, choice: Object, size: int = 0) -> bytes:
        """A frame with one choice, whose text has `size` characters."""
        after = self.after
        if self._obfuscate:
            # All texts of up to 16 characters make frames of about one size.
            padding = _OBFUSCATION[: -size % len(_OBFUSCATION)]
            after = after[:-3] + b',"obfuscation":"' + padding.encode() + b'"}\n\n'
        return self.before + json_line(choice) + after

    def usage(self, usage: Object) -> bytes:
        """The frame with the counts, which has no choices."""
        return self.before + b'],"usage":' + json_line(usage) + b"}\n\n"


class ChatStream:
    """`feed()` it all events of one response; it ends the body itself when it sees `UsageReported`."""

    def __init__(self, answering: Answering, identity: Callable[[], Identity]) -> None:
        """`identity` is called at the first event: the engine is known by then."""
        self._answering = answering
        self._identity = identity
        self._frames: ChunkFrames | None = None
        self._text_heads: dict[int, bytes] = {}
        """A frame of text of each choice that has begun, up to the text."""
        self._text_tail = b""

    def feed(self, events: Sequence[GenerationEvent]) -> bytes:
        """The frames of these events."""
        out: list[bytes] = []
        heads = self._text_heads
        tail = self._text_tail
        for event in events:
            if type(event) is TextDelta and event.logprobs is None and tail:
                text = event.text
                head = heads.get(event.index)
                if head is not None and text:
                    out += (head, orjson.dumps(text) if text.isascii() else json_line(text), tail)
                    continue
            self._feed_rare(event, out)
            tail = self._text_tail
        return b"".join(out)

    def fail(self, error: LocalaikError) -> bytes:
        """The fault, as the last frame."""
        return b"data: " + json_line(error_object(error)) + b"\n\n"

    def _feed_rare(self, event: GenerationEvent, out: list[bytes]) -> None:
        """Events that come a few times in a response, and deltas that ask for more than a prepared frame."""
        frames = self._frames or self._begin()
        if isinstance(event, UsageReported):
            if self._answering.include_usage:
                out.append(frames.usage(usage_object(event.usage)))
            out.append(DONE)
            return
        index = event.index
        if index not in self._text_heads:
            self._text_heads[index] = frames.before + b'{"index":%d,"delta":{"content":' % index
            out.append(frames.choice(_choice(index, _ROLE)))
        if isinstance(event, TextDelta):
            alternatives = self._answering.logprobs
            logprobs = None
            if alternatives is not None and event.logprobs is not None:
                logprobs = logprobs_object(event.logprobs, alternatives)
            if event.text or logprobs is not None:
                out.append(frames.choice(_choice(index, {"content": event.text}, logprobs), len(event.text)))
        elif isinstance(event, ReasoningDelta):
            if event.text:
                out.append(frames.choice(_choice(index, {"reasoning_content": event.text}), len(event.text)))
        elif isinstance(event, Finished):
            out.append(frames.choice(_choice(index, {}, finish=FINISH_REASONS[event.reason])))

    def _begin(self) -> ChunkFrames:
        frames = ChunkFrames("chat.completion.chunk", self._answering, self._identity(), service_tier=SERVICE_TIER)
        self._frames = frames
        if not self._answering.obfuscate:
            self._text_tail = _NO_MORE + frames.after
        return frames


def _choice(index: int, delta: Object, logprobs: Object | None = None, *, finish: str | None = None) -> Object:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
