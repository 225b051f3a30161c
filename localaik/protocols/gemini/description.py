"""What the routes of the Gemini API take and answer, for readers of the OpenAPI document."""

from typing import Final

from localaik.protocols.description import (
    BINARY,
    BOOLEAN,
    INTEGER,
    JSON,
    NUMBER,
    OBJECT,
    SSE,
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
from localaik.protocols.gemini.batches_types import CreateBatchRequest
from localaik.protocols.gemini.caches_types import CachedContent, Lifetime
from localaik.protocols.gemini.embeddings import BatchEmbedContentsRequest, EmbedContentRequest
from localaik.protocols.gemini.files_types import CreateFileRequest
from localaik.protocols.gemini.types import CountTokensRequest, GenerateContentRequest
from localaik.protocols.gemini.unserved import unserved_routes

__all__ = ["describe"]

Operations = dict[tuple[str, str], Operation]

_VERSION: Final = "/v1beta"
_GENERATION: Final = "Gemini: generation"
_MODELS: Final = "Gemini: models"
_EMBEDDINGS: Final = "Gemini: embeddings"
_FILES: Final = "Gemini: files"
_CACHES: Final = "Gemini: cached contents"
_BATCHES: Final = "Gemini: batches"
_UNSERVED: Final = "Gemini: not served"

_COUNTS: Final[Schema] = object_of(
    {"promptTokenCount": INTEGER, "candidatesTokenCount": INTEGER, "totalTokenCount": INTEGER},
    {"thoughtsTokenCount": INTEGER, "cachedContentTokenCount": INTEGER, "promptTokensDetails": array_of(OBJECT)},
)
_CANDIDATE: Final[Schema] = object_of(
    {"content": object_of({"role": one_of("model")}, {"parts": array_of(OBJECT)}), "index": INTEGER},
    {
        "finishReason": TEXT,
        "finishMessage": TEXT,
        "safetyRatings": array_of(OBJECT),
        "avgLogprobs": NUMBER,
        "logprobsResult": OBJECT,
    },
)
_RESPONSE: Final = Shape(
    "GenerateContentResponse",
    object_of(
        {"usageMetadata": _COUNTS, "modelVersion": TEXT, "responseId": TEXT},
        {"candidates": array_of(_CANDIDATE), "promptFeedback": OBJECT},
    ),
)
_VECTOR: Final[Schema] = object_of({"values": array_of(NUMBER)})
_MODEL: Final = Shape(
    "Model",
    object_of(
        {"name": TEXT, "inputTokenLimit": INTEGER, "outputTokenLimit": INTEGER},
        {"displayName": TEXT, "description": TEXT, "supportedGenerationMethods": array_of(TEXT)},
    ),
)
_FILE: Final = Shape(
    "StoredFile",
    object_of(
        {"name": TEXT, "mimeType": TEXT, "sizeBytes": TEXT, "createTime": TEXT, "uri": TEXT, "state": TEXT},
        {"displayName": TEXT, "expirationTime": TEXT, "sha256Hash": TEXT, "downloadUri": TEXT, "source": TEXT},
    ),
)
_CACHE: Final = Shape(
    "StoredContent",
    object_of(
        {"name": TEXT, "model": TEXT, "createTime": TEXT, "expireTime": TEXT},
        {"displayName": TEXT, "usageMetadata": OBJECT},
    ),
)
_OPERATION: Final = Shape(
    "Operation",
    object_of({"name": TEXT, "metadata": OBJECT}, {"done": BOOLEAN, "response": OBJECT, "error": OBJECT}),
)
_FAULT: Final[Schema] = object_of(
    {"error": object_of({"code": INTEGER, "message": TEXT, "status": TEXT}, {"details": array_of(OBJECT)})}
)
_PAGING: Final = (
    Parameter("pageSize", "How many there are on a page.", INTEGER),
    Parameter("pageToken", "The `nextPageToken` of the page before."),
)
_HELLO: Final = {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}
_SHORT: Final = {**_HELLO, "generationConfig": {"maxOutputTokens": 32, "temperature": 0}}
_LIMIT: Final = Parameter(
    "X-Server-Timeout",
    "Seconds after which the answer is of no use.",
    {"type": "number", "exclusiveMinimum": 0},
    example=60,
    place="header",
)


def describe(names: Names) -> Description:
    """The API under `/v1beta`. `/v1`, `/v1alpha` and no version at all are further names of the same routes."""
    unserved = [(route.method, route.path) for route in unserved_routes(_VERSION)]
    return Description(
        "Gemini",
        ("/v1beta/", "/upload/v1beta/", "/download/v1beta/", "/ws/google.ai.generativelanguage.v1beta."),
        {
            **refusals(unserved, _UNSERVED),
            **_generation(),
            **_models(),
            **_embeddings(names),
            **_files(),
            **_caches(names),
            **_batches(names),
        },
        {
            "model": Parameter("model", "Name of a model, without `models/`.", example=names.model),
            "tuned": Parameter("tuned", "Name of a tuned model; any will do.", example="any"),
            "file": Parameter("file", "Id of a file, without `files/`.", example="my-file"),
            "cache": Parameter("cache", "Id of a cached content, without `cachedContents/`.", example="my-cache"),
            "batch": Parameter("batch", "Id of a batch, without `batches/`.", example="my-batch"),
        },
        _FAULT,
    )


def _generation() -> Operations:
    operations: Operations = {}
    for kind, what in (("models/{model:rest}", "a model"), ("tunedModels/{tuned:rest}", "a tuned model")):
        path = f"{_VERSION}/{kind}"
        body = Body(GenerateContentRequest, _SHORT)
        operations["POST", f"{path}:generateContent"] = Operation(
            summary=f"Generate with {what}",
            tag=_GENERATION,
            bodies=(body,),
            parameters=(_LIMIT,),
            answer=_RESPONSE,
        )
        operations["POST", f"{path}:streamGenerateContent"] = Operation(
            summary=f"Generate with {what}, as a stream",
            tag=_GENERATION,
            about="With `alt=sse` a stream of events, else one JSON array that grows.",
            bodies=(body,),
            parameters=(Parameter("alt", "The form of the stream.", one_of("json", "sse"), "sse"), _LIMIT),
            answer=array_of(_RESPONSE.schema),
            stream=_RESPONSE.schema,
            faults={JSON: array_of(_FAULT), SSE: TEXT},
        )
        operations["POST", f"{path}:countTokens"] = Operation(
            summary=f"Count the tokens of a prompt for {what}",
            tag=_GENERATION,
            bodies=(Body(CountTokensRequest, _HELLO),),
            parameters=(_LIMIT,),
            answer=Shape("CountTokensResponse", object_of({"totalTokens": INTEGER})),
        )
    return operations


def _models() -> Operations:
    tuned = f"{_VERSION}/tunedModels/{{tuned:rest}}"
    return {
        **refusals([(method, tuned) for method in ("GET", "PATCH", "DELETE")], _MODELS, "Tuned models answer only."),
        ("GET", f"{_VERSION}/models"): Operation(
            summary="List the models",
            tag=_MODELS,
            parameters=_PAGING,
            answer=object_of({"models": array_of(_MODEL.schema)}, {"nextPageToken": TEXT}),
        ),
        ("GET", f"{_VERSION}/models/{{model:rest}}"): Operation(
            summary="Tell about a model", tag=_MODELS, answer=_MODEL
        ),
        ("GET", f"{_VERSION}/tunedModels"): Operation(summary="List the tuned models: there are none", tag=_MODELS),
    }


def _embeddings(names: Names) -> Operations:
    path = f"{_VERSION}/models/{{model:rest}}"
    one = {"content": {"parts": [{"text": "The sun is a star."}]}}
    about = f"The model in the path is one that embeds, such as `{names.embedding_model}`."
    return {
        ("POST", f"{path}:embedContent"): Operation(
            summary="Embed a text",
            tag=_EMBEDDINGS,
            about=about,
            part_examples={"model": names.embedding_model},
            bodies=(Body(EmbedContentRequest, one),),
            answer=Shape("EmbedContentResponse", object_of({"embedding": _VECTOR})),
        ),
        ("POST", f"{path}:batchEmbedContents"): Operation(
            summary="Embed several texts",
            tag=_EMBEDDINGS,
            about=about,
            part_examples={"model": names.embedding_model},
            bodies=(
                Body(BatchEmbedContentsRequest, {"requests": [{"model": f"models/{names.embedding_model}", **one}]}),
            ),
            answer=Shape("BatchEmbedContentsResponse", object_of({"embeddings": array_of(_VECTOR)})),
        ),
    }


def _files() -> Operations:
    one = f"{_VERSION}/files/{{file:rest}}"
    upload = Operation(
        summary="Upload a file, or begin an upload in pieces",
        tag=_FILES,
        about="Resumable, multipart or as plain bytes, as `X-Goog-Upload-Protocol` tells.",
        bodies=(
            Body(CreateFileRequest, {"file": {"displayName": "My file", "mimeType": "text/plain"}}, is_required=False),
            Body(BINARY, content_type="*/*", is_required=False),
        ),
        parameters=(
            Parameter("upload_id", "An upload that has begun. Its address tells it, and stands for a key."),
            Parameter("uploadType", "The same as `X-Goog-Upload-Protocol`."),
            Parameter(
                "X-Goog-Upload-Protocol", "How the bytes come.", one_of("resumable", "multipart", "raw"), place="header"
            ),
            Parameter("X-Goog-Upload-Command", "What is to be done.", example="start", place="header"),
            Parameter("X-Goog-Upload-Offset", "Where these bytes begin.", INTEGER, place="header"),
            Parameter("X-Goog-Upload-Header-Content-Length", "Size of the whole.", INTEGER, place="header"),
            Parameter("X-Goog-Upload-Header-Content-Type", "Type of the whole.", place="header"),
        ),
        answer=object_of({}, {"file": _FILE.schema}),
        answer_types=("*/*",),
    )
    download = Operation(
        summary="Download a file",
        tag=_FILES,
        parameters=(Parameter("Range", "The bytes that are wanted.", place="header"),),
        answer=BINARY,
        answer_types=("*/*",),
    )
    return {
        ("POST", f"/upload{_VERSION}/files"): upload,
        ("PUT", f"/upload{_VERSION}/files"): upload,
        **refusals([("POST", f"{_VERSION}/files")], _FILES, "Send the bytes of a file to `/upload/v1beta/files`."),
        ("GET", f"{_VERSION}/files"): Operation(
            summary="List the files",
            tag=_FILES,
            parameters=_PAGING,
            answer=object_of({"files": array_of(_FILE.schema)}, {"nextPageToken": TEXT}),
        ),
        ("GET", one): Operation(
            summary="Tell about a file",
            tag=_FILES,
            about="With `alt=media`, its bytes.",
            parameters=(Parameter("alt", "What is wanted.", one_of("json", "media"), "json"),),
            answer=_FILE,
            answer_types=("*/*",),
        ),
        ("DELETE", one): Operation(summary="Delete a file", tag=_FILES),
        ("GET", f"{one}:download"): download,
        ("GET", f"/download{one}:download"): download,
        ("GET", f"/download{one}"): download,
    }


def _caches(names: Names) -> Operations:
    one = f"{_VERSION}/cachedContents/{{cache:rest}}"
    example = {**_HELLO, "model": f"models/{names.model}", "ttl": "600s"}
    return {
        ("POST", f"{_VERSION}/cachedContents"): Operation(
            summary="Cache a content", tag=_CACHES, bodies=(Body(CachedContent, example),), answer=_CACHE
        ),
        ("GET", f"{_VERSION}/cachedContents"): Operation(
            summary="List the cached contents",
            tag=_CACHES,
            parameters=_PAGING,
            answer=object_of({"cachedContents": array_of(_CACHE.schema)}, {"nextPageToken": TEXT}),
        ),
        ("GET", one): Operation(summary="Tell about a cached content", tag=_CACHES, answer=_CACHE),
        ("PATCH", one): Operation(
            summary="Change the lifetime of a cached content",
            tag=_CACHES,
            bodies=(Body(Lifetime, {"ttl": "1200s"}),),
            parameters=(Parameter("updateMask", "Names of the fields that are to change."),),
            answer=_CACHE,
        ),
        ("DELETE", one): Operation(summary="Delete a cached content", tag=_CACHES),
    }


def _batches(names: Names) -> Operations:
    one = f"{_VERSION}/batches/{{batch}}"
    model = f"{_VERSION}/models/{{model:rest}}"
    embedded = {"content": {"parts": [{"text": "The sun is a star."}]}}

    def example(name: str, request: object) -> object:
        requests = {"requests": [{"request": request, "metadata": {"key": "1"}}]}
        return {"batch": {"displayName": name, "inputConfig": {"requests": requests}}}

    return {
        ("POST", f"{model}:batchGenerateContent"): Operation(
            summary="Generate in the background",
            tag=_BATCHES,
            bodies=(Body(CreateBatchRequest, example("My batch", _SHORT)),),
            answer=_OPERATION,
        ),
        ("POST", f"{model}:asyncBatchEmbedContent"): Operation(
            summary="Embed in the background",
            tag=_BATCHES,
            about=f"The model in the path is one that embeds, such as `{names.embedding_model}`.",
            part_examples={"model": names.embedding_model},
            bodies=(Body(CreateBatchRequest, example("My vectors", embedded)),),
            answer=_OPERATION,
        ),
        ("GET", f"{_VERSION}/batches"): Operation(
            summary="List the batches",
            tag=_BATCHES,
            parameters=_PAGING,
            answer=object_of({"operations": array_of(_OPERATION.schema)}, {"nextPageToken": TEXT}),
        ),
        ("GET", one): Operation(summary="Tell about a batch", tag=_BATCHES, answer=_OPERATION),
        ("DELETE", one): Operation(summary="Delete a batch", tag=_BATCHES),
        ("POST", f"{one}:cancel"): Operation(summary="Cancel a batch", tag=_BATCHES),
        **refusals(
            [("GET", f"{_VERSION}/{{parent:rest}}/operations/{{operation}}")],
            _BATCHES,
            "Nothing but batches takes long enough to become an operation.",
        ),
    }
