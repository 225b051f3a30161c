"""Chat completions that were stored: listed, told again, tagged, deleted."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from localaik.errors import BadRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.lists import list_object, read_list
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.types import Metadata, Wire
from localaik.state.completion_records import Completion, CompletionPage
from localaik.state.faults import InvalidCursor, UnknownCompletion

__all__ = ["stored_routes"]

_METADATA: Final = re.compile(r"metadata\[(.+)\]", re.DOTALL)
_SHOWN_PARTS: Final = ("text", "image_url")
_TOLD: Final = ("tool_calls", "tool_call_id", "function_call", "refusal")


class MetadataUpdate(Wire):
    """POST chat/completions/{id}."""

    metadata: Metadata | None


def stored_routes() -> tuple[tuple[str, str, Handler], ...]:
    """Method, path behind the prefix, and handler."""
    return (
        ("GET", "/chat/completions", _list),
        ("GET", "/chat/completions/{completion}", _get),
        ("POST", "/chat/completions/{completion}", _update),
        ("DELETE", "/chat/completions/{completion}", _delete),
        ("GET", "/chat/completions/{completion}/messages", _list_messages),
    )


async def _list(call: Call, services: Services) -> web.StreamResponse:
    """GET chat/completions."""
    query = call.request.query
    wanted = read_list(query, default_order="asc")
    metadata = _metadata_filter(query)
    page = CompletionPage((), has_more=False)
    if services.store.may_hold_anything():
        completions = await services.store.completions()
        page = await completions.page(
            wanted.limit,
            after=wanted.after,
            newest_first=wanted.newest_first,
            model=query.get("model"),
            metadata=metadata,
        )
    elif wanted.after is not None:
        raise InvalidCursor(wanted.after)
    return json_response(list_object([_object_of(one) for one in page.items], has_more=page.has_more))


async def _get(call: Call, services: Services) -> web.StreamResponse:
    """GET chat/completions/{completion}."""
    return json_response(_object_of(await _completion(call, services)))


async def _update(call: Call, services: Services) -> web.StreamResponse:
    """POST chat/completions/{completion}: other metadata."""
    update = read(MetadataUpdate, await read_json(call, services.settings))
    call.ignored += update.model_extra or ()
    _check_any(call, services)
    completions = await services.store.completions()
    return json_response(_object_of(await completions.update(call.params["completion"], update.metadata or {})))


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE chat/completions/{completion}."""
    completion_id = call.params["completion"]
    _check_any(call, services)
    await (await services.store.completions()).delete(completion_id)
    return json_response({"object": "chat.completion.deleted", "id": completion_id, "deleted": True})


async def _list_messages(call: Call, services: Services) -> web.StreamResponse:
    """GET chat/completions/{completion}/messages: what the completion answers."""
    wanted = read_list(call.request.query, default_order="asc")
    completion = await _completion(call, services)
    messages = [_message(f"{completion.id}-{i}", one) for i, one in enumerate(orjson.loads(completion.messages))]
    if wanted.newest_first:
        messages.reverse()
    if wanted.after is not None:
        ids = [message["id"] for message in messages]
        if wanted.after not in ids:
            raise InvalidCursor(wanted.after)
        messages = messages[ids.index(wanted.after) + 1 :]
    return json_response(list_object(messages[: wanted.limit], has_more=len(messages) > wanted.limit))


async def _completion(call: Call, services: Services) -> Completion:
    _check_any(call, services)
    return await (await services.store.completions()).get(call.params["completion"])


def _check_any(call: Call, services: Services) -> None:
    """Where nothing was ever stored, there is no need to open the store."""
    if not services.store.may_hold_anything():
        raise UnknownCompletion(call.params["completion"])


def _metadata_filter(query: Mapping[str, str]) -> dict[str, str]:
    """The pairs in `metadata[name]=value`."""
    pairs: dict[str, str] = {}
    for name, value in query.items():
        match = _METADATA.fullmatch(name)
        if match is not None:
            pairs[match[1]] = value
        elif name == "metadata":
            raise BadRequest(
                "Invalid type for 'metadata': expected pairs, as in 'metadata[key]=value'.",
                field="metadata",
                reason="invalid_type",
            )
    return pairs


def _object_of(completion: Completion) -> Object:
    body: Object = orjson.loads(completion.body)
    return {**body, "metadata": completion.metadata}


def _message(message_id: str, message: Mapping[str, object]) -> Object:
    """One message as the API tells it: its text or its parts, and what else it has."""
    content = message.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else None
    told = {name: message[name] for name in _TOLD if message.get(name) is not None}
    return {
        "id": message_id,
        "role": message.get("role"),
        "content": content if parts is None else None,
        "name": message.get("name"),
        "content_parts": parts,
        "refusal": None,
        **told,
    }


def _part(part: Mapping[str, object]) -> Mapping[str, object]:
    """A part of a message. The API tells of texts and images only: others become a text."""
    kind = part.get("type")
    if kind in _SHOWN_PARTS:
        return part
    if kind == "refusal":
        return {"type": "text", "text": part.get("refusal")}
    file = part.get("file")
    name = (file.get("filename") or file.get("file_id")) if isinstance(file, dict) else None
    return {"type": "text", "text": f"[{kind}: {name}]" if name else f"[{kind}]"}
