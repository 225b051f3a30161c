"""From a request for a response to what is asked of the model. Pure: no I/O.

`read_create` reads a request, `new_items` what it says, and `decode_response` translates it together with all that the
model is shown. A field without effect is named in `DecodedResponse.ignored`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from localaik.errors import BadRequest, NotFound
from localaik.generation.request import AnyJson, GenerationRequest, JsonMatching, OutputFormat, Sampling, Thinking
from localaik.protocols.openai.decode import token_limit
from localaik.protocols.openai.encode import SERVICE_TIER, Object
from localaik.protocols.openai.reading import Findings, missing, read, too_long, wrong_type
from localaik.protocols.openai.responses import types
from localaik.protocols.openai.responses.answering import Answering
from localaik.protocols.openai.responses.items import normalise
from localaik.protocols.openai.responses.render import render
from localaik.protocols.openai.responses.tools import Calling, decode_tools
from localaik.protocols.openai.types import JsonObjectFormat, TextFormat, Wire

__all__ = [
    "DecodedResponse",
    "check_include",
    "decode_response",
    "fields_without_effect",
    "new_items",
    "read_compact",
    "read_count",
    "read_create",
]

SCHEMA_FIELD: Final = "text.format.schema"
_LOGPROBS: Final = "message.output_text.logprobs"
_ENCRYPTED: Final = "reasoning.encrypted_content"
_SERVED_INCLUDES: Final = frozenset({_LOGPROBS, _ENCRYPTED, "message.input_image.image_url"})
_WITHOUT_EFFECT: Final = (
    "access_programs",
    "image",
    "max_tool_calls",
    "moderation",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "user",
)
"""Known fields that change nothing here."""
_COUNTED: Final = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "reasoning_effort",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""The fields of a request to count its tokens."""
_COMPACTED: Final = frozenset(
    {
        "image",
        "input",
        "instructions",
        "model",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
    }
)
"""The fields of a request to compact."""


@dataclass(slots=True)
class DecodedResponse:
    """A request for a response, translated."""

    generation: GenerationRequest
    answering: Answering
    echo: Object
    """Every key of the response that repeats the request, in the order of the response."""
    stream: bool
    background: bool
    store: bool
    previous_response_id: str | None
    """The response that is continued; None where a conversation is."""
    conversation_id: str | None
    truncation: str
    """`auto` or `disabled`."""
    compact_threshold: int | None
    """Tokens of the prompt beyond which earlier items are compacted."""
    ignored: list[str]
    """Paths of fields without effect."""
    format_name: str | None = None
    """The caller's name for the schema of the answer."""


def read_create(body: object) -> types.CreateResponse:
    """The request that `body` is. Raises `BadRequest`, and `NotFound` where all it says is in a stored prompt."""
    request = read(types.CreateResponse, body)
    _check_continued(request)
    _check_reasoning(request)
    if request.background and request.store is False:
        message = "Invalid value for 'background': it is only allowed when 'store' is not false."
        raise BadRequest(message, field="background", reason="invalid_value")
    if request.input is None and request.previous_response_id is None and request.conversation is None:
        if request.prompt is None:
            raise missing("input")
        if not request.instructions:
            raise NotFound(f"Prompt with id '{request.prompt.id[:100]}' not found.")
    return request


def read_count(body: object) -> types.CreateResponse:
    """The request to count tokens that `body` is. Raises `BadRequest`."""
    if isinstance(body, dict) and body.get("model") is None:
        body = {**body, "model": ""}  # it may be left out, and any model counts alike
    request = _read_some(body, _COUNTED)
    _check_continued(request)
    _check_reasoning(request)
    return request


def read_compact(body: object) -> types.CreateResponse:
    """The request to compact that `body` is. Raises `BadRequest`."""
    request = _read_some(body, _COMPACTED)
    if request.input is None and request.previous_response_id is None:
        raise missing("input")
    return request


def check_include(values: Sequence[str]) -> None:
    """Refuse words of an `include` that are not known. Raises `BadRequest`."""
    read(types.Include, {"include": list(values)})


def new_items(request: types.CreateResponse, *, strict: bool) -> list[Object]:
    """What the request itself says, as items that can be kept. Raises `BadRequest`.

    Where they stand and which of their fields have no effect is remembered in the request.
    """
    if request.input is None:
        return []
    findings = Findings(strict)
    items = normalise(request.input, "input", findings=findings)
    asked = request.asked
    asked.ignored = findings.ignored
    if isinstance(request.input, str):
        asked.places = {str(items[0]["id"]): "input"}
    else:
        asked.places = {str(item["id"]): f"input[{index}]" for index, item in enumerate(items)}
    return items


