"""What the routes of the OpenAI API take and answer, for readers of the OpenAPI document."""

from typing import Final

from localaik.protocols.description import (
    BINARY,
    INTEGER,
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
    one_of,
    refusals,
)
from localaik.protocols.openai.batches_types import CreateBatch
from localaik.protocols.openai.embeddings import EmbeddingsRequest
from localaik.protocols.openai.files_types import FileForm
from localaik.protocols.openai.moderations import ModerationOfContent, ModerationOfTexts
from localaik.protocols.openai.responses.description import conversation_operations, response_operations
from localaik.protocols.openai.shapes import CHAT, CHUNK, DELETED, EMBEDDINGS, FAULT, MODEL, PAGING, USAGE, list_of
from localaik.protocols.openai.stored import MetadataUpdate
from localaik.protocols.openai.subset import STRICT_HEADER
from localaik.protocols.openai.types import ChatRequest, CompletionRequest
from localaik.protocols.openai.unserved import unserved_routes
from localaik.protocols.openai.uploads import CompleteUpload, CreateUpload

__all__ = ["describe", "describe_beside_gemini"]

Operations = dict[tuple[str, str], Operation]

_V1: Final = "/v1"
_BESIDE: Final = "/v1beta/openai"
_CHAT: Final = "OpenAI: chat"
_COMPLETIONS: Final = "OpenAI: completions"
_EMBEDDINGS: Final = "OpenAI: embeddings"
_MODELS: Final = "OpenAI: models"
_FILES: Final = "OpenAI: files"
_UPLOADS: Final = "OpenAI: uploads"
_BATCHES: Final = "OpenAI: batches"
_MODERATIONS: Final = "OpenAI: moderations"
_UNSERVED: Final = "OpenAI: not served"
_GOOGLE: Final = "OpenAI's API beside Gemini"
_GOOGLE_UNSERVED: Final = "OpenAI's API beside Gemini: not served"

_WORDS: Final[Schema] = one_of("true", "false")
_TOOL_CHOICE: Final[Schema] = {"anyOf": [one_of("none", "auto", "required", None), OBJECT]}
_CALL_CHOICE: Final[Schema] = {"anyOf": [one_of("none", "auto", None), OBJECT]}
_FILE: Final = Shape(
    "File",
    object_of(
        {
            "id": TEXT,
            "object": one_of("file"),
            "bytes": INTEGER,
            "created_at": INTEGER,
            "filename": TEXT,
            "purpose": TEXT,
        },
        {"expires_at": INTEGER, "status": TEXT},
    ),
)
_UPLOAD: Final = Shape(
    "Upload",
    object_of(
        {
            "id": TEXT,
            "object": one_of("upload"),
            "bytes": INTEGER,
            "filename": TEXT,
            "status": one_of("pending", "completed", "cancelled"),
            "expires_at": INTEGER,
        }
    ),
)
_BATCH: Final = Shape(
    "Batch",
    object_of({"id": TEXT, "object": one_of("batch"), "endpoint": TEXT, "input_file_id": TEXT, "status": TEXT}),
)
_COMPLETION: Final = Shape(
    "Completion",
    object_of(
        {
            "id": TEXT,
            "object": one_of("text_completion"),
            "created": INTEGER,
            "model": TEXT,
            "choices": array_of(object_of({"index": INTEGER, "text": TEXT})),
        },
        {"usage": USAGE},
    ),
)


def describe(names: Names) -> Description:
    """The API under `/v1`. `/openai/v1` and no version at all are further names of the same routes."""
    unserved = [(route.method, route.path) for route in unserved_routes(_V1)]
    return Description(
        "OpenAI",
        ("/v1/",),
        {
            **_chat(names),
            **_completions(names),
            **response_operations(_V1, names),
            **conversation_operations(_V1),
            **_embeddings(names),
            **_models(),
            **_files(),
            **_uploads(),
            **_batches(),
            **refusals(unserved, _UNSERVED),
        },
        {
            "model": Parameter("model", "Name of a model.", example=names.model),
            "completion": Parameter("completion", "Id of a stored completion.", example="chatcmpl-1"),
            "file": Parameter("file", "Id of a file.", example="file-1"),
            "upload": Parameter("upload", "Id of an upload.", example="upload_1"),
            "batch": Parameter("batch", "Id of a batch.", example="batch_1"),
            "response": Parameter("response", "Id of a response.", example="resp_1"),
            "conversation": Parameter("conversation", "Id of a conversation.", example="conv_1"),
            "item": Parameter("item", "Id of an item.", example="msg_1"),
        },
        FAULT,
    )


