"""From a complete generation to the bytes of an answer. Pure: no I/O.

Every key that the API's description requires is written, also where its value is null.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from localaik.errors import EngineAnswerInvalid
from localaik.generation.events import FinishReason, TokenLogprob, Usage
from localaik.generation.fold import Choice, FoldedCall, Generation
from localaik.models.registry import ModelEntry
from localaik.protocols.openai.decode import Answering

__all__ = [
    "FINISH_REASONS",
    "SERVICE_TIER",
    "Identity",
    "Object",
    "encode_chat",
    "finish_reason",
    "json_line",
    "logprob_number",
    "logprobs_object",
    "model_list",
    "model_object",
    "usage_object",
]

Object = dict[str, object]

SERVICE_TIER: Final = "default"
FINISH_REASONS: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "other": "stop",
}
_LEAST_LOGPROB: Final = -9999.0  # what the API tells for tokens that are all but impossible
_LINE_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


@dataclass(frozen=True, slots=True)
class Identity:
    """What all parts of one answer repeat."""

    id: str
    created: int
    """Unix seconds."""
    fingerprint: str
    """Ten hexadecimal digits of the engine's build, model and settings."""


def encode_chat(generation: Generation, answering: Answering, identity: Identity) -> bytes:
    """A `chat.completion`. Raises `EngineAnswerInvalid` where a call was due and none came."""
    return orjson.dumps(
        {
            "id": identity.id,
            "object": "chat.completion",
            "created": identity.created,
            "model": answering.model,
            "choices": [_choice(choice, answering) for choice in generation.choices],
            "usage": usage_object(generation.usage, answering.cached_tokens),
            "service_tier": SERVICE_TIER,
            "system_fingerprint": f"fp_{identity.fingerprint}",
        }
    )


def finish_reason(reason: FinishReason, message: str, answering: Answering) -> str:
    """Why a choice ended, in the API's words; it has none for a call that was due and did not come.

    Raises `EngineAnswerInvalid` with `message` for that.
    """
    if reason == "malformed_call":
        raise EngineAnswerInvalid(message or "The model made no valid call.", reason="tool_call_invalid")
    if reason == "tool_calls" and answering.legacy_calls:
        return "function_call"
    return FINISH_REASONS[reason]


def usage_object(usage: Usage, cached_tokens: int = 0) -> Object:
    """Token counts; `cached_tokens` of the prompt are those of stored content.

    What an engine's cache held is left out: it would make equal requests differ.
    """
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": min(cached_tokens, usage.prompt_tokens), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def logprobs_object(tokens: Sequence[TokenLogprob], alternatives: int) -> Object:
    """Log probabilities of text, each token with exactly `alternatives` others where the engine told so many."""
    return {"content": [_token(token, alternatives) for token in tokens], "refusal": None}


def logprob_number(logprob: float) -> float:
    """A log probability that JSON can hold."""
    return max(_LEAST_LOGPROB, logprob)


def model_object(name: str, entry: ModelEntry) -> Object:
    """A `model` under the name that was asked for."""
    return {"id": name, "object": "model", "created": entry.created, "owned_by": entry.owner}


def model_list(entries: Sequence[ModelEntry]) -> Object:
    """All listed models."""
    return {"object": "list", "data": [model_object(entry.id, entry) for entry in entries]}


def json_line(payload: object) -> bytes:
    """JSON on one line, also for readers to whom U+0085, U+2028 and U+2029 end a line."""
    data = orjson.dumps(payload)
    if data.isascii():
        return data
    for char, escape in _LINE_ENDS:
        if char in data:
            data = data.replace(char, escape)
    return data


def _choice(choice: Choice, answering: Answering) -> Object:
    content = choice.text or (None if choice.calls else "")
    message: Object = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    if choice.calls and answering.legacy_calls:
        call = choice.calls[0]  # one at most: no more were asked for
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
    elif choice.calls:
        message["tool_calls"] = [_call(call) for call in choice.calls]
    elif answering.null_calls:
        message["tool_calls"] = None
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
        if answering.include_thinking:
            message["thinking"] = choice.reasoning
    alternatives = answering.logprobs
    return {
        "index": choice.index,
        "message": message,
        "logprobs": None if alternatives is None else logprobs_object(choice.logprobs, alternatives),
        "finish_reason": finish_reason(choice.finish_reason, choice.finish_message, answering),
    }


def _call(call: FoldedCall) -> Object:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _token(token: TokenLogprob, alternatives: int) -> Object:
    return {
        "token": token.token,
        "logprob": logprob_number(token.logprob),
        "bytes": token.bytes,
        "top_logprobs": [
            {"token": other.token, "logprob": logprob_number(other.logprob), "bytes": other.bytes}
            for other in token.top[:alternatives]
        ],
    }
