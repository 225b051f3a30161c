"""Sessions: made, listed, looked at, made current, deleted. Chat adds the turns."""

from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web

from localaik.errors import LocalaikError
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Services
from localaik.protocols.workbench.reading import read_optional
from localaik.protocols.workbench.types import NewSession
from localaik.state.faults import NoActiveSession, UnknownSession
from localaik.state.session_records import Session

if TYPE_CHECKING:
    from localaik.state.sessions import SessionStore

__all__ = ["create", "current", "delete", "describe", "list_messages", "list_sessions", "load"]

_DECIMALS = 4


async def create(call: Call, services: Services) -> web.StreamResponse:
    """POST /v1/sessions."""
    asked = await read_optional(call, services, NewSession)
    if not services.pipeline.context_tokens:
        with suppress(LocalaikError):  # a session can be made before the model is there
            await services.pipeline.ready()
    sessions = await services.store.sessions()
    session = await sessions.create(asked.model, services.pipeline.context_tokens, call.caller)
    return json_response({"session_id": session.id, "max_context": session.max_context, "created_at": session.created})


async def list_sessions(_call: Call, services: Services) -> web.StreamResponse:
    """GET /v1/sessions."""
    sessions = await (await services.store.sessions()).all() if services.store.may_hold_anything() else []
    return json_response({"sessions": [_stats(session, services) for session in sessions]})


async def current(call: Call, services: Services) -> web.StreamResponse:
    """GET /v1/sessions/current."""
    if not services.store.may_hold_anything():
        raise NoActiveSession
    return json_response(_stats(await (await services.store.sessions()).current(call.caller), services))


async def describe(call: Call, services: Services) -> web.StreamResponse:
    """GET /v1/sessions/{session}."""
    sessions = await _sessions(call, services)
    return json_response(_stats(await sessions.get(call.params["session"]), services))


async def load(call: Call, services: Services) -> web.StreamResponse:
    """POST /v1/sessions/{session}/load."""
    sessions = await _sessions(call, services)
    return json_response(_stats(await sessions.load(call.params["session"], call.caller), services))


async def list_messages(call: Call, services: Services) -> web.StreamResponse:
    """GET /v1/sessions/{session}/messages."""
    sessions = await _sessions(call, services)
    history = await sessions.history(call.params["session"])
    messages = [message.body for message in (*history.system, *history.messages)]
    return json_response(
        {
            "session_id": history.session.id,
            "message_count": len(messages),
            "token_count": history.session.token_count,
            "messages": messages,
        }
    )


async def delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE /v1/sessions/{session}."""
    sessions = await _sessions(call, services)
    await sessions.delete(call.params["session"])
    return json_response({"session_id": call.params["session"], "deleted": True})


async def _sessions(call: Call, services: Services) -> "SessionStore":
    """The store; where nothing was ever stored, there is no need to open it."""
    if not services.store.may_hold_anything():
        raise UnknownSession(call.params["session"])
    return await services.store.sessions()


def _stats(session: Session, services: Services) -> dict[str, object]:
    """A session as the API tells it. The context window is the one of now, or else the last one that is known."""
    window = services.pipeline.context_tokens or session.max_context
    return {
        "session_id": session.id,
        "message_count": session.message_count,
        "token_count": session.token_count,
        "max_context": window,
        "tokens_remaining": max(0, window - session.token_count),
        "context_usage": round(session.token_count / window, _DECIMALS) if window else 0.0,
        "created_at": session.created,
        "last_accessed": session.accessed,
    }
