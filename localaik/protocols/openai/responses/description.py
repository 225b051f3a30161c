"""What the routes of responses and conversations take and answer, for readers of the OpenAPI document."""

from typing import Final

from localaik.protocols.description import (
    BOOLEAN,
    INTEGER,
    OBJECT,
    TEXT,
    Body,
    Names,
    Operation,
    Parameter,
    Schema,
    Shape,
    array_of,
    object_of,
    one_of,
)
from localaik.protocols.openai.responses.conversation_types import CreateConversation, CreateItems, UpdateConversation
from localaik.protocols.openai.responses.types import CreateResponse
from localaik.protocols.openai.shapes import DELETED, PAGING, list_of

__all__ = ["conversation_operations", "response_operations"]

_RESPONSES: Final = "OpenAI: responses"
_CONVERSATIONS: Final = "OpenAI: conversations"

_STATUSES: Final = ("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")
_RESPONSE: Final = Shape(
    "Response",
    object_of(
        {
            "id": TEXT,
            "object": one_of("response"),
            "created_at": INTEGER,
            "status": one_of(*_STATUSES),
            "model": TEXT,
            "output": array_of(OBJECT),
            "error": {"type": ["object", "null"]},
            "usage": {"type": ["object", "null"]},
        }
    ),
)
_EVENT: Final[Schema] = object_of({"type": TEXT, "sequence_number": INTEGER})
_CONVERSATION: Final = Shape(
    "Conversation",
    object_of({"id": TEXT, "object": one_of("conversation"), "created_at": INTEGER, "metadata": OBJECT}),
)
_INPUT: Final[Schema] = {"anyOf": [TEXT, array_of(OBJECT), {"type": "null"}]}
_INCLUDE: Final = Parameter("include", "What else is to be told.", array_of(TEXT))


def response_operations(prefix: str, names: Names) -> dict[tuple[str, str], Operation]:
    """The operations below a prefix such as `/v1`."""
    one = f"{prefix}/responses/{{response}}"
    asked = {"model": names.model, "input": "Say hello."}
    fields = {"input": _INPUT, "conversation": {"anyOf": [TEXT, OBJECT, {"type": "null"}]}}
    return {
        ("POST", f"{prefix}/responses"): Operation(
            summary="Make a response",
            tag=_RESPONSES,
            about="With `stream`, a stream of events; with `background`, it is made while nobody waits.",
            bodies=(Body(CreateResponse, {**asked, "max_output_tokens": 32, "temperature": 0}, fields=fields),),
            answer=_RESPONSE,
            stream=_EVENT,
        ),
        ("GET", f"{prefix}/responses"): Operation(
            summary="Make responses over a WebSocket",
            tag=_RESPONSES,
            about="An upgrade to a WebSocket, which OpenAPI can't describe: each message is a request.",
            status=101,
            answer_types=(),
        ),
        ("POST", f"{prefix}/responses/input_tokens"): Operation(
            summary="Count the tokens of an input",
            tag=_RESPONSES,
            bodies=(Body(CreateResponse, asked, fields=fields),),
            answer=object_of({"object": one_of("response.input_tokens"), "input_tokens": INTEGER}),
        ),
        ("POST", f"{prefix}/responses/compact"): Operation(
            summary="Shorten a conversation",
            tag=_RESPONSES,
            bodies=(Body(CreateResponse, asked, fields=fields),),
            answer=object_of({"id": TEXT, "object": one_of("response.compaction"), "output": array_of(OBJECT)}),
        ),
        ("GET", one): Operation(
            summary="Tell a stored response",
            tag=_RESPONSES,
            about="With `stream=true` its events, those to come included.",
            parameters=(
                _INCLUDE,
                Parameter("stream", "Whether events are wanted.", BOOLEAN, False),
                Parameter("starting_after", "The number of the event before the first one.", INTEGER),
            ),
            answer=_RESPONSE,
            stream=_EVENT,
        ),
        ("DELETE", one): Operation(summary="Delete a stored response", tag=_RESPONSES, answer=DELETED),
        ("POST", f"{one}/cancel"): Operation(
            summary="Cancel a response that is made in the background", tag=_RESPONSES, answer=_RESPONSE
        ),
        ("GET", f"{one}/input_items"): Operation(
            summary="List the input of a stored response",
            tag=_RESPONSES,
            parameters=(*PAGING, _INCLUDE),
            answer=list_of(OBJECT),
        ),
    }


def conversation_operations(prefix: str) -> dict[tuple[str, str], Operation]:
    """The operations below a prefix such as `/v1`."""
    all_of_them = f"{prefix}/conversations"
    one = f"{all_of_them}/{{conversation}}"
    item = f"{one}/items/{{item:rest}}"
    items = {"items": [{"type": "message", "role": "user", "content": "Hello!"}]}
    metadata = {"metadata": {"topic": "greetings"}}
    tag = _CONVERSATIONS
    return {
        ("POST", all_of_them): Operation(
            summary="Begin a conversation",
            tag=tag,
            bodies=(Body(CreateConversation, {**items, **metadata}, is_required=False),),
            answer=_CONVERSATION,
        ),
        ("GET", all_of_them): Operation(
            summary="List the conversations", tag=tag, parameters=PAGING, answer=list_of(_CONVERSATION.schema)
        ),
        ("GET", one): Operation(summary="Tell about a conversation", tag=tag, answer=_CONVERSATION),
        ("POST", one): Operation(
            summary="Change the metadata of a conversation",
            tag=tag,
            bodies=(Body(UpdateConversation, metadata),),
            answer=_CONVERSATION,
        ),
        ("DELETE", one): Operation(summary="Delete a conversation", tag=tag, answer=DELETED),
        ("POST", f"{one}/items"): Operation(
            summary="Add items",
            tag=tag,
            bodies=(Body(CreateItems, items),),
            parameters=(_INCLUDE,),
            answer=list_of(OBJECT),
        ),
        ("GET", f"{one}/items"): Operation(
            summary="List the items", tag=tag, parameters=(*PAGING, _INCLUDE), answer=list_of(OBJECT)
        ),
        ("GET", item): Operation(summary="Tell an item", tag=tag, parameters=(_INCLUDE,)),
        ("DELETE", item): Operation(summary="Delete an item", tag=tag, answer=_CONVERSATION),
    }
