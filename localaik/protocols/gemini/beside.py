"""Gemini's own fields in requests to the OpenAI API that is served beside it.

Source: "OpenAI compatibility" in the documentation of the Gemini API.
"""

from collections.abc import Mapping

from localaik.errors import Forbidden
from localaik.generation.request import GenerationRequest
from localaik.protocols.contract import Services
from localaik.protocols.gemini.caches import cached_prompt
from localaik.protocols.gemini.decode import decode_cached, named_cache, read_thinking
from localaik.protocols.gemini.proto3 import Message
from localaik.protocols.gemini.reading import Findings, read
from localaik.protocols.gemini.types import GenerateContentRequest, ThinkingConfig
from localaik.protocols.google_fields import GoogleFields
from localaik.state.faults import UnknownCache

__all__ = ["read_google_fields"]


class _Google(Message):
    """The object `google`."""

    cached_content: str | None = None
    thinking_config: ThinkingConfig | None = None
    thought_tag_marker: object = None


async def read_google_fields(services: Services, fields: Mapping[str, object], model: str) -> GoogleFields:
    """A reader as `protocols.google_fields` describes it."""
    ignored: list[str] = []
    own = read(_Google, dict(fields), strict=services.settings.strict_wire, ignored=ignored)
    findings = Findings("google")
    asked = GenerationRequest(model)
    read_thinking(own.thinking_config, asked, findings, field="thinkingConfig")
    request = GenerateContentRequest.model_construct(cached_content=own.cached_content)
    cached = await cached_prompt(services, request)
    try:
        named_cache(request, cached, model, findings)
    except UnknownCache as error:
        raise Forbidden(error.message) from None  # as in the Gemini API; elsewhere what is unknown is not found
    front, tokens = None, 0
    if cached is not None:
        front, _ = decode_cached(cached.request, model)
        tokens = cached.tokens
    if own.thought_tag_marker is not None:
        findings.ignore("thoughtTagMarker")
    ignored += findings.ignored
    return GoogleFields(front, tokens, asked.thinking, asked.reasoning_effort, tuple(ignored))
