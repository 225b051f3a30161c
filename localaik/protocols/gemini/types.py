"""The requests of the Gemini API, as they stand on the wire. Names and types follow its REST reference.

A field of type `object` is known and its content has no effect, or belongs to the caller and is taken as it is.
"""

from typing import Annotated, ClassVar, Final

from pydantic import AliasChoices, BeforeValidator, Discriminator, Field, Tag

from localaik.protocols.gemini.proto3 import (
    Base64Text,
    Int32,
    Int64,
    Message,
    Number,
    Repeated,
    enum_reader,
    integer_reader,
    number_reader,
)

__all__ = [
    "SCHEMA_TAGS",
    "Blob",
    "CodeExecutionResult",
    "Content",
    "CountTokensRequest",
    "ExecutableCode",
    "FileData",
    "FileSearch",
    "FunctionCall",
    "FunctionCallingConfig",
    "FunctionDeclaration",
    "FunctionResponse",
    "GenerateContentRequest",
    "GenerationConfig",
    "Part",
    "SafetySetting",
    "Schema",
    "SpeechConfig",
    "SystemInstruction",
    "ThinkingConfig",
    "Tool",
    "ToolConfig",
    "ToolUse",
]

SCHEMA_TAGS: Final = ("\0schema", "\0boolean")
"""What pydantic adds to the location of an error where a schema or a boolean may stand; no caller's key."""