def fields_without_effect(request: types.CreateResponse, *, strict: bool) -> list[str]:
    """What changes nothing in a request that is not decoded any further, once `new_items` has read its input.

    Raises `BadRequest` for unknown fields where `strict`.
    """
    findings = Findings(strict)
    _note_unknown(request, findings)
    _note_idle(request, findings)
    return [*findings.ignored, *request.asked.ignored]


def decode_response(
    request: types.CreateResponse,
    items: Sequence[Object],
    *,
    max_messages: int,
    max_tools: int,
    strict: bool,
    refuse_server_tools: bool = False,
    egemma: bool = False,
) -> DecodedResponse:
    """Translate a request, whose model is shown `items`: what it continues, and then what it says itself.

    `max_messages` and `max_tools` are the most that the request itself may bring, 0 is no limit. `strict` refuses
    unknown fields, `refuse_server_tools` tools that the real service runs. `egemma` is handed on to the writers. Raises
    `BadRequest`.
    """
    findings = Findings(strict)
    if max_messages and isinstance(request.input, list) and len(request.input) > max_messages:
        raise too_long("input", max_messages, len(request.input))
    _note_unknown(request, findings)
    _note_idle(request, findings)
    calling = decode_tools(request, findings, max_tools=max_tools, refuse_server_tools=refuse_server_tools)
    includes = request.include or ()
    wants_logprobs = bool(request.top_logprobs) or _LOGPROBS in includes
    reasoning = request.reasoning or types.Reasoning()
    summary = reasoning.summary or reasoning.generate_summary
    effort = reasoning.effort or request.reasoning_effort
    generation = GenerationRequest(
        request.model,
        render(items, instructions=request.instructions, places=request.asked.places),
        sampling=Sampling(
            temperature=request.temperature,
            top_p=request.top_p,
            presence_penalty=request.presence_penalty,
            frequency_penalty=request.frequency_penalty,
        ),
        max_tokens=token_limit(request.max_output_tokens),
        seed=request.seed,
        logprobs=request.top_logprobs or 0 if wants_logprobs else None,
        output=_output(request.text, findings),
        tools=calling.tools,
        tool_choice=calling.choice,
        reasoning_effort=effort,
        # Who asks for a summary of thoughts wants some, also of a model that does not think by itself.
        thinking=Thinking(include=True) if summary and effort != "none" else None,
    )
    answering = Answering(
        logprobs=generation.logprobs,
        may_call=bool(calling.tools) and calling.choice.mode != "none",
        summary=summary is not None,
        encrypted_reasoning=_ENCRYPTED in includes,
        obfuscate=request.stream_options is not None and bool(request.stream_options.include_obfuscation),
        namespaced=calling.namespaced,
        egemma=egemma,
    )
    conversation_id = request.conversation_id
    form = request.text.format if request.text is not None else None
    return DecodedResponse(
        generation,
        answering,
        _echo(request, calling, effort, summary),
        stream=bool(request.stream),
        background=bool(request.background),
        store=request.store is not False,
        previous_response_id=None if conversation_id else request.previous_response_id,
        conversation_id=conversation_id,
        truncation=request.truncation or "disabled",
        compact_threshold=_threshold(request),
        ignored=[*findings.ignored, *request.asked.ignored],
        format_name=form.name if isinstance(form, types.JsonSchemaFormat) else None,
    )


def _read_some(body: object, names: frozenset[str]) -> types.CreateResponse:
    """A request that has only some of the fields of a request for a response; the others are noted as unknown."""
    if not isinstance(body, dict):
        return read(types.CreateResponse, body)
    others = {name: value for name, value in body.items() if name in types.CreateResponse.model_fields.keys() - names}
    request = read(types.CreateResponse, {name: value for name, value in body.items() if name not in others})
    request.asked.unknown = [name for name, value in others.items() if value is not None]
    return request


def _check_continued(request: types.CreateResponse) -> None:
    """What is continued is a response or a conversation, named by an id."""
    conversation = request.conversation
    if isinstance(conversation, dict):
        read(types.ConversationRef, conversation, "conversation")
    elif conversation is not None and not isinstance(conversation, str):
        raise wrong_type("conversation", "one of a string or an object", conversation)
    if conversation is not None and request.previous_response_id is not None:
        raise BadRequest(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'.",
            field="previous_response_id",
            reason="mutually_exclusive_parameters",
        )


