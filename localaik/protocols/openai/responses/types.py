"""Requests and items of the Responses API as they stand on the wire.

Names, types and ranges are those of OpenAI's published API description; `localaik.protocols.openai.types` has the rules
that hold for all of them. The order of the fields is the order in which faults are told.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr

from localaik.protocols.openai.types import (
    FreeFormat,
    Int64,
    JsonObjectFormat,
    Metadata,
    Name,
    Penalty,
    Probability,
    Temperature,
    TextFormat,
    Wire,
)

__all__ = [
    "AllowedToolsChoice",
    "Asked",
    "AssistantMessage",
    "CompactionItem",
    "ConversationRef",
    "CreateResponse",
    "CustomCall",
    "CustomCallOutput",
    "CustomChoice",
    "CustomTool",
    "Effort",
    "FunctionCall",
    "FunctionCallOutput",
    "FunctionChoice",
    "FunctionTool",
    "GrammarFormat",
    "Include",
    "InputFile",
    "InputImage",
    "InputMessage",
    "InputText",
    "Item",
    "ItemReference",
    "JsonSchemaFormat",
    "NamespaceTool",
    "OtherItem",
    "OutputText",
    "ReasoningItem",
    "RefusalPart",
    "ToolChoiceWord",
]

CONVERSATION_PREFIX: Final = "conv_"
MIN_OUTPUT_TOKENS: Final = 16

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Status = Literal["in_progress", "completed", "incomplete"]
Detail = Literal["auto", "low", "high", "original"]
# An id goes into columns and headers: 200 characters and no control characters among them.
ItemId = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Objects = Annotated[list[dict[str, object]], Field(fail_fast=True)]


class InputText(Wire):
    """`{"type": "input_text"}`."""

    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: object = None


class InputImage(Wire):
    """`{"type": "input_image"}`: its URL, or the id of a stored file."""

    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None
    detail: Detail | None = None
    prompt_cache_breakpoint: object = None


class InputFile(Wire):
    """`{"type": "input_file"}`: its bytes, its URL, or the id of a stored file."""

    type: Literal["input_file"]
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: Detail | None = None
    prompt_cache_breakpoint: object = None


class InputAudio(Wire):
    """`{"type": "input_audio"}`; its content is not looked at."""

    type: Literal["input_audio"]
    input_audio: object = None


class OutputText(Wire):
    """`{"type": "output_text"}`: what the assistant said."""

    type: Literal["output_text"]
    text: str
    annotations: Objects | None = None
    logprobs: Objects | None = None


class RefusalPart(Wire):
    """`{"type": "refusal"}`: the assistant said no."""

    type: Literal["refusal"]
    refusal: str


InputPart = Annotated[InputText | InputImage | InputFile | InputAudio, Field(discriminator="type")]
InputParts = Annotated[list[InputPart], Field(min_length=1, fail_fast=True)]
ResultParts = Annotated[
    list[Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]],
    Field(min_length=1, fail_fast=True),
]
OutputParts = Annotated[list[Annotated[OutputText | RefusalPart, Field(discriminator="type")]], Field(fail_fast=True)]


class Item(Wire):
    """What all items have in common."""

    id: ItemId | None = None
    # Parts of answers, which clients send back as they got them:
    created_by: object = None
    tool_calls: object = None


class InputMessage(Item):
    """A message to the model."""

    type: Literal["message"]
    role: Literal["user", "system", "developer"]
    content: str | InputParts
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class AssistantMessage(Item):
    """A message of the model."""

    type: Literal["message"]
    role: Literal["assistant"]
    content: str | OutputParts
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class Call(Item):
    """A call of a tool of the caller's."""

    call_id: ItemId
    name: str
    status: Status | None = None
    namespace: str | None = None
    # Who asked for the call, and whether it is waited for: there is one way to call here.
    caller: object = None
    is_async: Annotated[bool | None, Field(alias="async")] = None


class FunctionCall(Call):
    """A call of a function. The arguments are what a model wrote: any text."""

    type: Literal["function_call"]
    arguments: str


class CustomCall(Call):
    """A call of a custom tool."""

    type: Literal["custom_tool_call"]
    input: str


class CallOutput(Item):
    """What a call gave."""

    call_id: ItemId
    output: str | ResultParts
    status: Status | None = None
    name: str | None = None
    namespace: str | None = None
    caller: object = None


class FunctionCallOutput(CallOutput):
    """What a call of a function gave."""

    type: Literal["function_call_output"]


class CustomCallOutput(CallOutput):
    """What a call of a custom tool gave."""

    type: Literal["custom_tool_call_output"]


class SummaryText(Wire):
    """`{"type": "summary_text"}`."""

    type: Literal["summary_text"]
    text: str


class ReasoningText(Wire):
    """`{"type": "reasoning_text"}`."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(Item):
    """Thoughts of the model."""

    type: Literal["reasoning"]
    summary: Annotated[list[SummaryText], Field(fail_fast=True)]
    content: Annotated[list[ReasoningText], Field(fail_fast=True)] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


class CompactionItem(Item):
    """What stands for everything before it but the user's messages."""

    type: Literal["compaction"]
    encrypted_content: str