def describe_beside_gemini(names: Names) -> Description:
    """The API under `/v1beta/openai`, of which `/v1/openai` and `/v1alpha/openai` are further names."""
    rest = [(method, f"{_BESIDE}/{{rest:rest}}") for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]
    model = f"{_BESIDE}/models/{{model:rest}}"
    return Description(
        "Beside",
        (f"{_BESIDE}/",),
        {
            ("POST", f"{_BESIDE}/chat/completions"): _chat_operation(names, _GOOGLE),
            ("POST", f"{_BESIDE}/embeddings"): _embeddings_operation(names, _GOOGLE),
            ("GET", f"{_BESIDE}/models"): _model_list(_GOOGLE),
            ("GET", model): Operation(summary="Tell about a model", tag=_GOOGLE, answer=MODEL),
            **refusals(rest, _GOOGLE_UNSERVED),
        },
        {"model": Parameter("model", "Name of a model.", example=names.model)},
        array_of(object_of({"error": object_of({"code": INTEGER, "message": TEXT, "status": TEXT})})),
    )


def _chat_operation(names: Names, tag: str) -> Operation:
    messages = [{"role": "user", "content": "Say hello."}]
    example = {"model": names.model, "messages": messages, "max_tokens": 32, "temperature": 0, "stream": False}
    return Operation(
        summary="Answer a conversation",
        tag=tag,
        about="With `stream`, a stream of events. Sampling fields of llama.cpp are taken, too.",
        bodies=(Body(ChatRequest, example, fields={"tool_choice": _TOOL_CHOICE, "function_call": _CALL_CHOICE}),),
        parameters=(
            Parameter("X-Session-Id", "A session that the turns belong to.", place="header"),
            Parameter(STRICT_HEADER, "Whether only a small set of fields is taken.", _WORDS, place="header"),
        ),
        answer=CHAT,
        stream=CHUNK,
    )


def _chat(names: Names) -> Operations:
    stored = f"{_V1}/chat/completions"
    one = f"{stored}/{{completion}}"
    return {
        ("POST", stored): _chat_operation(names, _CHAT),
        ("GET", stored): Operation(
            summary="List the stored completions",
            tag=_CHAT,
            about="Metadata are asked for as in `metadata[key]=value`.",
            parameters=(*PAGING, Parameter("model", "The model that answered.")),
            answer=list_of(CHAT.schema),
        ),
        ("GET", one): Operation(summary="Tell a stored completion", tag=_CHAT, answer=CHAT),
        ("POST", one): Operation(
            summary="Change the metadata of a stored completion",
            tag=_CHAT,
            bodies=(Body(MetadataUpdate, {"metadata": {"topic": "greetings"}}),),
            answer=CHAT,
        ),
        ("DELETE", one): Operation(summary="Delete a stored completion", tag=_CHAT, answer=DELETED),
        ("GET", f"{one}/messages"): Operation(
            summary="List the messages that a stored completion answers",
            tag=_CHAT,
            parameters=PAGING,
            answer=list_of(OBJECT),
        ),
    }


def _completions(names: Names) -> Operations:
    example = {"model": names.model, "prompt": "Once upon a time", "max_tokens": 32, "temperature": 0}
    return {
        ("POST", f"{_V1}/completions"): Operation(
            summary="Go on with a text",
            tag=_COMPLETIONS,
            about="With `stream`, a stream of events.",
            bodies=(Body(CompletionRequest, example),),
            answer=_COMPLETION,
            stream=_COMPLETION.schema,
        )
    }


def _embeddings_operation(names: Names, tag: str) -> Operation:
    example = {"model": names.embedding_model, "input": "The sun is a star."}
    return Operation(summary="Embed texts", tag=tag, bodies=(Body(EmbeddingsRequest, example),), answer=EMBEDDINGS)


