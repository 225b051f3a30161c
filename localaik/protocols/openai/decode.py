"""From a chat request to what is asked of the model. Pure: no I/O.

A field without effect is named in `Decoded.ignored`; a field that this API does not know travels on to the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from localaik.engine.bodies import OWNED_FIELDS
from localaik.errors import BadRequest
from localaik.generation.request import (
    AnyJson,
    GenerationRequest,
    JsonMatching,
    OutputFormat,
    Sampling,
    Thinking,
    ToolCall,
    ToolResult,
)
from localaik.protocols.openai import types
from localaik.protocols.openai.messages import decode_messages
from localaik.protocols.openai.reading import Findings, too_long
from localaik.protocols.openai.tools import decode_tools

__all__ = [
    "Answering",
    "Decoded",
    "decode_chat",
    "engine_fields",
    "logit_bias",
    "stop_strings",
    "stream_answering",
    "token_limit",
]

SCHEMA_FIELD: Final = "response_format.json_schema.schema"
_MOST_ENGINE_NAMES: Final = 4096
_MAX_TOKEN_ID: Final = 2**31 - 1  # the engine's token ids and counts are signed 32 bit

_WITHOUT_EFFECT: Final = frozenset(
    {
        "audio",
        "moderation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""Known fields that change nothing here. Effort and metadata may have an effect, and may have none."""


@dataclass(frozen=True, slots=True)
class Answering:
    """What the writers of an answer need of its request."""

    model: str
    """The name that the answer repeats."""
    logprobs: int | None = None
    """Alternatives that each token is told with; None where log probabilities were not asked for."""
    include_usage: bool = False
    obfuscate: bool = False
    """Pad the chunks of a stream, so that their sizes tell little of what is in them."""
    may_call: bool = False
    """The answer may be a call of a tool."""
    legacy_calls: bool = False
    """The call is written as a `function_call`."""
    include_thinking: bool = False
    """Thoughts are told as `thinking` too."""
    null_calls: bool = False
    """A message without calls has `tool_calls: null`."""
    cached_tokens: int = 0
    """The part of the prompt that content takes which the caller had stored before."""
    strict: bool = False
    """Faults have the codes of the strict chat profile."""


@dataclass(slots=True)
class Decoded:
    """A chat request, translated."""

    generation: GenerationRequest
    answering: Answering
    stream: bool
    ignored: list[str]
    """Paths of fields without effect."""
    format_name: str | None = None
    """The caller's name for the schema of the answer."""
    store: bool = False
    """The answer is to be kept."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What is kept with it."""


def decode_chat(
    request: types.ChatRequest,
    *,
    default_model: str,
    max_messages: int,
    max_tools: int,
    strict: bool,
    null_calls: bool = False,
    paths: Sequence[str] | None = None,
) -> Decoded:
    """Translate a request. Raises `BadRequest`.

    `max_messages` and `max_tools` are the most of them, 0 is no limit. `strict` refuses unknown fields. `paths` names
    the messages in faults, where it is not their place in the request that does.
    """
    findings = Findings(strict)
    if max_messages and len(request.messages) > max_messages:
        raise too_long("messages", max_messages, len(request.messages))
    given = request.model_fields_set
    if not _WITHOUT_EFFECT.isdisjoint(given):
        names = sorted(_WITHOUT_EFFECT & given)
        findings.ignored += [name for name in names if getattr(request, name) is not None]
    if request.metadata and not request.store:
        findings.ignore("metadata")
    if request.modalities and "audio" in request.modalities:
        raise BadRequest(
            "Invalid value: 'audio'. The model behind this server writes text only.",
            field="modalities",
            reason="unsupported_value",
        )
    model = request.model or default_model
    output = _output(request.response_format, findings)
    calling = decode_tools(request, findings, max_tools)
    generation = GenerationRequest(
        model,
        decode_messages(request.messages, findings, paths),
        sampling=Sampling(
            temperature=request.temperature,
            top_p=request.top_p,
            presence_penalty=request.presence_penalty,
            frequency_penalty=request.frequency_penalty,
        ),
        max_tokens=token_limit(request.max_completion_tokens or request.max_tokens),
        stop=stop_strings(request.stop),
        seed=request.seed,
        n=request.n or 1,
        logprobs=_logprobs(request),
        output=output,
        tools=calling.tools,
        tool_choice=calling.choice,
        reasoning_effort=request.reasoning_effort,
        thinking=_thinking(request),
    )
    if request.logit_bias:
        generation.logit_bias = logit_bias(request.logit_bias, findings)
    if request.model_extra:
        generation.extra = engine_fields(request.model_extra, findings, constraint=_constraint(generation))
    answering = stream_answering(request.stream_options, model, generation.logprobs, findings)
    if calling.tools and calling.choice.mode != "none":
        answering = replace(answering, may_call=True, legacy_calls=calling.legacy)
    if request.include_thinking or null_calls:
        answering = replace(answering, include_thinking=bool(request.include_thinking), null_calls=null_calls)
    schema_format = request.response_format if isinstance(request.response_format, types.JsonSchemaFormat) else None
    return Decoded(
        generation,
        answering,
        bool(request.stream),
        findings.ignored,
        schema_format.json_schema.name if schema_format is not None else None,
        bool(request.store),
        request.metadata or {},
    )


