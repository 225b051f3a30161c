"""Streamed chat completions: a state machine from events to frames. Pure: no I/O.

One frame for each delta, which holds one choice and one kind of delta. Of each choice: the role, its deltas, its finish
reason; then, if asked for, the usage; then `[DONE]`. A fault is one frame with `error` and no `[DONE]` after it, so
that a cut answer never looks whole. Frames of text are put together from bytes that are prepared once for each choice.

The role comes with the beginning of the content: `""` for text, null where a call may be all that comes. So it leaves
at once where nothing can be called, and else with what comes first.
"""

from collections.abc import Callable, Sequence
from typing import Final

import orjson

from localaik.errors import LocalaikError
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallArgumentsDelta,
    ToolCallFinished,
    ToolCallStarted,
    UsageReported,
)
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import (
    SERVICE_TIER,
    Identity,
    Object,
    finish_reason,
    json_line,
    logprobs_object,
    usage_object,
)
from localaik.protocols.openai.errors import error_object

__all__ = ["DONE", "ChatStream", "ChunkFrames"]

DONE: Final = b"data: [DONE]\n\n"
_OBFUSCATION: Final = "abcdefghijklmnop"
_ROLE: Final[Object] = {"role": "assistant", "content": "", "refusal": None}
_ROLE_WITHOUT_TEXT: Final[Object] = {"role": "assistant", "content": None, "refusal": None}
_OfChoice = (
    Started | TextDelta | ReasoningDelta | ToolCallStarted | ToolCallArgumentsDelta | ToolCallFinished | Finished
)
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
        """A frame of text of each choice whose content has begun, up to the text."""
        self._without_text: set[int] = set()
        """Choices whose role was told with a content of null."""
        self._custom: dict[int, bool] = {}
        """Of each choice with a call, whether the last one is of a custom tool."""
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
        return b"data: " + json_line(error_object(error, strict=self._answering.strict)) + b"\n\n"

    def _feed_rare(self, event: GenerationEvent, out: list[bytes]) -> None:
        """Events that come a few times in a response, and deltas that ask for more than a prepared frame."""
        frames = self._frames or self._begin()
        if isinstance(event, UsageReported):
            if self._answering.include_usage:
                out.append(frames.usage(usage_object(event.usage, self._answering.cached_tokens)))
            out.append(DONE)
            return
        index = event.index
        if index not in self._text_heads:
            self._open(event, frames, out)
        if isinstance(event, TextDelta):
            logprobs = self._logprobs(event)
            if event.text or logprobs is not None:
                delta: Object = {"content": event.text} if index in self._text_heads else {}
                out.append(frames.choice(_choice(index, delta, logprobs), len(event.text)))
        elif isinstance(event, Finished):
            reason = finish_reason(event.reason, event.message, self._answering)
            out.append(frames.choice(_choice(index, {}, finish=reason)))
        elif isinstance(event, ToolCallStarted):
            self._custom[index] = event.custom
            out.append(frames.choice(_choice(index, self._call_start(event))))
        elif isinstance(event, ReasoningDelta | ToolCallArgumentsDelta) and event.text:
            out.append(frames.choice(_choice(index, self._more(event)), len(event.text)))

    def _open(self, event: _OfChoice, frames: ChunkFrames, out: list[bytes]) -> None:
        """Tell the role, and begin the content, as soon as it is known whether there is any."""
        index = event.index
        has_content = not self._answering.may_call or self._begins_content(event)
        if not has_content and not self._tells(event):
            return
        for lower in range(index):  # clients keep choices in a list, in the order in which they come
            self._tell_role(lower, frames, out, has_content=not self._answering.may_call)
        is_new = self._tell_role(index, frames, out, has_content=has_content)
        if has_content and not is_new and isinstance(event, Finished):
            out.append(frames.choice(_choice(index, {"content": ""})))

    def _tell_role(self, index: int, frames: ChunkFrames, out: list[bytes], *, has_content: bool) -> bool:
        """False where it was told before; the content may begin later."""
        is_told = index in self._text_heads or index in self._without_text
        if has_content and index not in self._text_heads:
            self._text_heads[index] = frames.before + b'{"index":%d,"delta":{"content":' % index
        if is_told:
            return False
        if not has_content:
            self._without_text.add(index)
        out.append(frames.choice(_choice(index, _ROLE if has_content else _ROLE_WITHOUT_TEXT)))
        return True

    def _begins_content(self, event: _OfChoice) -> bool:
        """Text does, and so does the end of an answer that has neither text nor a call."""
        if isinstance(event, Finished):
            return event.index not in self._custom
        return isinstance(event, TextDelta) and bool(event.text)

    def _tells(self, event: _OfChoice) -> bool:
        """The event has a frame of its own."""
        if isinstance(event, TextDelta):
            return bool(event.text) or self._logprobs(event) is not None
        return not isinstance(event, Started)

    def _logprobs(self, event: TextDelta) -> Object | None:
        alternatives = self._answering.logprobs
        if alternatives is None or event.logprobs is None:
            return None
        return logprobs_object(event.logprobs, alternatives)

    def _call_start(self, event: ToolCallStarted) -> Object:
        function = {"name": event.name, "arguments": ""}
        if self._answering.legacy_calls:
            return {"function_call": function}
        call: Object = {"index": event.call, "id": event.id}
        if event.custom:
            call |= {"type": "custom", "custom": {"name": event.name, "input": ""}}
        else:
            call |= {"type": "function", "function": function}
        return {"tool_calls": [call]}

    def _more(self, event: ReasoningDelta | ToolCallArgumentsDelta) -> Object:
        """Id, type and name of a call are told once: clients join what comes twice."""
        if isinstance(event, ReasoningDelta):
            thoughts: Object = {"reasoning_content": event.text}
            return {**thoughts, "thinking": event.text} if self._answering.include_thinking else thoughts
        if self._answering.legacy_calls:
            return {"function_call": {"arguments": event.text}}
        if self._custom[event.index]:
            return {"tool_calls": [{"index": event.call, "custom": {"input": event.text}}]}
        return {"tool_calls": [{"index": event.call, "function": {"arguments": event.text}}]}

    def _begin(self) -> ChunkFrames:
        frames = ChunkFrames("chat.completion.chunk", self._answering, self._identity(), service_tier=SERVICE_TIER)
        self._frames = frames
        if not self._answering.obfuscate:
            self._text_tail = _NO_MORE + frames.after
        return frames


def _choice(index: int, delta: Object, logprobs: Object | None = None, *, finish: str | None = None) -> Object:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
