"""POST /v1/sessions/count-tokens: the size of a text, or of a conversation as the model would see it."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from localaik.errors import BadRequest, EngineFault, InvalidMedia, NotServed, TimedOut, Unavailable
from localaik.generation.request import GenerationRequest, Message
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.protocols.contract import Handler, Services
from localaik.protocols.workbench.errors import Fault, InvalidParameters, of_field
from localaik.protocols.workbench.reading import read_optional
from localaik.protocols.workbench.types import CountTokens

__all__ = ["ReadTranscript", "count_tokens"]

ReadTranscript = Callable[[object, str], tuple[list[Message], int]]
"""From chat messages and a model's name to turns, and the number of characters of their texts. Raises `BadRequest`."""

_CHARS_PER_TOKEN: Final = 4
_OUT_OF_REACH: Final = (EngineFault, NotServed, TimedOut, Unavailable)


def count_tokens(read_transcript: ReadTranscript) -> Handler:
    """The handler. `read_transcript` knows chat messages."""

    async def handle(call: Call, services: Services) -> web.StreamResponse:
        text = call.request.query.get("text")
        asked = await read_optional(call, services, CountTokens)
        given = [value for value in (text, asked.text, asked.messages) if value is not None]
        if len(given) != 1 or (text is not None and asked.model_fields_set):
            raise _not_one(has_any=bool(given))
        if asked.messages is None:
            return json_response(await _of_text(services, str(given[0])))
        model = asked.model or services.registry.listed()[0].id
        try:
            messages, characters = read_transcript(asked.messages, model)
        except BadRequest as error:
            raise of_field(error) from None
        return json_response(await _of_messages(services, GenerationRequest(model, messages), characters))

    return handle


async def _of_text(services: Services, text: str) -> dict[str, object]:
    sizes = await services.pipeline.sizes([text])
    return _counted(len(text), sizes.tokens[0], estimated=sizes.estimated)


async def _of_messages(services: Services, request: GenerationRequest, characters: int) -> dict[str, object]:
    try:
        usage = await services.pipeline.count_tokens(request)
    except InvalidMedia as error:
        raise of_field(error) from None
    except _OUT_OF_REACH:
        return _counted(characters, characters // _CHARS_PER_TOKEN, estimated=True)
    return _counted(characters, usage.prompt_tokens, estimated=False)


def _counted(characters: int, tokens: int, *, estimated: bool) -> dict[str, object]:
    return {"text_length": characters, "token_count": tokens, **({"estimated": True} if estimated else {})}


def _not_one(*, has_any: bool) -> InvalidParameters:
    if has_any:
        message = "Give one of these: a text in the query, or 'text' or 'messages' in the body"
        return InvalidParameters([Fault("value_error", ("body",), message)])
    return InvalidParameters([Fault("missing", ("query", "text"), "Field required")])