def _thinking(request: types.ChatRequest) -> Thinking | None:
    """Who wants to see thoughts gets them from every model, as long as they are not switched off."""
    if not request.include_thinking:
        return None
    return Thinking(include=True, budget=0 if request.reasoning_effort == "none" else None)


def stop_strings(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    """`stop` as a tuple; an empty string would end every answer at once, so it says nothing."""
    if not stop:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(text for text in stop if text)


def token_limit(limit: int | None) -> int | None:
    """The limit as the engine can hold it; more than any context is no limit anyway."""
    return None if limit is None else min(limit, _MAX_TOKEN_ID)


def logit_bias(biases: Mapping[str, float], findings: Findings) -> dict[int, float]:
    """Token id -> bias. Keys that can be no id of a token are without effect."""
    result: dict[int, float] = {}
    for key, bias in biases.items():
        if key.isascii() and key.isdigit() and len(key) <= 10 and int(key) <= _MAX_TOKEN_ID:
            result[int(key)] = bias
        else:
            findings.ignore(f"logit_bias.{key}")
    return result


def engine_fields(
    extra: Mapping[str, object], findings: Findings, *, constraint: str | None = None
) -> dict[str, object]:
    """The fields that are not this API's and travel on. `constraint` is the field that gives the answer a form."""
    result: dict[str, object] = {}
    for name, value in extra.items():
        if value is None:
            continue
        if findings.strict or name in OWNED_FIELDS:
            _refuse_schema(name)
            findings.unknown(name)
        elif name == "grammar" and constraint is not None:
            raise BadRequest(
                f"Mutually exclusive parameters: 'grammar' and '{constraint}'.",
                field="grammar",
                reason="mutually_exclusive_parameters",
            )
        else:
            result[name] = value
    # llama.cpp looks for each name among all before it: a hundred thousand keep it busy for minutes.
    if result and orjson.dumps(result).count(b'":') > _MOST_ENGINE_NAMES:
        raise BadRequest(
            f"The request has more than {_MOST_ENGINE_NAMES} names of fields that this API does not know.",
            reason="invalid_value",
        )
    return result


def stream_answering(
    options: types.StreamOptions | None, model: str, logprobs: int | None, findings: Findings
) -> Answering:
    """What the writers need, from the options of the stream."""
    if options is None:
        return Answering(model, logprobs)
    if options.model_extra:
        findings.unknown_in(options, "stream_options")
    return Answering(model, logprobs, bool(options.include_usage), bool(options.include_obfuscation))


def _refuse_schema(name: str) -> None:
    """A field of engines for the schema of an answer: one without its form would be a worse surprise than a refusal."""
    if name == "json_schema":
        raise BadRequest(
            "'json_schema' is not supported at the top of a request. Use 'response_format' of chat completions.",
            field=name,
            reason="unsupported_parameter",
        )


def _constraint(generation: GenerationRequest) -> str | None:
    """The field that gives the answer a form; after calls the form is text without one."""
    if generation.output is not None:
        return "response_format"
    if generation.tools:
        return "tools"
    parts = (part for message in generation.messages for part in message.parts)
    return "tool_calls" if any(isinstance(part, ToolCall | ToolResult) for part in parts) else None


def _logprobs(request: types.ChatRequest) -> int | None:
    if request.logprobs:
        return request.top_logprobs or 0
    if request.top_logprobs is not None:
        raise BadRequest(
            "Invalid value for 'top_logprobs': it is only allowed when 'logprobs' is true.",
            field="top_logprobs",
            reason="invalid_value",
        )
    return None


def _output(
    wanted: types.TextFormat | types.JsonObjectFormat | types.JsonSchemaFormat | None, findings: Findings
) -> OutputFormat | None:
    if wanted is None:
        return None
    if wanted.model_extra:
        findings.unknown_in(wanted, "response_format")
    if isinstance(wanted, types.TextFormat):
        return None
    if isinstance(wanted, types.JsonObjectFormat):
        return AnyJson(object_only=True)
    named = wanted.json_schema
    if named.model_extra:
        findings.unknown_in(named, "response_format.json_schema")
    if named.json_schema is None:
        return AnyJson(object_only=True)
    return JsonMatching(named.json_schema, SCHEMA_FIELD)
