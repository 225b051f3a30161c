"""Grammars that hold an answer to calls of declared tools, to text without any call, or to one of the two.

The text of an answer is a regular language here: everything that does not hold the start of a call. An automaton over
the beginnings of `<tool_call>` writes it without a gap, so the model may use `<` and `<tool` as it likes, and what
completes the marker is a call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from localaik.errors import BadRequest
from localaik.generation.request import CustomTool, EnumText, JsonMatching, OutputFormat, Tool, ToolChoice
from localaik.generation.schema import compile_grammar, fragment
from localaik.generation.schema.charsets import complement, single
from localaik.generation.tools.prompt import CALL_END, CALL_START

__all__ = ["MAX_CALLS", "AnswerGrammar", "answer_grammar", "input_schema"]

MAX_CALLS: Final = 8
"""Calls in one answer. Small models repeat themselves; without a bound they would do so until the token limit."""

_ANY_INPUT: Final[Mapping[str, object]] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class AnswerGrammar:
    """A GBNF grammar of answers."""

    text: str
    exact: bool
    """Every answer of the grammar has the form. Otherwise a schema had keywords that only validation can hold."""


def answer_grammar(tools: Sequence[Tool], choice: ToolChoice, output: OutputFormat | None) -> AnswerGrammar:
    """The grammar for an answer that may call `tools` (those that are allowed), and else has the form `output`.

    Without tools and `output`, text that holds no start of a call. Raises `BadRequest` for a schema that is invalid.
    """
    if not tools and output is not None:
        compiled = compile_grammar(output)
        return AnswerGrammar(compiled.text, compiled.exact)
    rules: list[str] = []
    exact = True
    if tools:
        exact = _write_calls(tools, rules)
    calls = f'call ("\\n" call){{0,{MAX_CALLS - 1}}}' if choice.parallel else "call"
    if tools and choice.mode == "required":
        rules.insert(0, f"root ::= {calls}")
    elif output is None:
        more = f'("\\n" call){{0,{MAX_CALLS - 1}}}' if choice.parallel else ""
        rules = [*_text_rules(f"body {more}".rstrip() if tools else None), *rules]
    else:
        answer = _output_fragment(output)
        rules = [f"root ::= {calls} | answer", *rules, answer.text]
        exact = exact and answer.exact
    return AnswerGrammar("\n".join(rules) + "\n", exact)


def input_schema(tool: CustomTool) -> Mapping[str, object]:
    """The JSON Schema of a custom tool's input."""
    return _ANY_INPUT if tool.pattern is None else {"type": "string", "pattern": f"^(?:{tool.pattern})$"}


def _write_calls(tools: Sequence[Tool], rules: list[str]) -> bool:
    """Add the rules `call` and `body` (a call without its start); True where arguments need no validation."""
    exact = True
    heads: dict[str, str] = {}
    for index, tool in enumerate(tools):
        rule = f"a{index}"
        key, schema = ("input", input_schema(tool)) if isinstance(tool, CustomTool) else ("arguments", tool.parameters)
        arguments = fragment(JsonMatching(schema, tool.field))
        exact = exact and arguments.exact
        heads[f'{tool.name}","{key}":'] = rule
        rules.append(arguments.named(rule))
    rules.append(f"call ::= {_quoted(CALL_START)} body")
    end = _quoted("}" + CALL_END)
    rules.append(f"body ::= {_quoted('{' + _NAME)} {_alternatives(sorted(heads), heads)} {end}")
    return exact


_NAME: Final = '"name":"'


def _alternatives(texts: Sequence[str], rules: Mapping[str, str]) -> str:
    """One of the sorted texts, each followed by its rule. Shared beginnings are written once: fewer ways to follow."""
    if len(texts) == 1:
        return f"{_quoted(texts[0])} {rules[texts[0]]}"
    return _branches(texts, 0, rules)


def _branches(texts: Sequence[str], start: int, rules: Mapping[str, str]) -> str:
    first, last = texts[0], texts[-1]
    shared = next(at for at, (left, right) in enumerate(zip(first, last, strict=False)) if left != right)
    groups: list[list[str]] = []
    for text in texts:
        if not groups or groups[-1][0][shared] != text[shared]:
            groups.append([])
        groups[-1].append(text)
    options = [
        f"{_quoted(group[0][shared:])} {rules[group[0]]}" if len(group) == 1 else _branches(group, shared, rules)
        for group in groups
    ]
    options_text = f"({' | '.join(options)})"
    return f"{_quoted(first[start:shared])} {options_text}" if shared > start else options_text


@lru_cache(maxsize=8)
def _text_rules(call: str | None) -> tuple[str, ...]:
    """Rules for text that may end with `call`, what follows the start of one; with None, text without any."""
    rules = ["root ::= t0", f't0 ::= "" | {_all_but("<")} t0 | "<" t1']
    last = len(CALL_START) - 1
    for matched in range(1, last + 1):
        char = CALL_START[matched]
        options = ['""', f"{_all_but('<' + char)} t0", '"<" t1']
        if matched < last:
            options.append(f'"{char}" t{matched + 1}')
        elif call is not None:
            options.append(f'"{char}" {call}')
        rules.append(f"t{matched} ::= {' | '.join(options)}")
    return tuple(rules)


def _all_but(characters: str) -> str:
    """A GBNF class. A negated one would let halves of surrogate pairs pass, which are no characters."""
    ranges = complement(single(f"\0{characters}"))
    return "[" + "".join(f"\\U{low:08X}-\\U{high:08X}" for low, high in ranges) + "]"


def _output_fragment(output: OutputFormat) -> AnswerGrammar:
    """The rule `answer` and those that it needs."""
    if isinstance(output, JsonMatching):
        values = fragment(output)
        return AnswerGrammar(values.named("answer"), values.exact)
    if isinstance(output, EnumText):
        if any(value.startswith(CALL_START) for value in output.values):
            raise BadRequest(
                f"A value that starts with {CALL_START} can't be told from a call.", reason="invalid_schema"
            )
        return AnswerGrammar(f"answer ::= {' | '.join(map(_quoted, output.values))}", exact=True)
    schema: Mapping[str, object] | bool = {"type": "object"} if output.object_only else True
    return AnswerGrammar(fragment(JsonMatching(schema, "")).named("answer"), exact=True)


def _quoted(text: str) -> str:
    """A GBNF literal."""
    return f'"{"".join(map(_literal, text))}"'


def _literal(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x20 or code == 0x7F else character
