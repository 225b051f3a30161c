"""`python -m tools.tinymodel.grammar_exam`: tool calls and structured answers of the embedded model, as localaik asks.

The prompt is the lesson's, which localaik's own functions wrote; the grammar is read back from it. Validity is given by
the grammar, so what is counted is whether the answer is the expected one, and whether it calls the right function.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    FunctionTool,
    JsonMatching,
    OutputFormat,
    Tool,
    ToolChoice,
)
from localaik.generation.tools.grammar import answer_grammar
from localaik.generation.tools.prompt import CALL_START
from tools.tinymodel.__main__ import MODELS
from tools.tinymodel.conversation import Conversation
from tools.tinymodel.engine import Engine, running_engine
from tools.tinymodel.lessons import structured, tools
from tools.tinymodel.lessons.curriculum import many_tools
from tools.tinymodel.probe import EXAM_SEED, chat_messages

_LESSONS: dict[str, Callable[[Random], Conversation]] = {
    "call, auto": tools.tool_call,
    "call, required": tools.tool_call_required,
    "two calls": tools.two_tool_calls,
    "call of a custom tool": tools.custom_call,
    "tools not needed": tools.tools_unused,
    "answer to a result": tools.tool_result,
    "dialogue": tools.tool_dialogue,
    "dialogue, 4 to 10 tools": many_tools,
    "JSON by schema": structured.filled_schema,
    "JSON by schema, no values": structured.unfilled_schema,
    "JSON without schema": structured.any_json,
    "one text of several": structured.enum_text,
}


def _grammar(system: str) -> str:
    """The grammar that belongs to a prompt with this system text."""
    found: list[Tool] = []
    choice = ToolChoice()
    if "Functions:\n" in system:
        *lines, rule = system.split("Functions:\n", 1)[1].split("\n")
        found = [_tool(json.loads(line)) for line in lines if line.startswith("{")]
        mode = "required" if "Answer with a call" in rule else "auto"
        choice = ToolChoice(mode, parallel="one call at most" not in rule)  # type: ignore[arg-type]
    return answer_grammar(found, choice, _output(system)).text


def _tool(declaration: dict[str, object]) -> Tool:
    name, description = str(declaration["name"]), str(declaration.get("description", ""))
    parameters = declaration.get("parameters")
    if isinstance(parameters, dict):
        return FunctionTool(name, description, parameters)
    return CustomTool(name, description)


def _output(system: str) -> OutputFormat | None:
    if "Its JSON Schema:\n" in system:
        return JsonMatching(json.loads(system.split("Its JSON Schema:\n", 1)[1]), "schema")
    if "Answer with one JSON" in system:
        return AnyJson(object_only="JSON object" in system)
    if "exactly one of these texts:\n" in system:
        return EnumText(tuple(json.loads(system.split("these texts:\n", 1)[1])))
    return None


def _fits(answer: str, expected: str) -> bool:
    """The same function is called, or none where none is right."""
    if expected.startswith(CALL_START):
        return answer.split('"arguments"', maxsplit=1)[0] == expected.split('"arguments"', maxsplit=1)[0]
    return not answer.startswith(CALL_START)


def _exam(engine: Engine, count: int) -> None:
    for name, lesson in _LESSONS.items():
        right = ended = fitting = 0
        for index in range(count):
            random = Random(EXAM_SEED + index)
            conversation = lesson(random)
            messages = chat_messages(conversation, random)
            choice = engine.chat(messages, max_tokens=300, grammar=_grammar(conversation.system))["choices"][0]
            expected = "".join(span.text for span in conversation.turns[-1].answer).strip()
            answer = choice["message"]["content"]
            right += answer == expected
            ended += choice["finish_reason"] == "stop"
            fitting += _fits(answer, expected)
        shares = [100 * number // count for number in (right, fitting, ended)]
        print(
            f"{name:26} exact {shares[0]:3} %   fitting {shares[1]:3} %   ended by itself {shares[2]:3} %", flush=True
        )


def main() -> None:
    """Run the exam on a folder of models."""
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel.grammar_exam", description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the files")
    parser.add_argument("--count", type=int, default=50, help="instances per lesson")
    options = parser.parse_args()
    with running_engine(options.models / "tiny.gguf", slots=1) as engine:
        _exam(engine, options.count)


if __name__ == "__main__":
    main()