def _check_reasoning(request: types.CreateResponse) -> None:
    """Both names of the effort must say the same."""
    effort = request.reasoning.effort if request.reasoning is not None else None
    alias = request.reasoning_effort
    if effort is not None and alias is not None and effort != alias:
        message = (
            f"Invalid value for 'reasoning_effort': '{alias}' differs from 'reasoning.effort', which is '{effort}'."
        )
        raise BadRequest(message, field="reasoning_effort", reason="invalid_value")


def _note_unknown(request: types.CreateResponse, findings: Findings) -> None:
    """Name, or refuse, what this API does not know."""
    extra = [name for name, value in (request.model_extra or {}).items() if value is not None]
    for name in (*extra, *request.asked.unknown):
        findings.unknown(name)
    for path in ("stream_options", "text", "reasoning"):
        part = getattr(request, path)
        if part is not None:
            findings.unknown_in(part, path)


def _note_idle(request: types.CreateResponse, findings: Findings) -> None:
    """Name what changes nothing here."""
    places: list[tuple[str, object]] = [(name, getattr(request, name)) for name in _WITHOUT_EFFECT]
    if request.text is not None:
        places.append(("text.verbosity", request.text.verbosity))
    if request.reasoning is not None:
        places += [(f"reasoning.{name}", getattr(request.reasoning, name)) for name in ("context", "mode")]
    places += [
        (f"include[{at}]", word) for at, word in enumerate(request.include or ()) if word not in _SERVED_INCLUDES
    ]
    for index, management in enumerate(request.context_management or ()):
        if management.type != "compaction" or management.compact_threshold is None:
            places.append((f"context_management[{index}]", management.type))
    for path, value in places:
        if value not in (None, False):
            findings.ignore(path)


def _threshold(request: types.CreateResponse) -> int | None:
    """Where several are given, the lowest holds."""
    given = [
        management.compact_threshold
        for management in request.context_management or ()
        if management.type == "compaction" and management.compact_threshold is not None
    ]
    return min(given, default=None)


def _output(text: types.TextConfig | None, findings: Findings) -> OutputFormat | None:
    wanted = text.format if text is not None else None
    if wanted is None:
        return None
    if wanted.model_extra:
        findings.unknown_in(wanted, "text.format")
    if isinstance(wanted, TextFormat):
        return None
    if isinstance(wanted, JsonObjectFormat):
        return AnyJson(object_only=True)
    return JsonMatching(wanted.json_schema, SCHEMA_FIELD)


def _echo(request: types.CreateResponse, calling: Calling, effort: str | None, summary: str | None) -> Object:
    """What the response repeats of its request."""
    conversation_id = request.conversation_id
    prompt = request.prompt
    return {
        "background": bool(request.background),
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "model": request.model,
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": None if conversation_id else request.previous_response_id,
        "conversation": None if conversation_id is None else {"id": conversation_id},
        "prompt": None if prompt is None else _object(prompt),
        "prompt_cache_key": request.prompt_cache_key,
        "prompt_cache_retention": request.prompt_cache_retention,
        "reasoning": {"effort": effort, "summary": summary},
        "safety_identifier": request.safety_identifier,
        "service_tier": SERVICE_TIER,
        "store": request.store is not False,
        "temperature": _or(request.temperature, 1.0),
        "text": _text(request.text),
        "tool_choice": "auto" if request.tool_choice is None else request.tool_choice,
        "tools": calling.echo,
        "top_logprobs": request.top_logprobs or 0,
        "top_p": _or(request.top_p, 1.0),
        "presence_penalty": _or(request.presence_penalty, 0.0),
        "frequency_penalty": _or(request.frequency_penalty, 0.0),
        "truncation": request.truncation or "disabled",
        "user": request.user,
        "metadata": request.metadata or {},
    }


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _text(text: types.TextConfig | None) -> Object:
    form: Mapping[str, object] = {"type": "text"} if text is None or text.format is None else _object(text.format)
    return {"format": form, "verbosity": (text.verbosity if text is not None else None) or "medium"}


def _object(part: Wire) -> Object:
    """An object of the request as it was given."""
    return part.model_dump(by_alias=True, exclude_unset=True)
