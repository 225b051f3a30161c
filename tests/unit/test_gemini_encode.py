"""Whole answers of the Gemini API."""

import orjson
import pytest

from localaik.generation.events import TokenLogprob, Usage
from localaik.generation.fold import Choice, Generation
from localaik.protocols.gemini.decode import Answering
from localaik.protocols.gemini.encode import count_object, encode_generation, usage_object


def answer(*choices: Choice, usage: Usage | None = None, **answering: object) -> dict[str, object]:
    generation = Generation(list(choices), usage or Usage(5, 1))
    return orjson.loads(encode_generation(generation, Answering("m", **answering), "id"))  # type: ignore[arg-type]


def candidate(choice: Choice, **answering: object) -> dict[str, object]:
    (one,) = answer(choice, **answering)["candidates"]  # type: ignore[misc]
    return one


def test_b049_a_whole_answer_byte_for_byte() -> None:
    generation = Generation([Choice(0, "Hi", finish_reason="stop")], Usage(5, 1))
    assert encode_generation(generation, Answering("gemini-2.5-flash"), "mN0fZ7qT4l2X9aBcDeFgHw") == (
        b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP","index":0}],'
        b'"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1,"totalTokenCount":6,'
        b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":5}],'
        b'"candidatesTokensDetails":[{"modality":"TEXT","tokenCount":1}]},'
        b'"modelVersion":"gemini-2.5-flash","responseId":"mN0fZ7qT4l2X9aBcDeFgHw"}'
    )


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", "STOP"), ("length", "MAX_TOKENS"), ("content_filter", "SAFETY"), ("other", "OTHER")],
)
def test_b051_finish_reasons(reason: str, expected: str) -> None:
    assert candidate(Choice(0, "a", finish_reason=reason))["finishReason"] == expected  # type: ignore[arg-type]


def test_b052_several_choices_are_several_candidates() -> None:
    candidates = answer(Choice(0, "a"), Choice(1, "b"))["candidates"]
    assert [(one["index"], one["content"]["parts"]) for one in candidates] == [  # type: ignore[attr-defined]
        (0, [{"text": "a"}]),
        (1, [{"text": "b"}]),
    ]


@pytest.mark.parametrize(
    "choice", [Choice(0, "", finish_reason="stop"), Choice(0, "", "thought", finish_reason="length")]
)
def test_b053_an_answer_without_text_has_no_parts(choice: Choice) -> None:
    assert candidate(choice)["content"] == {"role": "model"}


def test_b054_thoughts_are_shown_when_asked_for_and_counted_in_any_case() -> None:
    choice = Choice(0, "a", "thought", finish_reason="stop")
    usage = Usage(5, 7, reasoning_tokens=4)
    assert candidate(choice, usage=usage)["content"]["parts"] == [{"text": "a"}]  # type: ignore[index]
    shown = answer(choice, usage=usage, include_thoughts=True)
    assert shown["candidates"][0]["content"]["parts"] == [{"text": "thought", "thought": True}, {"text": "a"}]  # type: ignore[index]
    counts = shown["usageMetadata"]
    assert (counts["thoughtsTokenCount"], counts["candidatesTokenCount"], counts["totalTokenCount"]) == (4, 3, 12)  # type: ignore[index]


def test_a_prompt_that_the_filter_blocks_has_feedback_and_no_candidates() -> None:
    blocked = answer(Choice(0, "", finish_reason="content_filter"), usage=Usage(5, 0))
    assert blocked == {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 0,
            "totalTokenCount": 5,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        },
        "modelVersion": "m",
        "responseId": "id",
    }
    assert candidate(Choice(0, "so far", finish_reason="content_filter"))["finishReason"] == "SAFETY"


def test_g017_the_prompt_is_split_by_modality() -> None:
    counts = usage_object(Usage(100, 3, image_tokens=16, document_tokens=32))
    assert counts["promptTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 52},
        {"modality": "IMAGE", "tokenCount": 16},
        {"modality": "DOCUMENT", "tokenCount": 32},
    ]
    assert counts["totalTokenCount"] == 103


def test_b048_the_answer_of_count_tokens() -> None:
    assert count_object(Usage(21, 0, image_tokens=16)) == {
        "totalTokens": 21,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}, {"modality": "IMAGE", "tokenCount": 16}],
    }


def test_g018_safety_ratings_list_what_was_asked_for() -> None:
    ratings = candidate(Choice(0, "a"), safety_categories=("HARM_CATEGORY_HARASSMENT",))["safetyRatings"]
    assert ratings == [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]
    assert "safetyRatings" not in candidate(Choice(0, "a"))


def token(text: str, logprob: float, *top: tuple[str, float], **rest: object) -> TokenLogprob:
    return TokenLogprob(text, logprob, top=[TokenLogprob(*one) for one in top], **rest)  # type: ignore[arg-type]


def test_g014_logprobs_with_alternatives() -> None:
    tokens = [token("a", -0.5, ("a", -0.5), ("b", -1.0), ("c", -2.0), id=7), token("b", -1.5, ("b", -1.5), ("x", -3.0))]
    one = candidate(Choice(0, "ab", logprobs=tokens), logprobs=2)
    assert one["avgLogprobs"] == -1.0
    assert one["logprobsResult"] == {
        "chosenCandidates": [
            {"token": "a", "tokenId": 7, "logProbability": -0.5},
            {"token": "b", "logProbability": -1.5},
        ],
        "topCandidates": [
            {"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "b", "logProbability": -1.0}]},
            {"candidates": [{"token": "b", "logProbability": -1.5}, {"token": "x", "logProbability": -3.0}]},
        ],
        "logProbabilitySum": -2.0,
    }


def test_g014_without_alternatives_only_the_chosen_tokens_are_listed() -> None:
    one = candidate(Choice(0, "a", logprobs=[token("a", 1e-9, ("a", 0.0))]), logprobs=0)
    assert one["logprobsResult"] == {
        "chosenCandidates": [{"token": "a", "logProbability": 0.0}],
        "logProbabilitySum": 0.0,
    }
    assert "logprobsResult" not in candidate(Choice(0, "a", logprobs=[token("a", -1)]))
    assert "logprobsResult" not in candidate(Choice(0, ""), logprobs=1)


def test_tokens_of_half_characters_still_join_to_the_text() -> None:
    pieces = ["\N{SNOWMAN}".encode()[:1], "\N{SNOWMAN}".encode()[1:], b"!"]
    tokens = [token("\ufffd", -1.0, bytes=list(piece)) for piece in pieces]
    listed = candidate(Choice(0, "\N{SNOWMAN}!", logprobs=tokens), logprobs=0)["logprobsResult"]
    assert [entry["token"] for entry in listed["chosenCandidates"]] == ["", "\N{SNOWMAN}", "!"]  # type: ignore[index]
