"""What a response continues: earlier responses, a conversation, items that are named by their ids."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import orjson

from localaik.errors import AlreadyExists, BadRequest, NotFound
from localaik.protocols.openai.encode import Object
from localaik.state.response_records import Item

if TYPE_CHECKING:
    from localaik.state.store import Store

__all__ = [
    "CONTINUABLE",
    "ChainMemory",
    "check_continuable",
    "conversation_locked",
    "history_of",
    "items_of",
    "objects_of",
    "resolved",
]

CONTINUABLE: Final = ("completed", "incomplete")
"""How a response must have ended that another one may continue."""
_REMEMBERED: Final = 256
"""Responses that a connection remembers; the oldest ones go."""


class ChainMemory:
    """The latest responses of one connection, with all that each of them saw and said; they need no store."""

    def __init__(self) -> None:
        self._contexts: dict[str, list[Object]] = {}

    def keep(self, response_id: str, context: list[Object]) -> None:
        """Remember what a response saw and said, oldest first."""
        self._contexts[response_id] = context
        if len(self._contexts) > _REMEMBERED:
            del self._contexts[next(iter(self._contexts))]

    def recall(self, response_id: str) -> list[Object] | None:
        """What a response of this connection saw and said; None for others."""
        return self._contexts.get(response_id)

    def forget(self, response_id: str) -> None:
        """Drop a response."""
        self._contexts.pop(response_id, None)


async def history_of(store: "Store", response_id: str, memory: ChainMemory | None) -> list[Item]:
    """Everything that a response which continues `response_id` sees, oldest first.

    Raises `BadRequest` for an unknown one (reason `previous_response_not_found`), and for one that is not finished,
    has failed or was cancelled.
    """
    remembered = None if memory is None else memory.recall(response_id)
    if remembered is not None:
        return items_of(remembered)
    responses = await store.responses()
    try:
        stored = await responses.get(response_id)
        context = await responses.context(response_id)
    except NotFound:
        message = f"Previous response with id '{response_id[:100]}' not found."
        raise BadRequest(message, field="previous_response_id", reason="previous_response_not_found") from None
    check_continuable(response_id, stored.status)
    return context


def check_continuable(response_id: str, status: object) -> None:
    """Refuse to continue what is not finished, has failed or was cancelled. Raises `BadRequest`."""
    if status not in CONTINUABLE:
        message = f"Previous response with id '{response_id}' can't be continued: it is {status}."
        raise BadRequest(message, field="previous_response_id", reason="invalid_value")


def conversation_locked() -> AlreadyExists:
    """The refusal to use a conversation that a response is working with."""
    return AlreadyExists(
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        reason="conversation_locked",
    )


async def resolved(store: "Store", items: Sequence[Object]) -> list[Object]:
    """The items, with those in place of references that these name. Raises `NotFound`."""
    found: list[Object] = []
    for item in items:
        if item.get("type") != "item_reference":
            found.append(item)
            continue
        item_id = str(item["id"])
        near = next((each for each in found if each.get("id") == item_id), None)
        found.append(near or orjson.loads((await (await store.responses()).find_item(item_id)).body))
    return found


def objects_of(items: Iterable[Item]) -> list[Object]:
    """Stored items as they stand on the wire."""
    return [orjson.loads(item.body) for item in items]


def items_of(objects: Iterable[Object]) -> list[Item]:
    """Items as the store takes them."""
    return [Item(str(each["id"]), orjson.dumps(each).decode()) for each in objects]
