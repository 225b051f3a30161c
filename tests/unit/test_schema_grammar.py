"""Expressions and their GBNF: what is written is what was meant, within the engine's limits."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.errors import BadRequest
from localaik.generation.request import AnyJson, EnumText, JsonMatching
from localaik.generation.schema import compile_grammar, fragment
from localaik.generation.schema.expressions import (
    EMPTY,
    NOTHING,
    Chars,
    Expr,
    Rule,
    Text,
    choice,
    counted,
    listed,
    optional,
    repeat,
    seq,
    words,
)
from localaik.generation.schema.gbnf import GrammarTooLargeError, NothingMatchesError, render
from tests.gbnf import Grammar

X = Chars(((0x78, 0x78),))


def written(expr: Expr) -> Grammar:
    return Grammar(render(expr))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2500), st.integers(0, 2500) | st.none(), st.booleans())
def test_counts_of_any_size_are_exact(low: int, more: int | None, single: bool) -> None:
    high = None if more is None else low + more
    item = X if single else seq(Text("x"), Text("y"))
    grammar = written(counted(item, low, high))
    text = "x" if single else "xy"
    edges = {0, 1, low - 1, low, low + 1, low + 40}
    edges |= {high - 1, high, high + 1} if high is not None else {low + 3000}
    for count in edges:
        if count >= 0:
            assert grammar.accepts(text * count) is (low <= count and (high is None or count <= high)), count
    assert len(grammar.rules) < 700


@given(st.lists(st.text(max_size=6), min_size=1, max_size=12), st.lists(st.text(max_size=6), max_size=8))
@settings(deadline=None, derandomize=True)
def test_words_are_exactly_these(texts: list[str], others: list[str]) -> None:
    grammar = written(words(texts))
    near = {text[:-1] for text in texts} | {f"{text}a" for text in texts}
    for text in {*texts, *others, *near}:
        assert grammar.accepts(text) is (text in texts)


def test_long_words_that_contain_each_other() -> None:
    texts = ["a" * count for count in range(1, 100)]
    grammar = written(words(texts))
    assert [count for count in (0, 1, 50, 99, 100) if grammar.accepts("a" * count)] == [1, 50, 99]


ATOMS = st.sampled_from([Text("a"), Text("ab"), Text("b"), Chars(((0x61, 0x62),)), EMPTY, Text("ba")])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda parts: seq(*parts), st.lists(inner, max_size=3)),
        st.builds(choice, st.lists(inner, max_size=4)),
        st.builds(lambda item, low, more: repeat(item, low, low + more), inner, st.integers(0, 2), st.integers(0, 2)),
        st.builds(lambda body: Rule("inner", body), inner),
    ),
    max_leaves=12,
)


def texts_of(expr: Expr) -> set[str]:
    """All texts of a finite expression."""
    if isinstance(expr, Rule):
        return texts_of(expr.body)
    if isinstance(expr, Text):
        return {expr.value}
    if isinstance(expr, Chars):
        return {chr(code) for low, high in expr.ranges for code in range(low, high + 1)}
    options = getattr(expr, "options", None)
    if options is not None:
        return set().union(*map(texts_of, options))
    items = getattr(expr, "items", None)
    if items is None:
        low, high = expr.low, expr.high
        return set().union(*(_joined([texts_of(expr.item)] * count) for count in range(low, high + 1)))
    return _joined([texts_of(item) for item in items])


def _joined(parts: list[set[str]]) -> set[str]:
    found = {""}
    for part in parts:
        found = {text + more for text in found for more in part}
    return found


@settings(max_examples=80, deadline=None, derandomize=True)
@given(EXPRESSIONS)
def test_what_is_written_is_what_was_meant(expr: Expr) -> None:
    meant = texts_of(expr)
    if not meant:
        with pytest.raises(NothingMatchesError):
            render(expr)
        return
    grammar = written(expr)
    chooser = random.Random(1)
    others = {"".join(chooser.choice("ab") for _ in range(chooser.randint(0, 7))) for _ in range(40)}
    for text in {*list(meant)[:40], *others}:
        assert grammar.accepts(text) is (text in meant), text


def test_rules_that_never_end_are_taken_out() -> None:
    endless = Rule("endless")
    endless.body = seq(Text("x"), endless)
    assert written(choice([Text("a"), endless])).accepts("a")
    assert "Endless" not in render(choice([Text("a"), seq(Text("b"), optional(endless))]))
    with pytest.raises(NothingMatchesError):
        render(seq(Text("a"), endless))
    with pytest.raises(NothingMatchesError):
        render(NOTHING)


def test_rules_keep_their_names() -> None:
    left, right = Rule("item", seq(Text("a"), X, Text("b" * 60))), Rule("item", seq(Text("a"), X, Text("b" * 60)))
    grammar = render(seq(left, right, left, Text("end")))
    assert grammar.startswith("root ::= rootItem rootItem-2 rootItem ")
    assert grammar.count("rootItem ::=") == 1


def test_expressions_can_be_written_more_than_once() -> None:
    rule = Rule("item", choice([Text("a"), NOTHING, seq(Text("b"), NOTHING)]))
    expr = seq(rule, optional(seq(Text(","), rule)))
    assert render(expr) == render(expr)
    assert rule.body == Text("a")


def test_texts_and_classes_are_quoted() -> None:
    text = 'a"b\\c\nd\te\x01\x7f[]-^é中\U0001f600'
    assert written(Text(text)).accepts(text)
    grammar = written(Chars(((0x09, 0x0A), (0x22, 0x22), (0x2D, 0x2D), (0x5B, 0x5E), (0xE9, 0xE9), (0x1F600, 0x1F601))))
    for character in '\t\n"-[\\]^é\U0001f600':
        assert grammar.accepts(character)
    for character in "a_\r\U0001f602":
        assert not grammar.accepts(character)


def test_grammars_that_the_engine_would_choke_on_are_refused() -> None:
    with pytest.raises(GrammarTooLargeError):
        render(seq(*(Rule("item", seq(X, Text(str(index)))) for index in range(30_000))))
    body: Expr = Rule("leaf", Text("x" * 80))
    for _ in range(20):
        body = Rule("both", choice([seq(body, Text("a")), seq(Rule("other", seq(body, Text("c"))), Text("b"))]))
    with pytest.raises(GrammarTooLargeError):
        render(body)


def test_lists_have_commas_between_items() -> None:
    grammar = written(seq(Text("["), listed(X, 0, 3), Text("]")))
    assert [
        text for text in ("[]", "[x]", "[x,x]", "[x,x,x]", "[x,x,x,x]", "[,]", "[x,]") if grammar.accepts(text)
    ] == [
        "[]",
        "[x]",
        "[x,x]",
        "[x,x,x]",
    ]


def test_schemas_are_parts_of_larger_grammars() -> None:
    city = fragment(JsonMatching({"type": "object", "properties": {"city": {"enum": ["Rome"]}}}, "a"))
    clock = fragment(JsonMatching({"type": "object", "additionalProperties": False}, "b"))
    code = fragment(JsonMatching({"type": "string", "pattern": "^[A-Z]{2}$"}, "c"))
    rules = [city.named("a"), clock.named("a-item"), code.named("a1")]
    grammar = Grammar("\n".join(['root ::= "x" a | "y" a-item | "z" a1', *rules]))
    assert [text for text in ('x{"city":"Rome"}', "x{}", "y{}", 'z"AB"') if not grammar.accepts(text)] == []
    assert [text for text in ('y{"city":"Rome"}', 'x"AB"', 'z"A"', "z{}") if grammar.accepts(text)] == []
    assert city.exact
    assert clock.exact
    assert code.exact


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.com/s.json"}, False])
def test_fragments_are_refused_as_grammars_are(schema: dict[str, object] | bool) -> None:
    with pytest.raises(BadRequest) as of_fragment:
        fragment(JsonMatching(schema, "tools[0].parameters"))
    with pytest.raises(BadRequest) as of_grammar:
        compile_grammar(JsonMatching(schema, "tools[0].parameters"))
    assert (of_fragment.value.field or "").startswith("tools[0].parameters")
    assert str(of_fragment.value) == str(of_grammar.value)


def test_a_grammar_is_compiled_once_whatever_becomes_of_the_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    first = fragment(JsonMatching(schema, "x"))
    assert fragment(JsonMatching(json.loads(json.dumps(schema)), "y")) is first
    schema["properties"] = {"a": {"const": 2}}
    assert Grammar(compile_grammar(JsonMatching(schema, "x")).text).accepts('{"a":2}')


def test_the_order_of_properties_makes_another_grammar() -> None:
    def of(names: str) -> str:
        properties = {name: {"const": 1} for name in names}
        return compile_grammar(
            JsonMatching({"type": "object", "properties": properties, "required": list("ab")}, "x")
        ).text

    assert Grammar(of("ab")).accepts('{"a":1,"b":1}')
    assert Grammar(of("ba")).accepts('{"b":1,"a":1}')


def test_any_json_and_bare_texts() -> None:
    value = Grammar(compile_grammar(AnyJson()).text)
    assert value.accepts('[{"a":[]},1.5e-3,null,true,"x"]')
    assert not Grammar(compile_grammar(AnyJson(object_only=True)).text).accepts("[]")
    texts = Grammar(compile_grammar(EnumText(("a", "ab", "", 'q"\n'))).text)
    assert [text for text in ("a", "ab", "", 'q"\n', "b", '"a"') if texts.accepts(text)] == ["a", "ab", "", 'q"\n']