def _embeddings(names: Names) -> Operations:
    return {("POST", f"{_V1}/embeddings"): _embeddings_operation(names, _EMBEDDINGS)}


def _model_list(tag: str) -> Operation:
    listed = object_of({"object": one_of("list"), "data": array_of(MODEL.schema)})
    return Operation(summary="List the models", tag=tag, answer=listed)


def _models() -> Operations:
    one = f"{_V1}/models/{{model:rest}}"
    return {
        ("GET", f"{_V1}/models"): _model_list(_MODELS),
        ("GET", one): Operation(summary="Tell about a model", tag=_MODELS, answer=MODEL),
        **refusals([("DELETE", one)], _MODELS, "Nothing here can be deleted."),
        ("POST", f"{_V1}/moderations"): Operation(
            summary="Moderate texts and images",
            tag=_MODERATIONS,
            about="Nothing is judged: what is flagged is up to a setting.",
            bodies=(Body((ModerationOfTexts, ModerationOfContent), {"input": "A text."}),),
            answer=object_of({"id": TEXT, "model": TEXT, "results": array_of(OBJECT)}),
        ),
    }


def _files() -> Operations:
    form = FileForm.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
    one = f"{_V1}/files/{{file}}"
    fields = {"purpose": form["purpose"], "file": BINARY}
    lifetime = {"expires_after[anchor]": one_of("created_at"), "expires_after[seconds]": INTEGER}
    return {
        ("POST", f"{_V1}/files"): Operation(
            summary="Upload a file",
            tag=_FILES,
            bodies=(Body(object_of(fields, lifetime), {"purpose": "user_data"}, "multipart/form-data"),),
            answer=_FILE,
        ),
        ("GET", f"{_V1}/files"): Operation(
            summary="List the files",
            tag=_FILES,
            parameters=(*PAGING, Parameter("purpose", "What they are for.")),
            answer=list_of(_FILE.schema),
        ),
        ("GET", one): Operation(summary="Tell about a file", tag=_FILES, answer=_FILE),
        ("DELETE", one): Operation(summary="Delete a file", tag=_FILES, answer=DELETED),
        ("GET", f"{one}/content"): Operation(
            summary="Download a file", tag=_FILES, answer=BINARY, answer_types=("*/*",)
        ),
    }


def _uploads() -> Operations:
    example = {"bytes": 5, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"}
    one = f"{_V1}/uploads/{{upload}}"
    return {
        ("POST", f"{_V1}/uploads"): Operation(
            summary="Begin an upload in parts", tag=_UPLOADS, bodies=(Body(CreateUpload, example),), answer=_UPLOAD
        ),
        ("POST", f"{one}/parts"): Operation(
            summary="Add a part",
            tag=_UPLOADS,
            bodies=(Body(object_of({"data": BINARY}), None, "multipart/form-data"),),
            answer=object_of({"id": TEXT, "object": one_of("upload.part"), "upload_id": TEXT}),
        ),
        ("POST", f"{one}/complete"): Operation(
            summary="Put the parts together",
            tag=_UPLOADS,
            bodies=(Body(CompleteUpload, {"part_ids": ["part_1"]}),),
            answer=_UPLOAD,
        ),
        ("POST", f"{one}/cancel"): Operation(summary="Cancel an upload", tag=_UPLOADS, answer=_UPLOAD),
    }


def _batches() -> Operations:
    one = f"{_V1}/batches/{{batch}}"
    example = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return {
        ("POST", f"{_V1}/batches"): Operation(
            summary="Answer the requests in a file", tag=_BATCHES, bodies=(Body(CreateBatch, example),), answer=_BATCH
        ),
        ("GET", f"{_V1}/batches"): Operation(
            summary="List the batches", tag=_BATCHES, parameters=PAGING, answer=list_of(_BATCH.schema)
        ),
        ("GET", one): Operation(summary="Tell about a batch", tag=_BATCHES, answer=_BATCH),
        ("POST", f"{one}/cancel"): Operation(summary="Cancel a batch", tag=_BATCHES, answer=_BATCH),
    }
