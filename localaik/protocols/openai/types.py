"""Requests as they stand on the wire. Names, types and ranges are those of OpenAI's published API description.

Types are strict: "1" and true are no numbers. null stands for an absent field. Fields that are not listed are kept in
`model_extra`: what becomes of them is `decode`'s business. The order of the fields is the order in which faults are
told.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AllowedToolsChoice",
    "AssistantMessage",
    "ChatRequest",
    "CompletionRequest",
    "CustomChoice",
    "CustomTool",
    "EarlierCall",
    "EarlierCustomCall",
    "EarlierFunction",
    "FilePart",
    "FunctionCallObject",
    "FunctionCallWord",
    "FunctionChoice",
    "FunctionMessage",
    "FunctionTool",
    "GrammarFormat",
    "ImagePart",
    "InputAudioPart",
    "JsonObjectFormat",
    "JsonSchemaFormat",
    "LegacyFunction",
    "Message",
    "RefusalPart",
    "StreamOptions",
    "SystemMessage",
    "TextFormat",
    "TextPart",
    "ToolChoiceObject",
    "ToolChoiceWord",
    "ToolMessage",
    "UserMessage",
    "Wire",
]

MAX_CHOICES: Final = 128
MAX_STOPS: Final = 4
MAX_PROMPTS: Final = 2048
_MAX_TOKEN_ID: Final = 2**31 - 1  # the engine's token ids are signed 32 bit


class Wire(BaseModel):
    """Base of all objects of a request."""

    model_config = ConfigDict(strict=True, extra="allow")


Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Bias = Annotated[float, Field(ge=-100, le=100)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Probability = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Name = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
Stops = Annotated[list[str], Field(max_length=MAX_STOPS, fail_fast=True)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0, le=_MAX_TOKEN_ID)]], Field(fail_fast=True)]


class TextPart(Wire):
    """`{"type": "text"}`."""

    type: Literal["text"]
    text: str


class RefusalPart(Wire):
    """`{"type": "refusal"}`: an answer of the assistant that said no."""

    type: Literal["refusal"]
    refusal: str


class ImageUrl(Wire):
    """Where an image is, or the image itself as a `data:` URL."""

    url: str
    detail: str | None = None


class ImagePart(Wire):
    """`{"type": "image_url"}`."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(Wire):
    """A file in the request, or the id of a stored one."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Wire):
    """`{"type": "file"}`."""

    type: Literal["file"]
    file: FileData


class InputAudioPart(Wire):
    """`{"type": "input_audio"}`; its content is not looked at."""

    type: Literal["input_audio"]
    input_audio: object = None


SystemPart = TextPart
UserPart = Annotated[TextPart | ImagePart | FilePart | InputAudioPart, Field(discriminator="type")]
AssistantPart = Annotated[TextPart | RefusalPart, Field(discriminator="type")]
ToolPart = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]
SystemParts = Annotated[list[SystemPart], Field(min_length=1, fail_fast=True)]
UserParts = Annotated[list[UserPart], Field(min_length=1, fail_fast=True)]
AssistantParts = Annotated[list[AssistantPart], Field(fail_fast=True)]
ToolParts = Annotated[list[ToolPart], Field(min_length=1, fail_fast=True)]


class SystemMessage(Wire):
    """What the developer tells the model; both names mean the same."""

    role: Literal["system", "developer"]
    content: str | SystemParts | None
    name: str | None = None


class UserMessage(Wire):
    """What the user says and shows."""

    role: Literal["user"]
    content: str | UserParts | None
    name: str | None = None


class EarlierFunction(Wire):
    """Which function was called, and with what. The arguments are what a model wrote: any text."""

    name: str
    arguments: str


class EarlierCall(Wire):
    """A call of a function in an earlier answer."""

    type: Literal["function"]
    id: str
    function: EarlierFunction


class EarlierInput(Wire):
    """Which custom tool was called, and with what."""

    name: str
    input: str


class EarlierCustomCall(Wire):
    """A call of a custom tool in an earlier answer."""

    type: Literal["custom"]
    id: str
    custom: EarlierInput


class AssistantMessage(Wire):
    """An earlier answer."""

    role: Literal["assistant"]
    content: str | AssistantParts | None = None
    refusal: str | None = None
    name: str | None = None
    audio: object = None
    tool_calls: (
        Annotated[list[Annotated[EarlierCall | EarlierCustomCall, Field(discriminator="type")]], Field(fail_fast=True)]
        | None
    ) = None
    function_call: EarlierFunction | None = None
    # Parts of our own answers, which clients send back as they got them:
    annotations: object = None
    reasoning_content: object = None
    thinking: object = None


class ToolMessage(Wire):
    """The result of a call."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | ToolParts


