"""Thoughts on request: from models that reason by their own template, and from those that do not. Pure: no I/O.

A model that was not taught to reason writes a few sentences in a pass of its own before it answers, so that code which
shows thoughts can be developed with any model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from localaik.engine.calls import ChatTurn, EngineCall
from localaik.engine.capabilities import Capabilities
from localaik.generation.guard import append_turn
from localaik.generation.request import GenerationRequest

__all__ = [
    "ASK",
    "Thoughts",
    "answering_call",
    "heeds_effort",
    "pass_tokens",
    "reminder",
    "template_options",
    "thinking_call",
]

_MOST_TOKENS: Final = 256
ASK: Final = "Before you answer, think about this in one or two short sentences."
"""Ends the conversation in the pass."""
_REASONING_TEMPLATES: Final = ("<think>", "enable_thinking", "reasoning_content", "<|channel|>")


@dataclass(slots=True)
class Thoughts:
    """What a pass of its own gave."""

    text: str = ""
    tokens: int = 0


def pass_tokens(request: GenerationRequest, capabilities: Capabilities) -> int:
    """How long the pass may be, in tokens; 0 where there is none."""
    thinking = request.thinking
    if thinking is None or not thinking.include or thinking.budget == 0 or request.prompt is not None:
        return 0
    # Of a server that does not tell its template nobody knows whether its model reasons.
    if capabilities.kind != "llamacpp" or _reasons(capabilities):
        return 0
    most = _MOST_TOKENS if thinking.budget is None else min(_MOST_TOKENS, thinking.budget)
    return most if request.max_tokens is None else min(most, request.max_tokens)


def template_options(request: GenerationRequest, capabilities: Capabilities) -> Mapping[str, object]:
    """What the template of a model that reasons is told of the request: nothing where it would not understand it."""
    options: dict[str, object] = {}
    thinking = request.thinking
    is_off = request.reasoning_effort == "none" or (thinking is not None and thinking.budget == 0)
    if is_off and "enable_thinking" in capabilities.chat_template:
        options["enable_thinking"] = False
    effort = request.reasoning_effort
    if effort not in {None, "none"} and capabilities.template_caps.get("supports_reasoning_effort", False):
        options["reasoning_effort"] = effort
    return options


def heeds_effort(request: GenerationRequest, capabilities: Capabilities) -> bool:
    """The effort that the request asks for has an effect, or asks a model that does not reason for no thoughts."""
    effort = request.reasoning_effort
    if effort is None or template_options(request, capabilities):
        return True
    return effort == "none" and capabilities.kind == "llamacpp" and not _reasons(capabilities)


def thinking_call(call: EngineCall, tokens: int) -> EngineCall:
    """The pass: the same conversation, a request to think, and nothing that binds the answer."""
    asking = replace(call, turns=_with(call, ASK), max_tokens=tokens, grammar=None, json_schema=None, tools=())
    return replace(asking, stop=(), logprobs=None)


def answering_call(call: EngineCall, thoughts: Thoughts) -> EngineCall:
    """The answer behind the thoughts, which the model sees, and which count against its limit."""
    left = None if call.max_tokens is None else call.max_tokens - thoughts.tokens
    turns = _with(call, reminder(thoughts.text)) if thoughts.text else call.turns
    return replace(call, turns=turns, max_tokens=left)


def reminder(thoughts: str) -> str:
    """Ends the conversation where the model sees what it thought."""
    return f"Your thoughts so far: {thoughts}\nNow answer."


def _with(call: EngineCall, text: str) -> list[ChatTurn]:
    turns = [replace(turn) for turn in call.turns]
    append_turn(turns, ChatTurn("user", text))
    return turns


def _reasons(capabilities: Capabilities) -> bool:
    """The model's own template knows thoughts."""
    return any(mark in capabilities.chat_template for mark in _REASONING_TEMPLATES)
