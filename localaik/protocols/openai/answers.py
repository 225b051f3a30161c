"""What the routes of chat and completions share: who an answer is, how it is streamed, and what can't be asked for."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

from localaik.errors import BadRequest
from localaik.generation.events import GenerationEvent
from localaik.generation.request import GenerationRequest
from localaik.http.call import Call
from localaik.http.stream import StreamEncoder, stream_events
from localaik.protocols.contract import Services
from localaik.protocols.openai.encode import Identity
from localaik.protocols.openai.respond import PING, SSE_HEADERS, SSE_TYPE

__all__ = ["check_request", "identity_of", "stream_answer"]

_ID_BYTES: Final = 16


def check_request(services: Services, request: GenerationRequest) -> None:
    """Refuse a model that is not served, and log probabilities where the engine tells none.

    Raises `UnknownModel` and `BadRequest`.
    """
    services.registry.resolve(request.model)
    if request.logprobs is not None and not services.pipeline.supports_logprobs:
        raise BadRequest(
            "'logprobs' is not supported: the model behind this server tells no log probabilities.",
            field="logprobs",
            reason="unsupported_parameter",
        )


def identity_of(services: Services, prefix: str) -> Callable[[], Identity]:
    """Id and time of a new answer; the engine's fingerprint as it is when the answer begins."""
    answer_id = f"{prefix}-{os.urandom(_ID_BYTES).hex()}"
    created = int(time.time())
    return lambda: Identity(answer_id, created, services.pipeline.fingerprint)


async def stream_answer(
    call: Call,
    services: Services,
    batches: AsyncGenerator[Sequence[GenerationEvent], None],
    encoder: StreamEncoder[GenerationEvent],
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Write the events as server-sent events."""
    return await stream_events(
        call,
        batches,
        encoder,
        content_type=SSE_TYPE,
        headers={**SSE_HEADERS, **(headers or {})},
        ping=PING,
        ping_seconds=services.settings.sse_ping_seconds,
        write_idle_seconds=services.settings.write_idle_seconds,
    )
