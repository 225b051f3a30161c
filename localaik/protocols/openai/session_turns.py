"""Chat in a session: what was said before stands in front of the request, and the turn is added to it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from localaik.errors import AlreadyExists, BadRequest
from localaik.jobs.locks import OccupiedError
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import read, too_long
from localaik.protocols.openai.transcript import first_turns, leading_system, weigh
from localaik.protocols.openai.types import ChatRequest
from localaik.state.faults import UnknownSession
from localaik.state.session_records import History, SessionMessage

__all__ = ["SESSION_HEADER", "SessionTurn", "session_turn"]

SESSION_HEADER: Final = "X-Session-Id"


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """A request with the history of its session in front."""

    session_id: str
    request: ChatRequest
    """What the model is asked."""
    paths: Sequence[str]
    """Where each of its messages stands, for faults."""
    system: Sequence[SessionMessage]
    """What the request puts in front of the conversation, if anything."""
    added: Sequence[SessionMessage]
    """The other messages of the request."""
    context_tokens: int

    async def keep(self, services: Services, answer: Object) -> None:
        """Add the turn with its answer, an assistant's message, to the session. Raises `UnknownSession`."""
        (said,) = await _measured(services, [answer])
        sessions = await services.store.sessions()
        await sessions.append(self.session_id, [*self.added, said], system=self.system, max_context=self.context_tokens)


@asynccontextmanager
async def session_turn(
    services: Services, session_id: str, request: ChatRequest, body: Object
) -> AsyncGenerator[SessionTurn, None]:
    """The next turn of a session; no other one begins before the block ends.

    `body` is what `request` was read from. Raises `UnknownSession`, `AlreadyExists` where the session is in use for too
    long, and `BadRequest` where the conversation has outgrown the context window.
    """
    if not services.store.may_hold_anything():
        raise UnknownSession(session_id)
    sessions = await services.store.sessions()
    await sessions.get(session_id)  # before the wait: nobody waits for what does not exist
    seconds = services.settings.session_wait_seconds
    try:
        async with services.locks.hold(session_id, seconds):
            yield await _begin(services, await sessions.history(session_id), request, body)
    except OccupiedError:
        raise AlreadyExists(
            f"Session busy: {session_id}. Another request has been using it for more than {seconds:g} seconds.",
            reason="session_busy",
        ) from None


async def _begin(services: Services, history: History, request: ChatRequest, body: Object) -> SessionTurn:
    settings = services.settings
    if settings.max_messages and len(request.messages) > settings.max_messages:
        raise too_long("messages", settings.max_messages, len(request.messages))
    given = body["messages"]
    messages = given if isinstance(given, list) else []
    await services.pipeline.ready()
    measured = await _measured(services, messages)
    front = leading_system(messages)
    own, added = measured[:front], measured[front:]
    paths = [f"messages[{place}]" for place in range(len(messages))]
    earlier = [f"session.messages[{place}]" for place in range(len(history.system) + len(history.messages))]
    context_tokens = services.pipeline.context_tokens
    room = context_tokens - _answer_tokens(request) if context_tokens else None
    begin = _first_in_prompt(history, own or history.system, added, room, settings.session_overflow == "drop_oldest")
    system_paths = paths[:front] if own else earlier[: len(history.system)]
    prompt = [*(own or history.system), *history.messages[begin:], *added]
    merged: Object = {**body, "messages": [message.body for message in prompt]}
    if merged.get("model") is None:
        merged["model"] = history.session.model
    return SessionTurn(
        history.session.id,
        read(ChatRequest, merged),
        [*system_paths, *earlier[len(history.system) + begin :], *paths[front:]],
        own,
        added,
        context_tokens or history.session.max_context,
    )


def _answer_tokens(request: ChatRequest) -> int:
    return max(1, request.max_completion_tokens or request.max_tokens or 1)


def _first_in_prompt(
    history: History,
    system: Sequence[SessionMessage],
    added: Sequence[SessionMessage],
    room: int | None,
    may_drop: bool,
) -> int:
    """Which of the earlier messages is the first that the model sees; `room` is for how many tokens there is room.

    Raises `BadRequest` where too much is left in any case.
    """
    earlier = history.messages
    needed = sum(message.tokens for part in (system, earlier, added) for message in part)
    if room is None or needed <= room:
        return 0
    begins = first_turns([message.body for message in earlier], [message.body for message in added]) if may_drop else []
    for begin in begins:
        left = needed - sum(message.tokens for message in earlier[:begin])
        if left <= room:
            return begin
    raise BadRequest(
        f"The session and the messages have {needed} tokens, and the model's maximum context length leaves room for"
        f" {max(room, 0)} beside the answer. Please reduce the length of the messages, or begin a new session.",
        field="messages",
        reason="context_length_exceeded",
    )


async def _measured(services: Services, messages: Sequence[Object]) -> list[SessionMessage]:
    """The messages with what they cost."""
    weights = [weigh(message) for message in messages]
    sizes = await services.pipeline.sizes([text for weight in weights for text in weight.texts])
    left = iter(sizes.tokens)
    return [
        SessionMessage(message, weight.tokens + sum(next(left) for _ in weight.texts))
        for message, weight in zip(messages, weights, strict=True)
    ]
