"""What tool calls cost: `python -m bench.tools [--quick]`.

Building the prompt and the grammar for 100 tools, when they are new and when they were seen before, and the parser's
time for one delta of text and of arguments. Pure computation: no server and no engine.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from bench.report import Bar, Report, parse_arguments
from localaik.generation.request import FunctionTool, ToolChoice
from localaik.generation.tools.grammar import answer_grammar
from localaik.generation.tools.parser import CallParser
from localaik.generation.tools.prompt import describe_tools

__all__ = ["main"]

TOOLS: Final = 100
BUILD_MS: Final = 20.0
DELTA_US: Final = 5.0
_DELTAS: Final = 5000


def _tools(batch: int) -> list[FunctionTool]:
    """100 tools that no other batch has, with schemas such as frameworks write from the signatures of functions."""
    chooser = random.Random(batch)
    return [FunctionTool(f"tool_{batch}_{place}", f"Does thing {place}", _schema(chooser)) for place in range(TOOLS)]


def _schema(chooser: random.Random) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {"type": "string", "description": "Free text"},
        {"type": "string", "enum": [f"choice_{chooser.randint(0, 999)}" for _ in range(3)]},
        {"type": "integer", "minimum": 0, "maximum": chooser.randint(1, 5000)},
        {"type": "number"},
        {"type": "boolean", "default": False},
        {"type": "array", "items": {"type": "string"}},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Note"},
        {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}, "required": ["lat"]},
    ]
    names = [f"parameter_{chooser.randint(0, 99_999)}" for _ in range(chooser.randint(1, 6))]
    properties = {name: chooser.choice(kinds) for name in names}
    required = [name for name in properties if chooser.random() < 0.7]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _build(tools: Sequence[FunctionTool]) -> float:
    """Milliseconds for prompt and grammar."""
    began = time.perf_counter()
    describe_tools(tools, ToolChoice(), str)
    answer_grammar(tools, ToolChoice(), None)
    return (time.perf_counter() - began) * 1000


def _parse(pieces: Sequence[str]) -> float:
    """Microseconds per piece."""
    parser = CallParser(0, lambda: "call")
    began = time.perf_counter()
    for piece in pieces:
        parser.feed(piece)
    parser.end()
    return (time.perf_counter() - began) / len(pieces) * 1e6


def run(*, quick: bool) -> Report:
    """All figures."""
    rounds = 3 if quick else 15
    report = Report("tools", quick)
    report.notes.append(f"median of {rounds} rounds; each round of new tools has schemas that were never seen")
    _build(_tools(0))
    batches = [_tools(batch) for batch in range(1, rounds + 1)]
    answer = ["word " if place % 3 else " <b>" for place in range(_DELTAS)]
    inner = ["word " if place % 3 else "\\n," for place in range(_DELTAS)]
    arguments = ['<tool_call>{"name":"f","arguments":{"a":"', *inner, '"}}</tool_call>']
    free_text = ['<tool_call>{"name":"f","input":"', *inner, '"}</tool_call>']
    figures: list[tuple[str, str, float, Callable[[int], float]]] = [
        (f"prompt and grammar of {TOOLS} new tools", "ms", BUILD_MS, lambda at: _build(batches[at])),
        (f"prompt and grammar of {TOOLS} known tools", "ms", BUILD_MS, lambda _: _build(batches[-1])),
        ("parser, delta of text", "us", DELTA_US, lambda _: _parse(answer)),
        ("parser, delta of arguments", "us", DELTA_US, lambda _: _parse(arguments)),
        ("parser, delta of a custom tool's input", "us", DELTA_US, lambda _: _parse(free_text)),
    ]
    for figure, unit, limit, measure in figures:
        values = [measure(at) for at in range(rounds)]
        median = statistics.median(values)
        report.rows.append({"figure": figure, "median": f"{median:.2f}", "worst": f"{max(values):.2f}", "unit": unit})
        report.check(Bar(figure, limit, unit), median)
    return report


def main() -> int:
    """Run and print."""
    print(run(quick=parse_arguments(__doc__)).text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