class ItemReference(Item):
    """An item that is known already, by its id."""

    type: Literal["item_reference"]
    id: Annotated[ItemId, Field(min_length=1)]


class OtherItem(Wire):
    """An item that is kept as it is: a wish to compact, or a trace of the service's own tools."""

    type: str
    id: ItemId | None = None


class GrammarFormat(Wire):
    """`{"type": "grammar"}`: what the input of a custom tool must look like."""

    type: Literal["grammar"]
    syntax: Literal["lark", "regex"]
    definition: str


class ToolBase(Wire):
    """What functions and custom tools have in common."""

    name: Name
    description: str | None = None
    # How and by whom the tool may be called on the real service; here the model calls it, and nobody else.
    allowed_callers: object = None
    defer_loading: object = None
    is_async: Annotated[object, Field(alias="async")] = None


class FunctionTool(ToolBase):
    """`{"type": "function"}`."""

    type: Literal["function"]
    parameters: dict[str, object] | None = None
    strict: bool | None = None
    output_schema: object = None


class CustomTool(ToolBase):
    """`{"type": "custom"}`."""

    type: Literal["custom"]
    format: Annotated[FreeFormat | GrammarFormat, Field(discriminator="type")] | None = None


class NamespaceTool(Wire):
    """`{"type": "namespace"}`: tools under a name of their own."""

    type: Literal["namespace"]
    name: Name
    description: str
    tools: Annotated[
        list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]], Field(min_length=1, fail_fast=True)
    ]


class ToolChoiceWord(Wire):
    """`tool_choice` as a word."""

    tool_choice: Literal["none", "auto", "required"]


class FunctionChoice(Wire):
    """A function, by its name."""

    type: Literal["function"]
    name: str
    namespace: str | None = None


class CustomChoice(Wire):
    """A custom tool, by its name."""

    type: Literal["custom"]
    name: str
    namespace: str | None = None


class AllowedToolsChoice(Wire):
    """The tools that may be called, and whether one must be."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[dict[str, object]], Field(min_length=1, fail_fast=True)]


class StreamOptions(Wire):
    """What a stream carries beside the answer."""

    include_obfuscation: bool | None = None


class ConversationRef(Wire):
    """A conversation, by its id."""

    id: str


class PromptRef(Wire):
    """A stored prompt, by its id."""

    id: str
    version: str | None = None
    variables: dict[str, object] | None = None


class JsonSchemaFormat(Wire):
    """`{"type": "json_schema"}`: a JSON Schema with the caller's name for it."""

    type: Literal["json_schema"]
    name: Name
    json_schema: Annotated[dict[str, object], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class TextConfig(Wire):
    """What the text of the answer is like."""

    format: Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Wire):
    """How the model thinks, and what it tells of that."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: object = None
    mode: object = None


class ContextManagement(Wire):
    """What becomes of a context that has grown long."""

    type: str
    compact_threshold: Annotated[int, Field(ge=1)] | None = None


Includes = Annotated[
    list[
        Literal[
            "code_interpreter_call.outputs",
            "computer_call_output.output.image_url",
            "file_search_call.results",
            "message.input_image.image_url",
            "message.output_text.logprobs",
            "reasoning.encrypted_content",
            "web_search_call.action.sources",
            "web_search_call.results",
        ]
    ],
    Field(fail_fast=True),
]


class Include(Wire):
    """What else the answer is to tell, where nothing else is asked."""

    include: Includes


class Asked:
    """What was found out while the input of a request was read; told once the request is decoded."""

    def __init__(self) -> None:
        self.ignored: list[str] = []
        """Paths of fields without effect."""
        self.unknown: list[str] = []
        """Fields of other requests than this one."""
        self.places: dict[str, str] = {}
        """Id of an item -> where it stands in the request."""


class CreateResponse(Wire):
    """POST responses."""

    model: str
    input: object = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: object = None
    include: Includes | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    max_output_tokens: Annotated[int, Field(ge=MIN_OUTPUT_TOKENS)] | None = None
    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    tools: Objects | None = None
    tool_choice: object = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    reasoning_effort: Effort | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: Metadata | None = None
    context_management: Annotated[list[ContextManagement], Field(fail_fast=True)] | None = None
    prompt: PromptRef | None = None
    seed: Int64 | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    prompt_cache_options: object = None
    moderation: object = None
    image: object = None
    access_programs: object = None

    _asked: Asked = PrivateAttr(default_factory=Asked)

    @property
    def asked(self) -> Asked:
        """What was found out while the input was read."""
        return self._asked

    @property
    def conversation_id(self) -> str | None:
        """The conversation that the response belongs to, whichever field names it."""
        if isinstance(self.conversation, str):
            return self.conversation
        if isinstance(self.conversation, dict):
            return str(self.conversation["id"])
        previous = self.previous_response_id
        return previous if previous is not None and previous.startswith(CONVERSATION_PREFIX) else None