class FunctionMessage(Wire):
    """The result of a call of the time before tools had ids."""

    role: Literal["function"]
    name: str
    content: str | None


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]


class LegacyFunction(Wire):
    """A function that the model may call."""

    name: Name
    description: str | None = None
    parameters: dict[str, object] | None = None


class Function(LegacyFunction):
    """A function that the model may call."""

    strict: bool | None = None


class FunctionTool(Wire):
    """`{"type": "function"}`."""

    type: Literal["function"]
    function: Function


class Grammar(Wire):
    """What the input of a custom tool must look like."""

    syntax: Literal["lark", "regex"]
    definition: str


class FreeFormat(Wire):
    """Input without a form."""

    type: Literal["text"]


class GrammarFormat(Wire):
    """Input that follows a grammar."""

    type: Literal["grammar"]
    grammar: Grammar


class Custom(Wire):
    """A tool that the model may call with free text."""

    name: Name
    description: str | None = None
    format: Annotated[FreeFormat | GrammarFormat, Field(discriminator="type")] | None = None


class CustomTool(Wire):
    """`{"type": "custom"}`."""

    type: Literal["custom"]
    custom: Custom


class Named(Wire):
    """A tool, by its name."""

    name: str


class FunctionChoice(Wire):
    """A function, by its name."""

    type: Literal["function"]
    function: Named


class CustomChoice(Wire):
    """A custom tool, by its name."""

    type: Literal["custom"]
    custom: Named


class AllowedTools(Wire):
    """The tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[
        list[Annotated[FunctionChoice | CustomChoice, Field(discriminator="type")]],
        Field(min_length=1, fail_fast=True),
    ]


class AllowedToolsChoice(Wire):
    """`{"type": "allowed_tools"}`."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


class ToolChoiceWord(Wire):
    """`tool_choice` as a word; a request of its own, because its fault would be one of many in a union."""

    tool_choice: Literal["none", "auto", "required"]


class ToolChoiceObject(Wire):
    """`tool_choice` as an object."""

    tool_choice: Annotated[FunctionChoice | CustomChoice | AllowedToolsChoice, Field(discriminator="type")]


class FunctionCallWord(Wire):
    """`function_call` as a word."""

    function_call: Literal["none", "auto"]


class FunctionCallObject(Wire):
    """`function_call` as an object."""

    function_call: Named


class StreamOptions(Wire):
    """What a stream carries beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class TextFormat(Wire):
    """Free text."""

    type: Literal["text"]


class JsonObjectFormat(Wire):
    """One JSON object of any content."""

    type: Literal["json_object"]


class NamedSchema(Wire):
    """A JSON Schema with the caller's name for it."""

    name: Name
    description: str | None = None
    json_schema: Annotated[dict[str, object] | None, Field(alias="schema")] = None
    strict: bool | None = None


class JsonSchemaFormat(Wire):
    """One JSON value that is valid under a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ChatRequest(Wire):
    """POST chat/completions."""

    model: str | None = None
    messages: Annotated[list[Message], Field(min_length=1, fail_fast=True)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    stop: str | Stops | None = None
    seed: Int64 | None = None
    logit_bias: dict[str, Bias] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    tools: (
        Annotated[list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]], Field(fail_fast=True)] | None
    ) = None
    tool_choice: object = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[LegacyFunction], Field(fail_fast=True)] | None = None
    function_call: object = None
    store: bool | None = None
    metadata: Metadata | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    include_thinking: bool | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: dict[str, object] | None = None
    prediction: dict[str, object] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, object] | None = None
    prompt_cache_retention: str | None = None
    web_search_options: dict[str, object] | None = None
    moderation: dict[str, object] | None = None


class CompletionRequest(Wire):
    """POST completions."""

    model: str
    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]
        | Annotated[TokenIds, Field(min_length=1)]
        | Annotated[
            list[Annotated[TokenIds, Field(min_length=1)]], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)
        ]
        | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    best_of: Annotated[int, Field(ge=0, le=20)] | None = None
    stop: str | Stops | None = None
    seed: Int64 | None = None
    logit_bias: dict[str, Bias] | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    user: str | None = None
