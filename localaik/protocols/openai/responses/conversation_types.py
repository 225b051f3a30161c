"""Requests about conversations as they stand on the wire. Names, types and limits are those of OpenAI's API."""

from typing import Annotated

from pydantic import Field

from localaik.protocols.openai.types import Metadata, Wire

__all__ = ["CreateConversation", "CreateItems", "UpdateConversation"]

MAX_ITEMS = 20

Items = Annotated[list[object], Field(max_length=MAX_ITEMS)]


class CreateConversation(Wire):
    """POST conversations."""

    metadata: Metadata | None = None
    items: Items | None = None


class UpdateConversation(Wire):
    """POST conversations/{id}: what the metadata are from now on."""

    metadata: Metadata | None


class CreateItems(Wire):
    """POST conversations/{id}/items."""

    items: Items | None = None
