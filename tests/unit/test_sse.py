"""The reader of server-sent events, at every split."""

import pytest

from localaik.engine.calls import EngineChunk, EngineUsage
from localaik.engine.sse import SseParser, split_plain
from localaik.engine.wire import StreamReader
from localaik.errors import EngineAnswerInvalid

ROLE = b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]}\n\n'
HEL = b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hel"}}]}\n\n'
UMLAUT = 'data: {"choices":[{"index":0,"delta":{"content":"lö 🙂\\n\\ndata: x"}}]}\n\n'.encode()
STOP = b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"completion_tokens":3,"prompt_tokens":20}}\n\n'
DONE = b"data: [DONE]\n\n"
STREAM = ROLE + HEL + UMLAUT + STOP + USAGE + DONE


def read(reader: StreamReader, pieces: list[bytes]) -> tuple[str, list[EngineChunk]]:
    news = [item for piece in pieces for item in reader.feed(piece)]
    text = "".join(item if isinstance(item, str) else item.text for item in news)
    return text, [item for item in news if isinstance(item, EngineChunk)]


def variants() -> dict[str, bytes]:
    return {
        "plain": STREAM,
        "crlf": STREAM.replace(b"\n\n", b"\r\n\r\n"),
        "cr": STREAM.replace(b"\n\n", b"\r\r"),
        "bom": b"\xef\xbb\xbf" + STREAM,
        "comments": b": hello\n\n" + HEL + b":\n\n" + UMLAUT + STOP + b": bye\n\n" + USAGE + DONE,
        "event lines": STREAM.replace(b"data: {", b"event: message\nid: 7\ndata: {"),
        "no space": STREAM.replace(b"data: ", b"data:").replace(b"data:x", b"data: x"),
        "two data lines": STREAM.replace(b'{"choices":[{', b'{"choices":[\ndata: {'),
        "two objects in one event": STREAM.replace(b"\n\ndata: {", b"\ndata: {").replace(DONE, b"\n" + DONE),
    }


@pytest.mark.parametrize("name", variants())
def test_b151_every_form_of_stream_reads_the_same_at_every_split(name: str) -> None:
    stream = variants()[name]
    for at in range(len(stream) + 1):
        reader = StreamReader()
        text, chunks = read(reader, [stream[:at], stream[at:]])
        assert text == "Hellö 🙂\n\ndata: x", (name, at)
        assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"], (name, at)
        assert [chunk.usage for chunk in chunks if chunk.usage] == [EngineUsage(20, 3)], (name, at)
        assert reader.done, (name, at)
        reader.finish()


def test_b151_a_stream_fed_byte_by_byte_reads_the_same() -> None:
    for stream in variants().values():
        reader = StreamReader()
        text, _ = read(reader, [stream[at : at + 1] for at in range(len(stream))])
        assert text == "Hellö 🙂\n\ndata: x"
        assert reader.done


@pytest.mark.parametrize(
    "frame",
    [
        b'data: {"error":{"code":500,"message":"boom","type":"server_error"}}\n\n',
        b'data: {"error":"boom"}\n\n',
        b"data: not json\n\n",
        b'data: {"choices":[{"delta":{"content":5}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
    ],
)
def test_b152_faults_inside_a_stream_are_raised(frame: bytes) -> None:
    for stream in (HEL + frame, (HEL + frame).replace(b"\n", b"\r\n")):
        with pytest.raises(EngineAnswerInvalid):
            StreamReader().feed(stream)


def test_b152_the_message_of_an_error_frame_is_kept() -> None:
    with pytest.raises(EngineAnswerInvalid, match="boom"):
        StreamReader().feed(b'data: {"error":{"code":500,"message":"boom","type":"server_error"}}\n\n')


@pytest.mark.parametrize(("stream", "clean"), [(HEL, False), (HEL + STOP, True), (HEL + DONE, True), (b"", False)])
def test_b152_an_end_without_finish_reason_and_done_is_no_end(stream: bytes, clean: bool) -> None:
    reader = StreamReader()
    reader.feed(stream)
    if clean:
        reader.finish()
    else:
        with pytest.raises(EngineAnswerInvalid):
            reader.finish()


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 200, b": " + b"x" * 200, b"data: a\n" * 60])
def test_b151_an_endless_event_is_refused(stream: bytes) -> None:
    reader = StreamReader(max_event_bytes=50)
    pieces = [stream[at : at + 10] for at in range(0, len(stream), 10)]
    with pytest.raises(EngineAnswerInvalid, match="50"):
        read(reader, pieces)


def test_null_errors_usage_and_unknown_fields_are_skipped() -> None:
    frame = (
        b'data: {"error":null,"usage":null,"x":{"y":[1]},'
        b'"choices":[{"delta":{"content":"a","z":1},"logprobs":null}]}\n\n'
    )
    assert StreamReader().feed(frame) == ["a"]


def test_reasoning_progress_and_logprobs_become_chunks() -> None:
    reader = StreamReader()
    (progress,) = reader.feed(b'data: {"choices":[],"prompt_progress":{"total":20,"cache":15}}\n\n')
    (thought,) = reader.feed(b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n')
    (token,) = reader.feed(
        b'data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"id":7,'
        b'"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5}]}]}}]}\n\n'
    )
    assert isinstance(progress, EngineChunk)
    assert progress.prompt_total == 20
    assert isinstance(thought, EngineChunk)
    assert thought.reasoning == "hm"
    assert isinstance(token, EngineChunk)
    assert token.text == "a"
    assert token.logprobs is not None
    assert (token.logprobs[0].id, token.logprobs[0].top_logprobs[0].logprob) == (7, -0.5)


def test_the_stream_of_completion_ends_with_its_last_frame() -> None:
    reader = StreamReader()
    news = reader.feed(
        b'data: {"index":0,"content":"ab","tokens":[5],"stop":false}\n\n'
        b'data: {"index":0,"content":"","stop":true,"stop_type":"limit","tokens_evaluated":10,"tokens_predicted":2}\n\n'
    )
    first, last = news
    assert isinstance(first, EngineChunk)
    assert isinstance(last, EngineChunk)
    assert (first.text, last.finish, last.usage, reader.done) == ("ab", "length", EngineUsage(10, 2), True)


def test_split_plain_declines_what_it_can_not_split() -> None:
    assert split_plain(b": comment") is None
    assert split_plain(b"data: {}\r") is None
    assert split_plain(b"data: {}\n\ndata: {}") == (b"{}\n\n      {}", False)
    assert split_plain(b"data: [DONE]") == (b"", True)


def test_the_parser_joins_data_lines_and_forgets_events_without_data() -> None:
    parser = SseParser()
    assert parser.feed(b"event: x\n\ndata: a\ndata: b\n\n") == [[b"a", b"b"]]
