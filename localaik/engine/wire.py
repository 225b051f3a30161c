"""The stream of `/chat/completions`, `/completions` and llama.cpp's `/completion`, from bytes to news of a choice.

Field names are those of llama.cpp's server (`tools/server/server-task.cpp`) and of OpenAI's chunks; what other servers
add is skipped. Pure: the client feeds bytes.
"""

from typing import Final

import msgspec

from localaik.engine.calls import CallFragment, EngineChunk, EngineNews, EngineUsage, LogprobEntry
from localaik.engine.faults import fault_of_frame
from localaik.engine.sse import SseParser, split_plain
from localaik.errors import EngineAnswerInvalid

__all__ = ["StreamReader"]


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()  # text, but some servers send the object itself


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None  # vLLM's and Ollama's name for reasoning_content
    tool_calls: list[_Call] | None = None


class _Logprobs(msgspec.Struct, gc=False):
    content: list[LogprobEntry] | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None  # the order is llama.cpp's: fields are found sooner then
    delta: _Delta | None = None
    logprobs: _Logprobs | None = None
    text: str | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Progress(msgspec.Struct, gc=False):
    total: int


class _Frame(msgspec.Struct, gc=False):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw()
    prompt_progress: _Progress | None = None
    # llama.cpp's own /completion has no choices:
    content: str | None = None
    stop: bool = False
    stop_type: str | None = None
    tokens_evaluated: int = 0
    tokens_predicted: int = 0
    completion_probabilities: list[LogprobEntry] | None = None


_DECODER: Final = msgspec.json.Decoder(_Frame)
_NULL: Final = b"null"


class StreamReader:
    """A state machine: `feed()` bytes as they arrive, `finish()` at the end of the body."""

    def __init__(self, max_event_bytes: int = 0) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = b""
        self._parser: SseParser | None = None
        self.finished = False
        """A finish reason was seen."""
        self.done = False
        """`[DONE]`, or the last frame of a stream that has none, was seen."""

    def feed(self, data: bytes) -> list[EngineNews]:
        """The news in `data`. Raises `EngineAnswerInvalid` for an error frame and for what can't be read."""
        if self._parser is not None:
            return self._read_events(self._parser.feed(data))
        data = self._rest + data
        end = data.rfind(b"\n\n")
        if end >= 0:
            plain = split_plain(data[:end])
            if plain is not None:
                try:
                    frames = _DECODER.decode_lines(plain[0])
                except (msgspec.DecodeError, UnicodeDecodeError):
                    pass
                else:
                    self._rest = data[end + 2 :]
                    self.done = self.done or plain[1]
                    return self._translate(frames)
        elif b"\r" not in data and (not self._max_event_bytes or len(data) <= self._max_event_bytes):
            self._rest = data
            return []
        # Not the common form: from here on every byte takes the complete parser.
        self._rest = b""
        self._parser = SseParser(self._max_event_bytes)
        return self._read_events(self._parser.feed(data))

    def finish(self) -> None:
        """The body has ended. Raises `EngineAnswerInvalid` when it ended in the middle of the answer."""
        if not (self.finished or self.done):
            raise EngineAnswerInvalid(
                "The engine's answer ended before it was complete.", reason="upstream_invalid_response"
            )

    def _read_events(self, events: list[list[bytes]]) -> list[EngineNews]:
        frames: list[_Frame] = []
        for lines in events:
            text = b"\n".join(lines)
            if text.strip() == b"[DONE]":
                self.done = True
                break
            try:
                frames.append(_DECODER.decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError):
                frames += self._decode_singly(lines)
        return self._translate(frames)

    def _decode_singly(self, lines: list[bytes]) -> list[_Frame]:
        """Some servers put one JSON text into each data line of an event and forget the blank line between."""
        frames = []
        for line in lines:
            if line.strip() == b"[DONE]":
                self.done = True
                break
            try:
                frames.append(_DECODER.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise EngineAnswerInvalid(
                    "The engine sent an event that can't be read.", reason="upstream_invalid_response"
                ) from None
        return frames

    def _translate(self, frames: list[_Frame]) -> list[EngineNews]:
        news: list[EngineNews] = []
        for frame in frames:
            choices = frame.choices
            if choices:
                choice = choices[0]
                delta = choice.delta
                if (
                    delta is not None
                    and (text := delta.content)
                    and choice.finish_reason is None
                    and choice.logprobs is None
                    and delta.reasoning_content is None
                    and delta.reasoning is None
                    and delta.tool_calls is None
                ):
                    news.append(text)  # nearly every frame
                    if frame.usage is None:
                        continue
                    choices = []
            self._translate_rare(frame, choices, news)
        return news

    def _translate_rare(self, frame: _Frame, choices: list[_Choice], news: list[EngineNews]) -> None:
        error = bytes(frame.error)
        if error and error != _NULL:
            raise fault_of_frame(error)
        chunk = EngineChunk()
        if choices:
            self._read_choice(choices[0], chunk)
        elif frame.content is not None or frame.stop:
            self._read_completion(frame, chunk)
        if frame.usage is not None:
            chunk.usage = EngineUsage(frame.usage.prompt_tokens, frame.usage.completion_tokens)
        if frame.prompt_progress is not None:
            chunk.prompt_total = frame.prompt_progress.total
        news.append(chunk)

    def _read_choice(self, choice: _Choice, chunk: EngineChunk) -> None:
        if choice.delta is not None:
            chunk.text = choice.delta.content or ""
            chunk.reasoning = choice.delta.reasoning_content or choice.delta.reasoning or ""
            if choice.delta.tool_calls:
                chunk.calls = [_fragment(call) for call in choice.delta.tool_calls]
        elif choice.text:
            chunk.text = choice.text
        if choice.logprobs is not None:
            chunk.logprobs = choice.logprobs.content
        if choice.finish_reason is not None:
            chunk.finish = choice.finish_reason
            self.finished = True

    def _read_completion(self, frame: _Frame, chunk: EngineChunk) -> None:
        chunk.text = frame.content or ""
        chunk.logprobs = frame.completion_probabilities
        if frame.stop:
            chunk.finish = "length" if frame.stop_type == "limit" else "stop"
            chunk.usage = EngineUsage(frame.tokens_evaluated, frame.tokens_predicted)
            self.finished = self.done = True


def _fragment(call: _Call) -> CallFragment:
    function = call.function or _Function()
    return CallFragment(call.index or 0, call.id or "", function.name or "", _arguments(bytes(function.arguments)))


def _arguments(raw: bytes) -> str:
    """The text of a call's arguments. Values that are no text keep their spelling; only white space goes."""
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return "" if raw in {b"", _NULL} else msgspec.json.format(raw, indent=-1).decode()
