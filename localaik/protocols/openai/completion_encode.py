"""Legacy completions: the whole answer, and the stream as a state machine from events to frames. Pure: no I/O.

`index` counts the choices of all prompts: those of the first prompt, then those of the second, and so on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

import orjson

from localaik.errors import BadRequest, LocalaikError
from localaik.generation.events import Finished, GenerationEvent, TextDelta, TokenLogprob, UsageReported
from localaik.generation.fold import Choice, Generation
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import (
    FINISH_REASONS,
    Identity,
    Object,
    json_line,
    logprob_number,
    usage_object,
)
from localaik.protocols.openai.errors import error_object
from localaik.protocols.openai.stream import DONE, ChunkFrames

__all__ = ["CompletionStream", "LegacyLogprobs", "encode_completion", "keep_best"]

_OBJECT: Final = "text_completion"
_NO_MORE: Final = b',"logprobs":null,"finish_reason":null}'


class LegacyLogprobs:
    """Writes the log probabilities of one choice, piece by piece; it keeps count of where in the text they stand."""

    def __init__(self, alternatives: int) -> None:
        self._alternatives = alternatives
        self._offset = 0

    def write(self, tokens: Sequence[TokenLogprob], echo: str = "") -> Object:
        """Four lists of equal length. `echo`, the prompt, is one entry without probabilities.

        `top_logprobs` is null where no alternatives were asked for; else it holds the chosen token too, so it may have
        one entry more than that.
        """
        texts = ([echo] if echo else []) + [token.token for token in tokens]
        values: list[float | None] = [None] if echo else []
        values += [logprob_number(token.logprob) for token in tokens]
        tops: list[dict[str, float] | None] | None = None
        if self._alternatives:
            tops = [None] if echo else []
            tops += [self._top(token) for token in tokens]
        offsets = []
        for text in texts:
            offsets.append(self._offset)
            self._offset += len(text)
        return {"tokens": texts, "token_logprobs": values, "top_logprobs": tops, "text_offset": offsets}

    def _top(self, token: TokenLogprob) -> dict[str, float]:
        chosen = {token.token: logprob_number(token.logprob)}
        return {other.token: logprob_number(other.logprob) for other in token.top[: self._alternatives]} | chosen


def encode_completion(
    generation: Generation, answering: Answering, identity: Identity, *, echoes: Sequence[str], n: int
) -> bytes:
    """A `text_completion`. `echoes` hold the text that stands before the answers to each prompt, `n` answers each."""
    choices: list[Object] = []
    for choice in generation.choices:
        echo = echoes[choice.index // n]
        logprobs = None
        if answering.logprobs is not None:
            logprobs = LegacyLogprobs(answering.logprobs).write(choice.logprobs, echo)
        choices.append(_choice(choice.index, echo + choice.text, logprobs, finish=FINISH_REASONS[choice.finish_reason]))
    return orjson.dumps(
        {
            "id": identity.id,
            "object": _OBJECT,
            "created": identity.created,
            "model": answering.model,
            "choices": choices,
            "usage": usage_object(generation.usage),
            "system_fingerprint": f"fp_{identity.fingerprint}",
        }
    )


def keep_best(generation: Generation, best_of: int, n: int) -> Generation:
    """Of each `best_of` choices of a prompt, the `n` with the highest mean log probability, best first.

    Raises `BadRequest` where the engine told no log probabilities.
    """
    kept: list[Choice] = []
    for first in range(0, len(generation.choices), best_of):
        candidates = generation.choices[first : first + best_of]
        if any(choice.text and not choice.logprobs for choice in candidates):
            raise BadRequest(
                "'best_of' is not supported: the model behind this server tells no log probabilities.",
                field="best_of",
                reason="unsupported_parameter",
            )
        kept += sorted(candidates, key=_mean_logprob, reverse=True)[:n]
    return Generation([replace(choice, index=index) for index, choice in enumerate(kept)], generation.usage)


@dataclass(slots=True)
class _Begun:
    """A choice that has begun."""

    head: bytes
    """A frame of its text, up to the text."""
    logprobs: LegacyLogprobs | None


class CompletionStream:
    """`feed()` it all events of one response; it ends the body itself when it sees `UsageReported`."""

    def __init__(
        self, answering: Answering, identity: Callable[[], Identity], *, echoes: Sequence[str], n: int
    ) -> None:
        """`identity` is called at the first event: the engine is known by then. For the others, `encode_completion`."""
        self._answering = answering
        self._identity = identity
        self._echoes = echoes
        self._n = n
        self._frames: ChunkFrames | None = None
        self._begun: dict[int, _Begun] = {}
        self._text_tail = b""

    def feed(self, events: Sequence[GenerationEvent]) -> bytes:
        """The frames of these events."""
        out: list[bytes] = []
        for event in events:
            if type(event) is TextDelta and event.logprobs is None and self._text_tail:
                begun = self._begun.get(event.index)
                if begun is not None and event.text:
                    out += (begun.head, json_line(event.text), self._text_tail)
                    continue
            self._feed_rare(event, out)
        return b"".join(out)

    def fail(self, error: LocalaikError) -> bytes:
        """The fault, as the last frame."""
        return b"data: " + json_line(error_object(error)) + b"\n\n"

    def _feed_rare(self, event: GenerationEvent, out: list[bytes]) -> None:
        frames = self._frames or self._begin()
        if isinstance(event, UsageReported):
            if self._answering.include_usage:
                out.append(frames.usage(usage_object(event.usage)))
            out.append(DONE)
            return
        index = event.index
        begun = self._begun.get(index) or self._begin_choice(index, frames, out)
        if isinstance(event, TextDelta):
            logprobs = None
            if begun.logprobs is not None and event.logprobs:
                logprobs = begun.logprobs.write(event.logprobs)
            if event.text or logprobs is not None:
                out.append(frames.choice(_choice(index, event.text, logprobs), len(event.text)))
        elif isinstance(event, Finished):
            out.append(frames.choice(_choice(index, "", finish=FINISH_REASONS[event.reason])))

    def _begin(self) -> ChunkFrames:
        frames = ChunkFrames(_OBJECT, self._answering, self._identity())
        self._frames = frames
        if not self._answering.obfuscate:
            self._text_tail = _NO_MORE + frames.after
        return frames

    def _begin_choice(self, index: int, frames: ChunkFrames, out: list[bytes]) -> _Begun:
        """The choice's state; its prompt leaves first where it is to be repeated."""
        alternatives = self._answering.logprobs
        writer = None if alternatives is None else LegacyLogprobs(alternatives)
        begun = _Begun(frames.before + b'{"index":%d,"text":' % index, writer)
        self._begun[index] = begun
        echo = self._echoes[index // self._n]
        if echo:
            logprobs = None if writer is None else writer.write((), echo)
            out.append(frames.choice(_choice(index, echo, logprobs), len(echo)))
        return begun


def _choice(index: int, text: str, logprobs: Object | None = None, *, finish: str | None = None) -> Object:
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def _mean_logprob(choice: Choice) -> float:
    return fmean(token.logprob for token in choice.logprobs) if choice.logprobs else 0.0
