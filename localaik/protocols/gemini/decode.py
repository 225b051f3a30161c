"""From messages of the wire to what the pipeline and the encoders need. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from localaik.errors import BadRequest
from localaik.generation.request import (
    AnyJson,
    EnumText,
    GenerationRequest,
    JsonMatching,
    Message,
    OutputFormat,
    Sampling,
    Thinking,
)
from localaik.protocols.gemini import types
from localaik.protocols.gemini.caches_types import CachedPrompt, cache_name_of
from localaik.protocols.gemini.contents import ContentReader
from localaik.protocols.gemini.reading import Findings
from localaik.protocols.gemini.schema import JsonSchema, enum_values, to_json_schema
from localaik.protocols.gemini.signatures import check_signatures
from localaik.protocols.gemini.tools import read_tools
from localaik.state.faults import UnknownCache

__all__ = ["Answering", "Decoded", "decode", "decode_cached", "decode_count", "named_cache", "read_thinking"]

_MIME_TYPES: Final = ("text/plain", "application/json", "text/x.enum")
_MAX_STOP_SEQUENCES: Final = 5
_REQUEST_WITHOUT_EFFECT: Final = (("labels", "labels"), ("service_tier", "serviceTier"), ("store", "store"))
_CONFIG_WITHOUT_EFFECT: Final = (
    ("speech_config", "speechConfig"),
    ("image_config", "imageConfig"),
    ("enable_enhanced_civic_answers", "enableEnhancedCivicAnswers"),
    ("audio_transcription_config", "audioTranscriptionConfig"),
    ("translation_config", "translationConfig"),
)
_THINKING_WITHOUT_EFFECT: Final = (("thinking_budget", "thinkingBudget"), ("thinking_level", "thinkingLevel"))
_DYNAMIC_BUDGET: Final = -1
_LEVELS: Final[Mapping[str, int]] = {"MINIMAL": 0, "LOW": 1024, "MEDIUM": 4096, "HIGH": 16_384}
"""The budget that a level stands for; the highest one has none."""
_NO_CONFIG: Final = types.GenerationConfig()


@dataclass(frozen=True, slots=True)
class Answering:
    """What the encoders need to know of the request."""

    model_version: str
    """The name that was asked for, without `models/`."""
    candidates: int = 1
    include_thoughts: bool = False
    logprobs: int | None = None
    """None: no log probabilities; else the number of alternatives to each token."""
    safety_categories: tuple[str, ...] = ()
    """Categories to list as rated, in the order of the request."""
    cached_tokens: int = 0
    """The part of the prompt that a cached content takes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request on both sides of the pipeline."""

    generation: GenerationRequest
    answering: Answering
    ignored: list[str]
    """Wire paths of fields that are known and have no effect."""


def decode(
    request: types.GenerateContentRequest,
    model: str,
    *,
    model_version: str | None = None,
    max_messages: int = 0,
    cached: CachedPrompt | None = None,
    root: str = "GenerateContentRequest",
    prefix: str = "",
    strict_signatures: bool = False,
) -> Decoded:
    """Check and translate a request for `model`.

    `model_version` is the name in the answer where it is not `model`; `max_messages` the most contents (0: any).
    `cached` is the cached content that the request names, or None where it names none that exists.
    `root` is the wire's name of the message that was read, `prefix` the path of `request` in it, with a dot.
    With `strict_signatures` calls of the history are held to their signatures.
    Raises `BadRequest` with all faults that were found, `UnknownCache`, and `Forbidden` where a stored object is named
    of a kind of which none exists.
    """
    findings = Findings(root, prefix)
    config = request.generation_config or _NO_CONFIG
    low_detail = config.media_resolution == "MEDIA_RESOLUTION_LOW"
    whole = request if cached is None else _behind(cached.request, request)
    cached_contents = len(cached.request.contents or ()) if cached is not None else 0
    reader = ContentReader(findings, low_detail=low_detail, cached=cached_contents)
    generation = GenerationRequest(model)
    generation.messages = _messages(whole, reader, findings, max_messages)
    _read_config(config, generation, findings)
    _check_request(request, findings)
    if strict_signatures:
        check_signatures(whole.contents or (), model, findings, cached=cached_contents)
    if cached is not None:
        _check_cached_model(cached, model, findings)
    tools = read_tools(whole.tools or (), whole.tool_config, model, findings)
    generation.tools, generation.tool_choice = tools.functions, tools.choice
    findings.raise_if_any()
    refusal = (_cached_content(request, findings) if cached is None else None) or tools.forbidden
    if refusal is not None:
        raise refusal
    thinking = config.thinking_config
    answering = Answering(
        model_version=model_version or model,
        candidates=generation.n,
        include_thoughts=thinking is not None and bool(thinking.include_thoughts),
        logprobs=generation.logprobs,
        safety_categories=tuple(setting.category for setting in request.safety_settings or () if setting.category),
        cached_tokens=cached.tokens if cached is not None else 0,
    )
    return Decoded(generation, answering, findings.ignored)


def decode_cached(
    request: types.GenerateContentRequest, model: str, *, max_messages: int = 0
) -> tuple[GenerationRequest, list[str]]:
    """Check what is to be cached for `model`.

    The prompt that it is by itself, and the wire paths of fields without effect. Raises what `decode` raises.
    """
    findings = Findings("CreateCachedContentRequest.cached_content")
    generation = GenerationRequest(model)
    if not request.contents and request.system_instruction is None and not request.tools:
        findings.refuse("contents", "at least one of contents, system_instruction and tools must be set")
    reader = ContentReader(findings)
    generation.messages = _messages(request, reader, findings, max_messages, needs_contents=bool(request.contents))
    tools = read_tools(request.tools or (), request.tool_config, model, findings)
    generation.tools, generation.tool_choice = tools.functions, tools.choice
    findings.raise_if_any()
    if tools.forbidden is not None:
        raise tools.forbidden
    return generation, findings.ignored


def named_cache(
    request: types.GenerateContentRequest, cached: CachedPrompt | None, model: str, findings: Findings
) -> None:
    """Check the cached content that a request for `model` names; `cached` is None where there is none of its name.

    Raises `BadRequest` with all faults so far, `UnknownCache`.
    """
    if cached is not None:
        _check_cached_model(cached, model, findings)
    findings.raise_if_any()
    refusal = _cached_content(request, findings) if cached is None else None
    if refusal is not None:
        raise refusal


def decode_count(
    request: types.CountTokensRequest, model: str, *, max_messages: int = 0, cached: CachedPrompt | None = None
) -> Decoded:
    """Check and translate a request to count. `cached` is as in `decode`; raises what that raises."""
    whole = request.generate_content_request
    if (whole is None) == (request.contents is None):
        raise BadRequest(
            "* CountTokensRequest: exactly one of contents and generateContentRequest must be set.",
            field="contents" if whole is None else "generateContentRequest",
        )
    if whole is None:
        whole, prefix = types.GenerateContentRequest.model_construct(contents=request.contents), ""
    else:
        prefix = "generateContentRequest."
    return decode(whole, model, max_messages=max_messages, cached=cached, root="CountTokensRequest", prefix=prefix)


def _messages(
    request: types.GenerateContentRequest,
    reader: ContentReader,
    findings: Findings,
    max_messages: int,
    *,
    needs_contents: bool = True,
) -> list[Message]:
    contents = request.contents or []
    if max_messages and len(contents) > max_messages:
        rule = f"has {len(contents)} contents, {max_messages} are allowed (LOCALAIK_MAX_MESSAGES)"
        findings.refuse("contents", rule)
        return []
    system = reader.read_system(request.system_instruction) if request.system_instruction is not None else None
    faults_before = findings.fault_count
    conversation = reader.read(contents)
    if needs_contents and not conversation and findings.fault_count == faults_before:
        findings.refuse("contents", "contents is not specified")
    return conversation if system is None else [system, *conversation]


def _read_config(config: types.GenerationConfig, generation: GenerationRequest, findings: Findings) -> None:
    if config is _NO_CONFIG:
        return
    generation.sampling = Sampling(
        config.temperature, config.top_p, config.top_k, config.presence_penalty, config.frequency_penalty
    )
    generation.max_tokens = config.max_output_tokens
    generation.seed = config.seed
    generation.n = config.candidate_count or 1
    generation.stop = _stops(config.stop_sequences or (), findings)
    if config.response_logprobs:
        generation.logprobs = config.logprobs or 0
    elif config.logprobs is not None:
        findings.refuse("generationConfig.logprobs", "can only be set when response_logprobs is true")
    _check_modalities(config, findings)
    generation.output = _output(config, findings)
    for snake, camel in _CONFIG_WITHOUT_EFFECT:
        if getattr(config, snake) is not None:
            findings.ignore(f"generationConfig.{camel}")
    read_thinking(config.thinking_config, generation, findings)


def _stops(stops: Sequence[str], findings: Findings) -> tuple[str, ...]:
    if len(stops) > _MAX_STOP_SEQUENCES:
        findings.refuse(
            "generationConfig.stopSequences", f"has {len(stops)} entries, {_MAX_STOP_SEQUENCES} are allowed"
        )
    for index, stop in enumerate(stops):
        if not stop:
            findings.refuse(f"generationConfig.stopSequences[{index}]", "must not be empty")
    return tuple(stops)


def _check_modalities(config: types.GenerationConfig, findings: Findings) -> None:
    for index, modality in enumerate(config.response_modalities or ()):
        if modality not in {"TEXT", "MODALITY_UNSPECIFIED"}:
            findings.refuse(
                f"generationConfig.responseModalities[{index}]", f"{modality} is not supported, only TEXT is"
            )
    speech = config.speech_config
    if speech is not None and speech.voice_config is not None and speech.multi_speaker_voice_config is not None:
        findings.refuse(
            "generationConfig.speechConfig", "voice_config and multi_speaker_voice_config are mutually exclusive"
        )
    for index, item in enumerate(config.response_format or ()):
        if not _is_plain_text(item):
            findings.refuse(
                f"generationConfig.responseFormat[{index}]", "only plain text is supported; use responseSchema"
            )


def _is_plain_text(item: object) -> bool:
    """True for a response format of text alone, without a schema."""
    if not isinstance(item, dict) or item.keys() - {"text"}:
        return False
    text = item.get("text") or {}
    return isinstance(text, dict) and all(value is None or value == "text/plain" for value in text.values())


def _output(config: types.GenerationConfig, findings: Findings) -> OutputFormat | None:
    mime = (config.response_mime_type or "").lower()
    if mime and mime not in _MIME_TYPES:
        findings.refuse(
            "generationConfig.responseMimeType", f"{mime} is not supported; allowed are {', '.join(_MIME_TYPES)}"
        )
        return None
    if config.response_schema is not None and config.response_json_schema is not None:
        findings.refuse(
            "generationConfig.responseJsonSchema", "only one of response_schema and response_json_schema can be set"
        )
        return None
    field, schema = _schema(config, findings, is_enum=mime == "text/x.enum")
    if mime == "text/plain" and schema is not None:
        findings.refuse(field, "needs a responseMimeType of application/json or text/x.enum, not text/plain")
        return None
    if mime == "text/x.enum":
        values = enum_values(schema) if schema is not None else None
        if values is None:
            findings.refuse(field, "text/x.enum needs a STRING schema with enum values")
            return None
        return EnumText(values)
    if schema is not None:
        return JsonMatching(schema, findings.path(field))
    return AnyJson() if mime == "application/json" else None


def _schema(config: types.GenerationConfig, findings: Findings, *, is_enum: bool) -> tuple[str, JsonSchema | None]:
    """Wire path of the schema, and the schema itself."""
    field = "generationConfig.responseSchema"
    if config.response_schema is not None:
        # One bare value is never null.
        schema = config.response_schema.model_copy(update={"nullable": None}) if is_enum else config.response_schema
        return field, to_json_schema(schema, field, findings)
    if config.response_json_schema is None:
        return field, None
    field = "generationConfig.responseJsonSchema"
    if not isinstance(config.response_json_schema, dict | bool):
        findings.refuse(field, "must be a JSON Schema: an object or a boolean")
        return field, None
    return field, config.response_json_schema


def read_thinking(
    thinking: types.ThinkingConfig | None,
    generation: GenerationRequest,
    findings: Findings,
    *,
    field: str = "generationConfig.thinkingConfig",
) -> None:
    """Put what is said about thinking into `generation`. `field` is its path on the wire."""
    if thinking is None:
        return
    level = thinking.thinking_level if thinking.thinking_level != "THINKING_LEVEL_UNSPECIFIED" else None
    budget = thinking.thinking_budget
    if level is not None and budget is not None:
        findings.refuse(field, "only one of thinking_budget and thinking_level can be set")
    if level is not None:
        generation.reasoning_effort = level.lower()
        budget = _LEVELS.get(level)
    include = bool(thinking.include_thoughts)
    generation.thinking = Thinking(include, None if budget == _DYNAMIC_BUDGET else budget)
    if budget == 0:
        generation.reasoning_effort = "none"
    elif not include:  # then it only speaks to models that think by themselves
        for snake, camel in _THINKING_WITHOUT_EFFECT:
            if getattr(thinking, snake) is not None:
                findings.ignore(f"{field}.{camel}")


def _check_request(request: types.GenerateContentRequest, findings: Findings) -> None:
    if request.continuation_token is not None:
        findings.refuse("continuationToken", "no such token was issued")
    if request.cached_content is not None and (
        request.system_instruction is not None or request.tools or request.tool_config is not None
    ):
        findings.refuse_line(
            "cachedContent",
            "can't be used together with systemInstruction, tools or toolConfig",
            "CachedContent can not be used with GenerateContent request setting system_instruction, tools or"
            " tool_config.",
        )
    seen: set[str] = set()
    for index, setting in enumerate(request.safety_settings or ()):
        if setting.category is None:
            findings.refuse(f"safetySettings[{index}].category", "is not specified")
        elif setting.category in seen:
            findings.refuse(f"safetySettings[{index}].category", f"{setting.category} is given twice")
        else:
            seen.add(setting.category)
    for snake, camel in _REQUEST_WITHOUT_EFFECT:
        if getattr(request, snake) is not None:
            findings.ignore(camel)


def _cached_content(request: types.GenerateContentRequest, findings: Findings) -> UnknownCache | BadRequest | None:
    """The refusal of a request that names a cached content that does not exist."""
    if not request.cached_content:
        return None
    if cache_name_of(request.cached_content) is None:
        field = findings.path("cachedContent")
        return BadRequest(f"{field}: the name of a cached content is cachedContents/ID.", field=field)
    return UnknownCache()


def _check_cached_model(cached: CachedPrompt, model: str, findings: Findings) -> None:
    if cached.model != model:
        line = (
            f"Model used by GenerateContent request (models/{model}) and CachedContent (models/{cached.model}) has to"
            " be the same."
        )
        findings.refuse_line("cachedContent", line, line)


def _behind(
    cached: types.GenerateContentRequest, request: types.GenerateContentRequest
) -> types.GenerateContentRequest:
    """The request with what is cached in front of its own contents, of which it needs some."""
    contents = [*(cached.contents or ()), *request.contents] if request.contents else None
    return request.model_copy(
        update={
            "contents": contents,
            "system_instruction": cached.system_instruction,
            "tools": cached.tools,
            "tool_config": cached.tool_config,
        }
    )
