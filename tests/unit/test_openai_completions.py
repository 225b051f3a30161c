"""Legacy completions: requests decoded, answers and streams written."""

from collections.abc import AsyncIterator, Sequence

import orjson
import pytest

from localaik.errors import BadRequest, EngineUnreachable
from localaik.generation.events import (
    Finished,
    GenerationEvent,
    Started,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageReported,
)
from localaik.generation.fold import Choice, Generation, fold
from localaik.generation.request import GenerationRequest, Sampling
from localaik.protocols.openai.completion_decode import DecodedCompletion, decode_completion
from localaik.protocols.openai.completion_encode import CompletionStream, encode_completion, keep_best
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import Identity
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.types import CompletionRequest

IDENTITY = Identity("cmpl-1", 9, "0123456789")


def decode(**body: object) -> DecodedCompletion:
    return decode_completion(read(CompletionRequest, {"model": "m", **body}), strict=False)


def refusal(**body: object) -> tuple[str | None, str | None]:
    with pytest.raises(BadRequest) as refused:
        decode(**body)
    return refused.value.reason, refused.value.field


def test_the_least_request() -> None:
    decoded = decode()
    assert decoded.generations == [GenerationRequest("m", prompt="", max_tokens=16)]
    assert decoded.answering == Answering("m")
    assert (decoded.n, decoded.best_of, decoded.echo, decoded.stream, decoded.ignored) == (1, 1, False, False, [])


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        (None, [""]),
        ("a", ["a"]),
        (["a", ""], ["a", ""]),
        ([1, 2], [[1, 2]]),
        ([0], [[0]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_b076_prompts(prompt: object, prompts: list[object]) -> None:
    assert [generation.prompt for generation in decode(prompt=prompt).generations] == prompts


def test_all_that_is_honoured() -> None:
    decoded = decode(
        prompt="a",
        temperature=1,
        top_p=0.5,
        presence_penalty=1,
        frequency_penalty=-1,
        max_tokens=3,
        n=2,
        stop="x",
        seed=4,
        logit_bias={"5": 1},
        logprobs=5,
        echo=True,
        stream=True,
        stream_options={"include_usage": True},
        user="me",
        top_k=3,
    )
    assert decoded.generations == [
        GenerationRequest(
            "m",
            prompt="a",
            sampling=Sampling(temperature=1, top_p=0.5, presence_penalty=1, frequency_penalty=-1),
            max_tokens=3,
            stop=("x",),
            seed=4,
            n=2,
            logprobs=5,
            logit_bias={5: 1},
            extra={"top_k": 3},
        )
    ]
    assert decoded.answering == Answering("m", 5, include_usage=True)
    assert (decoded.n, decoded.echo, decoded.stream, decoded.ignored) == (2, True, True, ["user"])


def test_no_tokens_are_allowed_with_echo_only() -> None:
    assert decode(max_tokens=0, echo=True).generations[0].max_tokens == 0
    assert refusal(max_tokens=0) == ("integer_below_min_value", "max_tokens")


def test_a_gap_to_fill() -> None:
    assert [one.suffix for one in decode(prompt=["a", "b"], suffix="c").generations] == ["c", "c"]
    assert decode(suffix="").generations[0].suffix is None
    assert refusal(prompt=[1, 2], suffix="b") == ("unsupported_parameter", "suffix")


def test_best_of() -> None:
    assert decode(best_of=0, n=3).best_of == 3
    assert decode(best_of=1, stream=True).best_of == 1
    decoded = decode(best_of=4, n=2)
    assert (decoded.best_of, decoded.n) == (4, 2)
    assert decoded.generations[0].logprobs == 0
    assert decoded.answering.logprobs is None
    assert refusal(best_of=2, n=3) == ("integer_below_min_value", "best_of")
    assert refusal(best_of=2, stream=True) == ("invalid_value", "best_of")


def token(text: str, logprob: float, *top: TokenLogprob) -> TokenLogprob:
    return TokenLogprob(text, logprob, top=list(top))


def encode(generation: Generation, answering: Answering, echoes: Sequence[str], n: int) -> dict[str, object]:
    answer: dict[str, object] = orjson.loads(encode_completion(generation, answering, IDENTITY, echoes=echoes, n=n))
    return answer


def test_the_whole_answer() -> None:
    generation = Generation([Choice(0, "b", finish_reason="length")], Usage(1, 2))
    assert encode(generation, Answering("m"), [""], 1) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 9,
        "model": "m",
        "choices": [{"text": "b", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "system_fingerprint": "fp_0123456789",
    }


EVENTS: list[list[GenerationEvent]] = [
    [Started(0), Started(2)],
    [TextDelta("b", 0, [token("b", -0.5, token("b", -0.5), token("x", -2))]), Started(3)],
    [TextDelta("y", 2, [token("y", -1)]), Started(1), TextDelta("\u2028", 1)],
    [TextDelta("cd", 0, [token("c", -1, token("e", -0.1)), token("d", -3)]), Finished("length", 0)],
    [Finished("stop", 1), Finished("content_filter", 2), Finished("other", 3)],
    [UsageReported(Usage(4, 5))],
]


async def as_stream(batches: list[list[GenerationEvent]]) -> AsyncIterator[list[GenerationEvent]]:
    for batch in batches:
        yield batch


async def test_echo_and_log_probabilities() -> None:
    generation = await fold(as_stream(EVENTS))
    choices = encode(generation, Answering("m", 1), ["ab", ""], 2)["choices"]
    assert choices == [
        {
            "text": "abbcd",
            "index": 0,
            "logprobs": {
                "tokens": ["ab", "b", "c", "d"],
                "token_logprobs": [None, -0.5, -1, -3],
                "top_logprobs": [None, {"b": -0.5}, {"e": -0.1, "c": -1}, {"d": -3}],
                "text_offset": [0, 2, 3, 4],
            },
            "finish_reason": "length",
        },
        {
            "text": "ab\u2028",
            "index": 1,
            "logprobs": {
                "tokens": ["ab"],
                "token_logprobs": [None],
                "top_logprobs": [None],
                "text_offset": [0],
            },
            "finish_reason": "stop",
        },
        {
            "text": "y",
            "index": 2,
            "logprobs": {
                "tokens": ["y"],
                "token_logprobs": [-1],
                "top_logprobs": [{"y": -1}],
                "text_offset": [0],
            },
            "finish_reason": "content_filter",
        },
        {
            "text": "",
            "index": 3,
            "logprobs": {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []},
            "finish_reason": "stop",
        },
    ]


async def test_no_alternatives_are_null() -> None:
    generation = await fold(as_stream(EVENTS))
    choices = encode(generation, Answering("m", 0), ["", ""], 2)["choices"]
    assert choices[0]["logprobs"]["top_logprobs"] is None  # type: ignore[index]


@pytest.mark.parametrize("logprobs", [None, 0, 1])
@pytest.mark.parametrize("echoes", [["", ""], ["ab", "é"]])
@pytest.mark.parametrize("options", [{}, {"include_usage": True}, {"include_usage": True, "obfuscate": True}])
async def test_the_fold_of_the_chunks_is_the_whole_answer(
    logprobs: int | None, echoes: list[str], options: dict[str, bool]
) -> None:
    answering = Answering("m", logprobs, **options)
    encoder = CompletionStream(answering, lambda: IDENTITY, echoes=echoes, n=2)
    frames = b"".join(encoder.feed(batch) for batch in EVENTS).decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all(len(frame.splitlines()) == 1 for frame in frames[:-1])
    chunks = [orjson.loads(frame[6:]) for frame in frames[:-2]]
    whole = encode(await fold(as_stream(EVENTS)), answering, echoes, 2)
    if options:
        assert chunks.pop()["usage"] == whole["usage"]
        assert all(chunk["usage"] is None for chunk in chunks)
    assert all(("obfuscation" in chunk) == ("obfuscate" in options) for chunk in chunks)
    folded = {index: {"text": "", "index": index, "logprobs": None, "finish_reason": None} for index in range(4)}
    for chunk in chunks:
        assert (chunk["id"], chunk["object"], chunk["created"]) == ("cmpl-1", "text_completion", 9)
        (piece,) = chunk["choices"]
        choice = folded[piece["index"]]
        assert choice["finish_reason"] is None
        choice["text"] += piece["text"]
        choice["finish_reason"] = piece["finish_reason"]
        choice["logprobs"] = join(choice["logprobs"], piece["logprobs"])
    expected = whole["choices"]
    for choice in expected:  # type: ignore[attr-defined]
        if choice["logprobs"] == {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []} or (
            choice["logprobs"] is not None and not choice["logprobs"]["tokens"]
        ):
            choice["logprobs"] = None  # a stream has no chunk to tell of no tokens
    assert list(folded.values()) == expected


def join(left: dict[str, list[object]] | None, right: dict[str, list[object]] | None) -> object:
    if left is None or right is None:
        return left or right
    return {name: None if values is None else values + right[name] for name, values in left.items()}


def test_a_fault_is_the_last_frame() -> None:
    encoder = CompletionStream(Answering("m"), lambda: IDENTITY, echoes=[""], n=1)
    frame = encoder.fail(EngineUnreachable("gone"))
    assert frame.startswith(b'data: {"error":{"message":"gone","type":"server_error"')
    assert frame.endswith(b"}\n\n")


def scored(index: int, text: str, *logprobs: float) -> Choice:
    return Choice(index, text, logprobs=[token("x", logprob) for logprob in logprobs])


def test_the_best_are_those_with_the_highest_mean() -> None:
    choices = [
        scored(0, "a", -3, -1),
        scored(1, "b", -1.5),
        scored(2, "c", -9),
        scored(3, "d", -5),
        scored(4, "e", -4),
        scored(5, "f", -4, -4),
    ]
    best = keep_best(Generation(choices, Usage(1, 9)), 3, 2)
    assert [(choice.index, choice.text) for choice in best.choices] == [(0, "b"), (1, "a"), (2, "e"), (3, "f")]
    assert best.usage == Usage(1, 9)


def test_nothing_is_chosen_blindly() -> None:
    with pytest.raises(BadRequest) as refused:
        keep_best(Generation([Choice(0, "a"), Choice(1, "b")], Usage(1, 1)), 2, 1)
    assert refused.value.field == "best_of"
