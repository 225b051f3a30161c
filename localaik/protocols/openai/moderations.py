"""Moderations: nothing is judged. Texts that hold a marker of the settings are flagged, so that callers can be tested.

Source of the shapes and the categories: "Moderations" in the API reference.
"""

import re
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import Findings, read
from localaik.protocols.openai.types import ImagePart, TextPart, Wire
from localaik.state.ids import new_id

__all__ = ["ModerationOfContent", "ModerationOfTexts", "create_moderation", "moderate"]

_CATEGORIES: Final = (
    "hate",
    "hate/threatening",
    "harassment",
    "harassment/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_DEFAULT_MODEL: Final = "omni-moderation-latest"
_MAX_INPUTS: Final = 2048
_ID_CHARS: Final = 32
# The longest name first, so that `violence/graphic` is not read as `violence`.
_NAMED: Final = "|".join(sorted(_CATEGORIES, key=len, reverse=True))

_Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]
_Many = Annotated[list[str], Field(min_length=1, max_length=_MAX_INPUTS, fail_fast=True)]
_Parts = Annotated[list[_Part], Field(min_length=1, max_length=_MAX_INPUTS, fail_fast=True)]


class ModerationOfTexts(Wire):
    """POST moderations with a text, or several."""

    input: str | _Many
    model: str | None = None


class ModerationOfContent(Wire):
    """POST moderations with texts and images that are one thing."""

    input: _Parts
    model: str | None = None


async def create_moderation(call: Call, services: Services) -> web.StreamResponse:
    """POST moderations."""
    settings = services.settings
    body = await read_json(call, settings)
    return json_response(moderate(body, settings.flag_marker, Findings(settings.strict_wire, call.ignored)))


def moderate(body: object, marker: str, findings: Findings) -> Object:
    """The answer to the body of a request: a result for each text, or one for a list of parts. Raises `BadRequest`.

    Text behind `marker` (empty: no text) that names a category is flagged in it.
    """
    given = body.get("input") if isinstance(body, dict) else None
    request: ModerationOfTexts | ModerationOfContent
    if isinstance(given, list) and given and isinstance(given[0], dict):
        request = read(ModerationOfContent, body)
        texts = [part.text for part in request.input if isinstance(part, TextPart)]
        kinds = ["text"] if texts else []
        if len(texts) < len(request.input):
            kinds.append("image")
        results = [_result("\n".join(texts), marker, kinds)]
    else:
        request = read(ModerationOfTexts, body)
        inputs = [request.input] if isinstance(request.input, str) else request.input
        results = [_result(text, marker, ["text"]) for text in inputs]
    for name in request.model_extra or ():
        findings.unknown(name)
    return {"id": new_id("modr-", _ID_CHARS), "model": request.model or _DEFAULT_MODEL, "results": results}


def _result(text: str, marker: str, kinds: list[str]) -> Object:
    flagged = set(re.findall(f"{re.escape(marker)}({_NAMED})", text)) if marker else set()
    return {
        "flagged": bool(flagged),
        "categories": {name: name in flagged for name in _CATEGORIES},
        "category_scores": {name: float(name in flagged) for name in _CATEGORIES},
        "category_applied_input_types": dict.fromkeys(_CATEGORIES, kinds),
    }
