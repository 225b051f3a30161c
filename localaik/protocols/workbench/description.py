"""What the routes of the workbench take and answer, for readers of the OpenAPI document."""

from typing import Final

from localaik.protocols.description import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    TEXT,
    Body,
    Description,
    Names,
    Operation,
    Parameter,
    Schema,
    Shape,
    array_of,
    object_of,
)
from localaik.protocols.workbench.types import CountTokens, NewSession

__all__ = ["describe"]

_SESSIONS: Final = "/v1/sessions"
_ONE: Final = f"{_SESSIONS}/{{session}}"
_LIMITS: Final = "/rate-limits"
_TAG: Final = "Sessions"
_SESSION: Final = Shape(
    "Session",
    object_of(
        {
            "session_id": TEXT,
            "message_count": INTEGER,
            "token_count": INTEGER,
            "max_context": INTEGER,
            "tokens_remaining": INTEGER,
            "context_usage": NUMBER,
        },
        {"created_at": {}, "last_accessed": {}},
    ),
)
_FAULT: Final[Schema] = object_of({"error": OBJECT, "detail": {}})


def describe(names: Names) -> Description:
    """The routes of sessions, and the one of limits."""
    count = {"messages": [{"role": "user", "content": "Say hello."}]}
    return Description(
        "Workbench",
        (_SESSIONS, _LIMITS),
        {
            ("POST", _SESSIONS): Operation(
                summary="Begin a session",
                tag=_TAG,
                bodies=(Body(NewSession, {"model": names.model}, is_required=False),),
                answer=object_of({"session_id": TEXT, "max_context": INTEGER}, {"created_at": {}}),
            ),
            ("GET", _SESSIONS): Operation(
                summary="List the sessions", tag=_TAG, answer=object_of({"sessions": array_of(_SESSION.schema)})
            ),
            ("GET", f"{_SESSIONS}/current"): Operation(
                summary="Tell about the caller's session", tag=_TAG, answer=_SESSION
            ),
            ("POST", f"{_SESSIONS}/count-tokens"): Operation(
                summary="Count the tokens of a text or of messages",
                tag=_TAG,
                bodies=(Body(CountTokens, count, is_required=False),),
                parameters=(Parameter("text", "A text, where the body has nothing."),),
                answer=object_of({"text_length": INTEGER, "token_count": INTEGER}, {"estimated": BOOLEAN}),
            ),
            ("GET", _ONE): Operation(summary="Tell about a session", tag=_TAG, answer=_SESSION),
            ("DELETE", _ONE): Operation(
                summary="Delete a session", tag=_TAG, answer=object_of({"session_id": TEXT, "deleted": BOOLEAN})
            ),
            ("POST", f"{_ONE}/load"): Operation(summary="Make a session the caller's own", tag=_TAG, answer=_SESSION),
            ("GET", _LIMITS): Operation(summary="Tell how many calls are left", tag="Service"),
            ("GET", f"{_ONE}/messages"): Operation(
                summary="List the messages of a session",
                tag=_TAG,
                answer=object_of({"session_id": TEXT, "message_count": INTEGER, "messages": array_of(OBJECT)}),
            ),
        },
        {"session": Parameter("session", "Id of a session.", example="my-session")},
        _FAULT,
    )