HarmCategory = Annotated[
    str,
    enum_reader(
        [
            f"HARM_CATEGORY_{name}"
            for name in (
                "HARASSMENT",
                "HATE_SPEECH",
                "SEXUALLY_EXPLICIT",
                "DANGEROUS_CONTENT",
                "CIVIC_INTEGRITY",
                "JAILBREAK",
                "IMAGE_HATE",
                "IMAGE_DANGEROUS_CONTENT",
                "IMAGE_HARASSMENT",
                "IMAGE_SEXUALLY_EXPLICIT",
            )
        ],
        {
            7: "HARM_CATEGORY_HARASSMENT",
            8: "HARM_CATEGORY_HATE_SPEECH",
            9: "HARM_CATEGORY_SEXUALLY_EXPLICIT",
            10: "HARM_CATEGORY_DANGEROUS_CONTENT",
            11: "HARM_CATEGORY_CIVIC_INTEGRITY",
        },
    ),
]
HarmBlockThreshold = Annotated[
    str,
    enum_reader(
        (
            "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
            "BLOCK_LOW_AND_ABOVE",
            "BLOCK_MEDIUM_AND_ABOVE",
            "BLOCK_ONLY_HIGH",
            "BLOCK_NONE",
            "OFF",
        )
    ),
]
MediaResolution = Annotated[
    str,
    enum_reader([f"MEDIA_RESOLUTION_{name}" for name in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")]),
]
Modality = Annotated[str, enum_reader(("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"))]
ThinkingLevel = Annotated[str, enum_reader(("THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"))]
FunctionCallingMode = Annotated[str, enum_reader(("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"))]
Behavior = Annotated[str, enum_reader(("UNSPECIFIED", "BLOCKING", "NON_BLOCKING"))]
ServiceTier = Annotated[
    str,
    enum_reader(
        ("unspecified", "service_tier_unspecified", "standard", "flex", "priority"),
        {0: "unspecified", 1: "standard", 2: "flex", 3: "priority"},
    ),
]
Outcome = Annotated[
    str, enum_reader(("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"))
]
ToolType = Annotated[
    str,
    enum_reader(
        (
            "TOOL_TYPE_UNSPECIFIED",
            "GOOGLE_SEARCH_WEB",
            "GOOGLE_SEARCH_IMAGE",
            "URL_CONTEXT",
            "GOOGLE_MAPS",
            "FILE_SEARCH",
            "MEDIA_PROCESSING",
        )
    ),
]
SchemaType = Annotated[
    str,
    enum_reader(("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")),
]


class Blob(Message):
    """Bytes inside the request."""

    data: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class FileData(Message):
    """A file by its address."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class ExecutableCode(Message):
    """Code that a server tool was to run, in the history."""

    language: Annotated[str, enum_reader(("LANGUAGE_UNSPECIFIED", "PYTHON"))] | None = None
    code: str | None = None
    id: str | None = None


class CodeExecutionResult(Message):
    """What came of it."""

    outcome: Outcome | None = None
    output: str | None = None
    id: str | None = None


class ToolUse(Message):
    """A call of a server tool or its result, in the history."""

    id: str | None = None
    tool_type: ToolType | None = None
    args: dict[str, object] | None = None
    response: dict[str, object] | None = None


class FunctionCall(Message):
    """A call of one of the caller's functions, in the history."""

    id: str | None = None
    name: str | None = None
    args: dict[str, object] | None = None


class FunctionResponsePart(Message):
    """An image or a file of a result; at most one of the fields is set."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(Message):
    """What such a call gave."""

    id: str | None = None
    name: str | None = None
    response: dict[str, object] | None = None
    parts: Repeated[FunctionResponsePart] | None = None
    will_continue: object = None
    scheduling: object = None


class AudioTranscription(Message):
    """What was said in an audio part, in the history."""

    text: str | None = None
    finished: object = None
    language_code: object = None
    speaker_label: object = None
    words: object = None


class PartMediaResolution(Message):
    """How closely one part is looked at."""

    level: MediaResolution | None = None
    num_tokens: object = None


class Part(Message):
    """One piece of a content; at most one of the data fields is set."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: ToolUse | None = None
    tool_response: ToolUse | None = None
    audio_transcription: AudioTranscription | None = None

    thought: bool | None = None
    thought_signature: Base64Text | None = None
    media_resolution: PartMediaResolution | None = None
    video_metadata: object = None
    part_metadata: object = None
    media_processing: object = None
    speech_metadata: object = None
    document_metadata: object = None
    spreadsheet_metadata: object = None
    audio_metadata: object = None


class Content(Message):
    """One turn."""

    role: str | None = None
    parts: Repeated[Part] | None = None


def _text_as_content(value: object) -> object:
    return {"parts": [{"text": value}]} if isinstance(value, str) else value


SystemInstruction = Annotated[Content | None, BeforeValidator(_text_as_content)]
"""A content, or a text alone."""


def _schema_or_boolean(value: object) -> str:
    return SCHEMA_TAGS[1] if isinstance(value, bool) else SCHEMA_TAGS[0]


SchemaOrBoolean = Annotated[
    Annotated["Schema", Tag(SCHEMA_TAGS[0])] | Annotated[bool, Tag(SCHEMA_TAGS[1])], Discriminator(_schema_or_boolean)
]


class Schema(Message):
    """Gemini's subset of the OpenAPI 3.0 schema object."""

    type: SchemaType | None = None
    format: str | None = None
    title: str | None = None
    description: str | None = None
    nullable: bool | None = None
    enum: list[str] | None = None
    items: "Schema | None" = None
    min_items: Int64 | None = None
    max_items: Int64 | None = None
    properties: "dict[str, Schema] | None" = None
    required: list[str] | None = None
    min_properties: Int64 | None = None
    max_properties: Int64 | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    min_length: Int64 | None = None
    max_length: Int64 | None = None
    pattern: str | None = None
    any_of: "Repeated[Schema] | None" = None
    property_ordering: list[str] | None = None
    default: object = None
    example: object = None
    additional_properties: SchemaOrBoolean | None = None
    defs: "Annotated[dict[str, Schema] | None, Field(validation_alias=AliasChoices('defs', '$defs'))]" = None
    ref: Annotated[str | None, Field(validation_alias=AliasChoices("ref", "$ref"))] = None


class ThinkingConfig(Message):
    """How much the model may think, and whether its thoughts are shown."""

    include_thoughts: bool | None = None
    thinking_budget: Annotated[int, integer_reader(-1, 32768)] | None = None
    thinking_level: ThinkingLevel | None = None


class SpeechConfig(Message):
    """Voices; without effect on text."""

    voice_config: object = None
    multi_speaker_voice_config: object = None
    language_code: object = None


class GenerationConfig(Message):
    """How to generate."""

    temperature: Annotated[float, number_reader(0, 2)] | None = None
    top_p: Annotated[float, number_reader(0, 1)] | None = None
    top_k: Annotated[int, integer_reader(1)] | None = None
    presence_penalty: Annotated[float, number_reader(-2, 2)] | None = None
    frequency_penalty: Annotated[float, number_reader(-2, 2)] | None = None
    seed: Int32 | None = None
    candidate_count: Annotated[int, integer_reader(1, 8)] | None = None
    max_output_tokens: Annotated[int, integer_reader(1)] | None = None
    stop_sequences: list[str] | None = None
    response_logprobs: bool | None = None
    logprobs: Annotated[int, integer_reader(0, 20)] | None = None
    response_mime_type: str | None = None
    response_schema: Schema | None = None
    response_json_schema: object = None
    response_modalities: list[Modality] | None = None
    response_format: Repeated[object] | None = None
    thinking_config: ThinkingConfig | None = None
    media_resolution: MediaResolution | None = None
    speech_config: SpeechConfig | None = None
    image_config: object = None
    enable_enhanced_civic_answers: object = None
    audio_transcription_config: object = None
    translation_config: object = None


class FunctionDeclaration(Message):
    """A function that the model may call; its parameters in one of the two dialects of schemas."""

    name: str | None = None
    description: str | None = None
    parameters: Schema | None = None
    parameters_json_schema: object = None
    response: object = None
    response_json_schema: object = None
    behavior: Behavior | None = None


class FileSearch(Message):
    """Search in file search stores."""

    file_search_store_names: list[str] | None = None
    top_k: object = None
    metadata_filter: object = None


class Tool(Message):
    """Functions of the caller, or one of the service's own tools."""

    function_declarations: Repeated[FunctionDeclaration] | None = None
    google_search: object = None
    google_search_retrieval: object = None
    url_context: object = None
    code_execution: object = None
    google_maps: object = None
    file_search: FileSearch | None = None
    computer_use: object = None
    mcp_servers: object = None


class FunctionCallingConfig(Message):
    """Whether functions are called, and which."""

    mode: FunctionCallingMode | None = None
    allowed_function_names: list[str] | None = None


class ToolConfig(Message):
    """How tools are used."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: object = None
    include_server_side_tool_invocations: bool | None = None


class SafetySetting(Message):
    """From which probability on a category is blocked."""

    category: HarmCategory | None = None
    threshold: HarmBlockThreshold | None = None


class GenerateContentRequest(Message):
    """Body of generateContent and streamGenerateContent."""

    model: str | None = None
    contents: Repeated[Content] | None = None
    system_instruction: SystemInstruction = None
    generation_config: GenerationConfig | None = None
    tools: Repeated[Tool] | None = None
    tool_config: ToolConfig | None = None
    safety_settings: Repeated[SafetySetting] | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None
    service_tier: ServiceTier | None = None
    store: bool | None = None
    continuation_token: object = None


class CountTokensRequest(Message):
    """Body of countTokens: contents alone, or a whole request."""

    # Without these the count would be wrong.
    refused: ClassVar[frozenset[str]] = frozenset(
        {
            *("systemInstruction", "generationConfig", "tools", "toolConfig", "cachedContent"),
            *("system_instruction", "generation_config", "tool_config", "cached_content"),
        }
    )

    model: str | None = None
    contents: Repeated[Content] | None = None
    generate_content_request: GenerateContentRequest | None = None
