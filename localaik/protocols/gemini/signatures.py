"""Signatures of calls: opaque marks that stand beside a call and come back with it."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Final

import orjson

from localaik.protocols.gemini import types
from localaik.protocols.gemini.reading import Findings

__all__ = ["check_signatures", "signature_of"]

# Signatures tell which call they belong to and guard nothing; equal answers have equal ones, also after a restart.
_KEY: Final = b"localaik thought signature"
_STRICT_NAMES: Final = "gemini-3"
_PASSING: Final = (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")
"""Values that the service takes for calls which no model made."""
_MISSING: Final = "Function call is missing a thought_signature in functionCall parts."
_FOREIGN: Final = "Thought signature is not valid."


def signature_of(name: str, arguments: bytes) -> str:
    """The signature of a call, in base64. Calls whose `arguments` (JSON) mean the same have the same one."""
    try:
        told = json.dumps(_plain(orjson.loads(arguments)), sort_keys=True).encode()
    except orjson.JSONDecodeError:
        told = arguments
    return b64encode(hmac.digest(_KEY, name.encode("utf-8", "replace") + b"\0" + told, "sha256")).decode()


def check_signatures(contents: Sequence[types.Content], model: str, findings: Findings, *, cached: int = 0) -> None:
    """Refuse missing and foreign signatures of calls since the last text of the user, as the service does.

    Only models whose names begin with `gemini-3` are held to this, and of a turn only its first call must have one.
    The first `cached` contents are those of a cached content, and are not looked at.
    """
    if not model.startswith(_STRICT_NAMES):
        return
    turn_has_call = False
    for index, content in _since_user_text(contents):
        if not _is_model(content):
            turn_has_call = False
            continue
        for place, part in enumerate(content.parts or ()):
            if part.function_call is None:
                continue
            path = f"contents[{index - cached}].parts[{place}].thoughtSignature"
            given = part.thought_signature
            if index >= cached and given and not _is_valid(given, part.function_call):
                findings.refuse_line(path, _FOREIGN, _FOREIGN)
            elif index >= cached and not given and not turn_has_call:
                findings.refuse_line(path, _MISSING, _MISSING)
            turn_has_call = True


def _since_user_text(contents: Sequence[types.Content]) -> Iterator[tuple[int, types.Content]]:
    """The contents behind the last one in which the user says something, with their indexes."""
    texts = (
        index
        for index in range(len(contents) - 1, -1, -1)
        if not _is_model(contents[index]) and any(part.text is not None for part in contents[index].parts or ())
    )
    start = next(texts, -1) + 1
    return ((index, contents[index]) for index in range(start, len(contents)))


def _is_model(content: types.Content) -> bool:
    return (content.role or "").lower() in {"model", "assistant"}


def _is_valid(given: str, call: types.FunctionCall) -> bool:
    """True for the signature of `call` and for the passing values, in any alphabet of base64."""
    standard = given.translate(str.maketrans("-_", "+/")).rstrip("=")
    own = signature_of(call.name or "", orjson.dumps(call.args or {})).rstrip("=")
    encoded = {b64encode(value).decode().rstrip("=") for value in _PASSING}
    return standard == own or standard in encoded or given.encode() in _PASSING


def _plain(value: object) -> object:
    """`value` without what clients change on the way: 1.0 becomes 1, and members that are null may go missing."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return value
