"""Requests of the workbench as they stand on the wire. Types are strict; null stands for an absent field."""

from pydantic import BaseModel, ConfigDict

__all__ = ["CountTokens", "NewSession", "Wire"]


class Wire(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(strict=True, extra="allow")


class NewSession(Wire):
    """POST /v1/sessions."""

    model: str | None = None


class CountTokens(Wire):
    """POST /v1/sessions/count-tokens."""

    text: str | None = None
    messages: object = None
    """Chat messages; who knows them reads them."""
    model: str | None = None
