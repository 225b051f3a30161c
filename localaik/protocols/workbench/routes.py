"""The routes of the workbench, and how its answers look."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from localaik.errors import LocalaikError
from localaik.http.call import Call
from localaik.http.quota import quota_headers
from localaik.http.respond import json_response
from localaik.protocols.contract import Protocol, Route
from localaik.protocols.workbench import sessions
from localaik.protocols.workbench.counting import ReadTranscript, count_tokens
from localaik.protocols.workbench.errors import answer_of
from localaik.protocols.workbench.limits import rate_limits

if TYPE_CHECKING:
    from localaik.protocols.description import Description, Names

__all__ = ["ReadTranscript", "workbench"]

_SESSIONS = "/v1/sessions"


def workbench(read_transcript: ReadTranscript) -> Protocol:
    """The protocol. `read_transcript` reads chat messages, which belong to another protocol."""
    table = (
        ("POST", "", sessions.create),
        ("GET", "", sessions.list_sessions),
        ("GET", "/current", sessions.current),
        ("POST", "/count-tokens", count_tokens(read_transcript)),
        ("GET", "/{session}", sessions.describe),
        ("DELETE", "/{session}", sessions.delete),
        ("POST", "/{session}/load", sessions.load),
        ("GET", "/{session}/messages", sessions.list_messages),
    )
    routes = tuple(Route(method, _SESSIONS + path, handler, "sessions") for method, path, handler in table)
    limits = Route("GET", "/rate-limits", rate_limits, "workbench", is_open=True)
    return Protocol("workbench", (*routes, limits), _render_error, _headers, describe=_describe)


def _describe(names: "Names") -> "Description":
    from localaik.protocols.workbench.description import describe  # noqa: PLC0415 - only readers of it need it

    return describe(names)


def _render_error(error: LocalaikError, _call: Call) -> web.Response:
    answer = answer_of(error)
    return json_response(answer.body, status=answer.status, headers=answer.headers)


def _headers(call: Call) -> Mapping[str, str]:
    return {"Cache-Control": "no-store", **quota_headers(call.quota)}
