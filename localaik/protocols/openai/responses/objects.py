"""The response object and its parts. Pure: no I/O.

Every key of the API's description is written, also where its value is null; `output_text`, which the SDKs compute for
themselves, comes last.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from localaik.errors import BadRequest, LocalaikError
from localaik.generation.events import TokenLogprob, Usage
from localaik.protocols.openai.encode import Object, logprob_number
from localaik.protocols.openai.errors import answer_of

__all__ = [
    "Status",
    "error_of",
    "output_text",
    "part_logprobs",
    "response_object",
    "told_logprobs",
    "usage_object",
    "with_output",
]

Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

_PUBLISHED_CODES: Final = frozenset(
    {
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
        "image_file_too_large",
        "image_parse_error",
        "image_too_large",
        "image_too_small",
        "invalid_base64_image",
        "invalid_image",
        "invalid_image_format",
        "invalid_image_url",
        "rate_limit_exceeded",
        "unsupported_image_media_type",
    }
)
"""Codes that a failed response may have beside `server_error` and `invalid_prompt`."""


def response_object(
    response_id: str,
    created: int,
    echo: Mapping[str, object],
    *,
    status: Status,
    background: bool,
    output: Sequence[Object] = (),
    usage: Usage | None = None,
    error: Object | None = None,
    incomplete: str | None = None,
    completed_at: int | None = None,
    conversation: str | None,
    previous_response_id: str | None,
    store: bool,
) -> Object:
    """A `response` with all its keys.

    `created` and `completed_at` are Unix seconds, `echo` holds what repeats the request, `error` is made by `error_of`,
    `incomplete` is the reason why the answer ends too early, `conversation` an id.
    """
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "completed_at": completed_at,
        "status": status,
        "background": background,
        "error": error,
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "instructions": echo["instructions"],
        "max_output_tokens": echo["max_output_tokens"],
        "max_tool_calls": echo["max_tool_calls"],
        "model": echo["model"],
        "output": list(output),
        "parallel_tool_calls": echo["parallel_tool_calls"],
        "previous_response_id": previous_response_id,
        "conversation": None if conversation is None else {"id": conversation},
        "prompt": echo["prompt"],
        "prompt_cache_key": echo["prompt_cache_key"],
        "prompt_cache_retention": echo["prompt_cache_retention"],
        "reasoning": echo["reasoning"],
        "safety_identifier": echo["safety_identifier"],
        "service_tier": echo["service_tier"],
        "store": store,
        "temperature": echo["temperature"],
        "text": echo["text"],
        "tool_choice": echo["tool_choice"],
        "tools": echo["tools"],
        "top_logprobs": echo["top_logprobs"],
        "top_p": echo["top_p"],
        "presence_penalty": echo["presence_penalty"],
        "frequency_penalty": echo["frequency_penalty"],
        "truncation": echo["truncation"],
        "usage": None if usage is None else usage_object(usage),
        "user": echo["user"],
        "metadata": echo["metadata"],
        "output_text": output_text(output),
    }


def with_output(response: Object, output: Sequence[Object]) -> Object:
    """`response` with other output items, and the text that they have."""
    return {**response, "output": list(output), "output_text": output_text(output)}


def output_text(output: Sequence[Object]) -> str:
    """The text of all messages, one behind the other."""
    return "".join(_text(item) for item in output if item["type"] == "message")


def usage_object(usage: Usage) -> Object:
    """Token counts. What an engine's cache held is left out: it would make equal requests differ."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def error_of(error: LocalaikError) -> Object:
    """The `error` of a failed response: a code that the API publishes, and the message of the plain answer."""
    answer = answer_of(error, prompt_field="input")
    if answer.code in _PUBLISHED_CODES:
        code = answer.code
    else:
        code = "invalid_prompt" if isinstance(error, BadRequest) else "server_error"
    return {"code": code, "message": answer.message}


def part_logprobs(tokens: Sequence[TokenLogprob], alternatives: int) -> list[Object]:
    """Log probabilities as the text of a message holds them: each token with its bytes and `alternatives` others."""
    return [
        {**_token(token), "top_logprobs": [_token(other) for other in token.top[:alternatives]]} for token in tokens
    ]


def told_logprobs(logprobs: Sequence[Mapping[str, object]]) -> list[Object]:
    """`part_logprobs` as the events of a text tell them: without bytes."""
    return [
        {**_without_bytes(token), "top_logprobs": [_without_bytes(other) for other in _objects(token["top_logprobs"])]}
        for token in logprobs
    ]


def _token(token: TokenLogprob) -> Object:
    # Engines that tell no bytes tell whole characters.
    told = list(token.token.encode("utf-8", "replace")) if token.bytes is None else token.bytes
    return {"token": token.token, "logprob": logprob_number(token.logprob), "bytes": told}


def _without_bytes(token: Mapping[str, object]) -> Object:
    return {"token": token["token"], "logprob": token["logprob"]}


def _text(message: Object) -> str:
    return "".join(str(part["text"]) for part in _objects(message["content"]) if part["type"] == "output_text")


def _objects(value: object) -> list[Object]:
    return value if isinstance(value, list) else []
