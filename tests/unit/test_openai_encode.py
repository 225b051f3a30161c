"""Whole answers of chat completions, and models."""

import orjson
import pytest

from localaik.generation.events import FinishReason, TokenLogprob, Usage
from localaik.generation.fold import Choice, Generation
from localaik.models.registry import ModelEntry
from localaik.protocols.openai.decode import Answering
from localaik.protocols.openai.encode import Identity, encode_chat, json_line, model_list

IDENTITY = Identity("chatcmpl-1", 9, "0123456789")


def encode(*choices: Choice, usage: Usage | None = None, logprobs: int | None = None) -> dict[str, object]:
    generation = Generation(list(choices), usage or Usage(5, 2))
    answer: dict[str, object] = orjson.loads(encode_chat(generation, Answering("org/m", logprobs), IDENTITY))
    return answer


def test_b070_every_required_key_is_written() -> None:
    assert encode(Choice(0, "Hello", finish_reason="stop"), usage=Usage(5, 2, reasoning_tokens=1)) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 9,
        "model": "org/m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 2,
            "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 1,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }


@pytest.mark.parametrize(
    ("reason", "word"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("other", "stop")],
)
def test_finish_reasons(reason: FinishReason, word: str) -> None:
    answer = encode(Choice(0, "a", finish_reason=reason), Choice(1, ""))
    assert [choice["finish_reason"] for choice in answer["choices"]] == [word, "stop"]  # type: ignore[attr-defined]


def test_b075_reasoning_is_kept_where_there_is_any() -> None:
    answer = encode(Choice(0, "a", reasoning="Hm"), Choice(1, ""))
    messages = [choice["message"] for choice in answer["choices"]]  # type: ignore[attr-defined]
    assert messages[0]["reasoning_content"] == "Hm"
    assert messages[1] == {"role": "assistant", "content": "", "refusal": None, "annotations": []}


def test_log_probabilities_have_as_many_alternatives_as_asked() -> None:
    token = TokenLogprob("a", -0.5, 3, [97], [TokenLogprob("a", -0.5, 3, [97]), TokenLogprob("b", float("nan"))])
    for alternatives in (0, 1, 2):
        answer = encode(Choice(0, "a", logprobs=[token]), logprobs=alternatives)
        logprobs = answer["choices"][0]["logprobs"]  # type: ignore[index]
        top = [{"token": "a", "logprob": -0.5, "bytes": [97]}, {"token": "b", "logprob": -9999.0, "bytes": None}]
        assert logprobs == {
            "content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": top[:alternatives]}],
            "refusal": None,
        }
    assert encode(Choice(0, ""), logprobs=0)["choices"][0]["logprobs"] == {"content": [], "refusal": None}  # type: ignore[index]


def test_b077_the_list_of_models() -> None:
    entries = [ModelEntry("tiny", 7, "localaik", 8192, "A model."), ModelEntry("org/m", 7, "localaik", 8192, "")]
    assert model_list(entries) == {
        "object": "list",
        "data": [
            {"id": "tiny", "object": "model", "created": 7, "owned_by": "localaik"},
            {"id": "org/m", "object": "model", "created": 7, "owned_by": "localaik"},
        ],
    }


def test_a_line_of_json_is_one_line_for_every_reader() -> None:
    value = {"a": 'é\u2028"\u2029\u0085\\\n\r\x0b\x0c\x1c'}
    line = json_line(value)
    assert len(line.decode().splitlines()) == 1
    assert orjson.loads(line) == value
