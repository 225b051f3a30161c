"""Request bodies for the engine's routes: what llama.cpp takes, and what any OpenAI-compatible server takes."""

from collections.abc import Mapping, Sequence
from typing import Final

from localaik.engine.calls import ChatTurn, EngineCall, EngineImage, EngineTool, EngineToolCall
from localaik.engine.capabilities import Capabilities
from localaik.errors import BadRequest

__all__ = ["OWNED_FIELDS", "chat_body", "completion_body", "count_body"]

OWNED_FIELDS: Final = frozenset(
    {
        # set here
        "model",
        "messages",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "n_predict",
        "max_completion_tokens",
        "seed",
        "stop",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "n_probs",
        "n",
        "cache_prompt",
        "return_progress",
        "add_generation_prompt",
        "continue_final_message",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "json_schema",  # llama.cpp's other name for response_format
        # internals of llama.cpp's chat route that would undo the guard
        "chat_format",
        "chat_parser",
        "parse_tool_calls",
        "generation_prompt",
        "preserved_tokens",
        "grammar_triggers",
        "grammar_lazy",
        "grammar_type",
    }
)
"""Body fields that a caller's extra fields can't set."""

_BAN: Final = -100


def chat_body(call: EngineCall, capabilities: Capabilities, *, model: str, cache_prompt: bool) -> dict[str, object]:
    """The body for `/chat/completions`."""
    body = _shared(call, capabilities, model)
    body["messages"] = _messages(call.turns)
    if call.tools:
        _add_tools(body, call, capabilities)
    if capabilities.usage_in_stream:
        body["stream_options"] = {"include_usage": True}
    if call.logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = max(call.logprobs, 1)  # llama.cpp takes 0 for "none at all"
    if capabilities.kind == "llamacpp":
        body["max_tokens"] = -1 if call.max_tokens is None else call.max_tokens
        body["cache_prompt"] = cache_prompt
        body["return_progress"] = True
    elif call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    return body


def completion_body(
    call: EngineCall, capabilities: Capabilities, *, model: str, cache_prompt: bool
) -> dict[str, object]:
    """The body for a raw prompt: llama.cpp's `/completion` or `/infill`, elsewhere `/completions`."""
    body = _shared(call, capabilities, model)
    if call.suffix is None:
        body["prompt"] = call.prompt
    elif capabilities.completion_route:
        body |= {"input_prefix": call.prompt, "input_suffix": call.suffix}
    else:
        body |= {"prompt": call.prompt, "suffix": call.suffix}
    if capabilities.completion_route:
        body["n_predict"] = -1 if call.max_tokens is None else call.max_tokens
        body["cache_prompt"] = cache_prompt
        if call.logprobs is not None:
            body["n_probs"] = max(call.logprobs, 1)
        return body
    if isinstance(call.prompt, list) and not capabilities.tokenize:
        raise BadRequest("The upstream takes no token ids.", field="prompt", reason="unsupported_value")
    if capabilities.usage_in_stream:
        body["stream_options"] = {"include_usage": True}
    if call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    if call.logprobs is not None:
        body["logprobs"] = max(call.logprobs, 1)
    return body


def count_body(call: EngineCall, model: str) -> dict[str, object]:
    """The body for llama.cpp's token counting, vLLM's `/tokenize` and `/apply-template`."""
    body: dict[str, object] = {"model": model, "messages": _messages(call.turns), "add_generation_prompt": True}
    if call.tools:
        body["tools"] = [_tool(tool) for tool in call.tools]
    return body


def _messages(turns: Sequence[ChatTurn]) -> list[dict[str, object]]:
    """Turns in the chat form that every engine reads."""
    return [_message(turn) for turn in turns]


def _message(turn: ChatTurn) -> dict[str, object]:
    message: dict[str, object] = {"role": turn.role, "content": _content(turn.content)}
    if turn.calls:
        message["content"] = message["content"] or None
        message["tool_calls"] = [_earlier_call(call) for call in turn.calls]
    if turn.role == "tool":
        message["tool_call_id"] = turn.call_id
    return message


def _earlier_call(call: EngineToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _add_tools(body: dict[str, object], call: EngineCall, capabilities: Capabilities) -> None:
    if not capabilities.native_tools:
        raise BadRequest("The upstream can't be told of functions.", field="tools", reason="unsupported_value")
    body["tools"] = [_tool(tool) for tool in call.tools]
    body["tool_choice"] = call.tool_choice
    body["parallel_tool_calls"] = call.parallel_calls


def _tool(tool: EngineTool) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _content(content: str | list[str | EngineImage]) -> str | list[dict[str, object]]:
    if isinstance(content, str):
        return content
    return [
        {"type": "text", "text": piece}
        if isinstance(piece, str)
        else {"type": "image_url", "image_url": {"url": piece.url}}
        for piece in content
    ]


def _shared(call: EngineCall, capabilities: Capabilities, model: str) -> dict[str, object]:
    body: dict[str, object] = {name: value for name, value in call.extra.items() if name not in OWNED_FIELDS}
    body |= call.sampling
    body["model"] = model
    body["stream"] = True
    body["seed"] = call.seed
    if call.stop and capabilities.stop_strings:
        body["stop"] = list(call.stop)
    if call.grammar is not None:
        if not capabilities.grammar:
            raise BadRequest(
                "The upstream can't be held to an output format: it takes no grammar.", reason="unsupported_value"
            )
        body["grammar"] = call.grammar
    if call.json_schema is not None:
        if not capabilities.json_schema:
            raise BadRequest(
                "The upstream can't be held to an output format: it takes no JSON Schema.", reason="unsupported_value"
            )
        body["response_format"] = _response_format(call.json_schema, capabilities)
    if call.logit_bias:
        body["logit_bias"] = _logit_bias(call.logit_bias, capabilities)
    return body


def _response_format(schema: Mapping[str, object] | bool, capabilities: Capabilities) -> dict[str, object]:
    if capabilities.kind == "llama_cpp_python":  # it refuses the form that all others take (llama_types.py)
        return {"type": "json_object", "schema": schema}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _logit_bias(bias: Mapping[int, float], capabilities: Capabilities) -> object:
    if capabilities.kind == "llamacpp":
        return [[token, False if value <= _BAN else value] for token, value in bias.items()]
    return {str(token): value for token, value in bias.items()}
