"""The routes of conversations and their items."""

from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.lists import list_object, read_list
from localaik.protocols.openai.reading import Findings, read
from localaik.protocols.openai.responses.chain import conversation_locked, items_of, objects_of, resolved
from localaik.protocols.openai.responses.conversation_types import CreateConversation, CreateItems, UpdateConversation
from localaik.protocols.openai.responses.decode import check_include
from localaik.protocols.openai.responses.items import TRIGGER, normalise
from localaik.protocols.openai.types import Wire
from localaik.state.faults import InvalidCursor, UnknownConversation
from localaik.state.response_records import Conversation, ConversationPage

if TYPE_CHECKING:
    from localaik.state.conversations import ConversationStore

__all__ = ["conversation_routes"]

_MAX_ITEMS_LISTED: Final = 1000
_COMPAT_ITEMS_LISTED: Final = 100


def conversation_routes() -> tuple[tuple[str, str, Handler], ...]:
    """Method, path behind the prefix, and handler."""
    one, items = "/conversations/{conversation}", "/conversations/{conversation}/items"
    return (
        ("POST", "/conversations", _create),
        ("GET", "/conversations", _list),
        ("GET", one, _get),
        ("POST", one, _update),
        ("DELETE", one, _delete),
        ("POST", items, _add_items),
        ("GET", items, _list_items),
        ("GET", f"{items}/{{item:rest}}", _get_item),
        ("DELETE", f"{items}/{{item:rest}}", _delete_item),
    )


async def _create(call: Call, services: Services) -> web.StreamResponse:
    """POST conversations."""
    body = await read_json(call, services.settings) if call.request.can_read_body else {}
    request = read(CreateConversation, body)
    items = await _given(call, services, request, request.items)
    made = await (await services.store.conversations()).create(request.metadata or {}, items_of(items))
    return json_response(_object_of(made))


async def _list(call: Call, services: Services) -> web.StreamResponse:
    """GET conversations: newest first, without their items."""
    wanted = read_list(call.request.query)
    page = ConversationPage((), has_more=False)
    if services.store.may_hold_anything():
        page = await (await services.store.conversations()).page(
            wanted.limit, wanted.after, newest_first=wanted.newest_first
        )
    elif wanted.after is not None:
        raise InvalidCursor(wanted.after)
    listed: list[Object] = [{**_object_of(one), "item_count": one.item_count, "items": []} for one in page.items]
    return json_response(list_object(listed, has_more=page.has_more))


async def _get(call: Call, services: Services) -> web.StreamResponse:
    """GET conversations/{conversation}."""
    return json_response(_object_of(await (await _store(call, services)).get(call.params["conversation"])))


async def _update(call: Call, services: Services) -> web.StreamResponse:
    """POST conversations/{conversation}: other metadata."""
    request = read(UpdateConversation, await read_json(call, services.settings))
    call.ignored += _findings_of(services, request).ignored
    conversations = await _store(call, services)
    return json_response(_object_of(await conversations.update(call.params["conversation"], request.metadata or {})))


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE conversations/{conversation}."""
    conversation_id = call.params["conversation"]
    await (await _store(call, services)).delete(conversation_id)
    return json_response({"id": conversation_id, "object": "conversation.deleted", "deleted": True})


async def _add_items(call: Call, services: Services) -> web.StreamResponse:
    """POST conversations/{conversation}/items."""
    conversation_id = call.params["conversation"]
    request = read(CreateItems, await read_json(call, services.settings))
    check_include(_included(call))
    if not request.items:
        raise BadRequest("No items provided", field="items", reason="invalid_value")
    conversations = await _store(call, services)
    items = await _given(call, services, request, request.items)
    await _check_free(services, conversation_id)
    await conversations.add(conversation_id, items_of(items))
    return json_response(list_object(items, has_more=False))


async def _list_items(call: Call, services: Services) -> web.StreamResponse:
    """GET conversations/{conversation}/items."""
    compat = services.settings.egemma_compat
    wanted = read_list(
        call.request.query,
        default_order="asc" if compat else "desc",
        default_limit=_COMPAT_ITEMS_LISTED if compat else 20,
        max_limit=_MAX_ITEMS_LISTED,
    )
    check_include(wanted.include)
    page = await (await _store(call, services)).items(
        call.params["conversation"], limit=wanted.limit, after=wanted.after, newest_first=wanted.newest_first
    )
    return json_response(list_object(objects_of(page.items), has_more=page.has_more))


async def _get_item(call: Call, services: Services) -> web.StreamResponse:
    """GET conversations/{conversation}/items/{item}."""
    check_include(_included(call))
    item = await (await _store(call, services)).item(call.params["conversation"], call.params["item"])
    return json_response(objects_of([item])[0])


async def _delete_item(call: Call, services: Services) -> web.StreamResponse:
    """DELETE conversations/{conversation}/items/{item}."""
    conversation_id = call.params["conversation"]
    conversations = await _store(call, services)
    await _check_free(services, conversation_id)
    return json_response(_object_of(await conversations.delete_item(conversation_id, call.params["item"])))


async def _store(call: Call, services: Services) -> "ConversationStore":
    """The store; where nothing was ever stored, there is no need to open it."""
    if not services.store.may_hold_anything():
        raise UnknownConversation(call.params["conversation"])
    return await services.store.conversations()


async def _given(call: Call, services: Services, request: Wire, items: list[object] | None) -> list[Object]:
    """The items of a request as they are kept."""
    findings = _findings_of(services, request)
    given = normalise(items or [], "items", findings=findings)
    call.ignored += findings.ignored
    for index, item in enumerate(given):
        if item["type"] == TRIGGER:
            raise BadRequest(
                f"Invalid value: '{TRIGGER}'. It belongs into the input of a response.",
                field=f"items[{index}].type",
                reason="invalid_value",
            )
    return await resolved(services.store, given)


def _findings_of(services: Services, request: Wire) -> Findings:
    """What there is to say about the fields of a request: those that are not known."""
    findings = Findings(services.settings.strict_wire)
    for name in request.model_extra or ():
        findings.unknown(name)
    return findings


def _included(call: Call) -> tuple[str, ...]:
    return read_list(call.request.query, max_limit=_MAX_ITEMS_LISTED).include


async def _check_free(services: Services, conversation_id: str) -> None:
    """Items stay as they are while a response works with them."""
    if await services.locks.is_taken(conversation_id):
        raise conversation_locked()


def _object_of(conversation: Conversation) -> Object:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created,
        "metadata": conversation.metadata,
    }
