"""Random schemas, tool sets and requests, made by hypothesis: the same ones in every run with the same count."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

__all__ = ["Case", "Tool", "cases"]

JsonSchema = dict[str, Any]

_NAMES = st.sampled_from(
    ["name", "age", "city", "kind", "items", "note", "is_open", "maxPrice", "id", "größe", "two words", 'q"uote']
)
_TOOL_NAMES = st.sampled_from(["get_weather", "get_time", "search", "search_2", "sendMail", "a", "book-table", "add"])
_WORDS = st.sampled_from(["red", "green", "blue", "", "two words", 'say "hi"', "naïve", "中文", "a\\b", "<tool_call>"])
_FORMATS = st.sampled_from(["date", "time", "date-time", "uuid", "ipv4", "email", "duration"])


@st.composite
def _strings(draw: st.DrawFn) -> JsonSchema:
    form = draw(st.sampled_from(["short", "length", "pattern", "format", "free"]))
    if form == "short":
        return {"type": "string", "maxLength": draw(st.integers(1, 12))}
    if form == "length":
        low = draw(st.integers(0, 4))
        return {"type": "string", "minLength": low, "maxLength": low + draw(st.integers(0, 8))}
    if form == "pattern":
        patterns = ["^[a-z]{2,5}$", "^[A-Z]{2}-\\d{3}$", "^(yes|no)$", "^\\w+@x\\.de$", "^[^<>]{1,8}$", "^a?b*c{0,3}$"]
        return {"type": "string", "pattern": draw(st.sampled_from(patterns)), "maxLength": 20}
    if form == "format":
        return {"type": "string", "format": draw(_FORMATS)}
    return {"type": "string"}


@st.composite
def _numbers(draw: st.DrawFn) -> JsonSchema:
    schema: JsonSchema = {"type": draw(st.sampled_from(["integer", "number"]))}
    low = draw(st.integers(-1000, 1000))
    form = draw(st.sampled_from(["free", "range", "low", "multiple", "exclusive"]))
    if form == "range":
        schema |= {"minimum": low, "maximum": low + draw(st.integers(0, 500))}
    elif form == "low":
        schema["minimum"] = low
    elif form == "multiple":
        schema |= {"multipleOf": draw(st.sampled_from([2, 5, 10])), "minimum": 0, "maximum": 1000}
    elif form == "exclusive":
        schema |= {"exclusiveMinimum": low, "exclusiveMaximum": low + draw(st.integers(2, 90))}
    return schema


_SCALARS: st.SearchStrategy[JsonSchema] = st.one_of(
    _strings(),
    _numbers(),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.lists(_WORDS, min_size=1, max_size=5, unique=True).map(lambda words: {"type": "string", "enum": words}),
    st.one_of(_WORDS, st.integers(-5, 5), st.booleans(), st.none()).map(lambda value: {"const": value}),
)


def _compound(inner: st.SearchStrategy[JsonSchema]) -> st.SearchStrategy[JsonSchema]:
    return st.one_of(_objects(inner), _arrays(inner), _unions(inner))


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[JsonSchema]) -> JsonSchema:
    properties = draw(st.dictionaries(_NAMES, inner, min_size=0, max_size=4))
    schema: JsonSchema = {"type": "object", "properties": properties}
    required = draw(st.sampled_from(["all", "some", "none"]))
    if required != "none":
        schema["required"] = [name for name in properties if required == "all" or draw(st.booleans())]
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    return schema


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[JsonSchema]) -> JsonSchema:
    low = draw(st.integers(0, 2))
    schema: JsonSchema = {
        "type": "array",
        "items": draw(inner),
        "minItems": low,
        "maxItems": low + draw(st.integers(0, 2)),
    }
    if draw(st.integers(0, 5)) == 0:
        schema |= {"items": {"enum": [1, 2, "b", True]}, "uniqueItems": True}
    return schema


@st.composite
def _unions(draw: st.DrawFn, inner: st.SearchStrategy[JsonSchema]) -> JsonSchema:
    options = draw(st.lists(inner, min_size=1, max_size=3))
    return {"anyOf": [*options, {"type": "null"}] if draw(st.booleans()) else options}


_PLAIN: st.SearchStrategy[JsonSchema] = st.recursive(_SCALARS, _compound, max_leaves=6)

_TREE: JsonSchema = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "label": {"enum": ["x", "y"]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 1},
            },
            "required": ["label", "children"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}


@st.composite
def _with_references(draw: st.DrawFn) -> JsonSchema:
    shared = draw(_PLAIN)
    names = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    return {
        "$defs": {"Shared": shared},
        "type": "object",
        "properties": {name: {"$ref": "#/$defs/Shared"} for name in names},
        "required": names,
        "additionalProperties": False,
    }


_HARD: st.SearchStrategy[JsonSchema] = st.sampled_from(
    [
        _TREE,
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
                {"maxProperties": 1},
            ]
        },
        {"oneOf": [{"type": "integer", "minimum": 3, "maximum": 9}, {"const": "none"}]},
        {"type": "array", "prefixItems": [{"type": "boolean"}, {"const": "é"}], "items": False, "minItems": 2},
        {"type": "string", "pattern": "^(?!ab)[abc]{2,4}$"},
        {"type": "object", "patternProperties": {"^x_": {"type": "boolean"}}, "additionalProperties": False},
        {"type": ["string", "null"], "maxLength": 5},
        {"not": {"type": ["object", "array", "string", "number"]}},
        {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "dependentRequired": {"a": ["b"]}},
        {"if": {"const": 1}, "then": {"type": "integer"}, "else": {"enum": ["a", "b"]}},
    ]
)

_ANSWERS: st.SearchStrategy[JsonSchema] = st.one_of(
    _objects(_PLAIN), _objects(_PLAIN), _PLAIN, _with_references(), _HARD
)
_ARGUMENTS: st.SearchStrategy[JsonSchema] = st.one_of(
    _objects(_PLAIN), _with_references(), st.just({"type": "object", "properties": {}})
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared function."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One request: an answer under `schema`, or a forced call of one of `tools`."""

    protocol: Literal["gemini", "openai"]
    prompt: str
    stream: bool
    temperature: float
    seed: int
    schema: JsonSchema | None = None
    tools: tuple[Tool, ...] = ()
    named: str | None = None
    """The tool that must be called; None is any of them."""
    parallel: bool = True


_PROMPTS = st.sampled_from(
    [
        "Give me an example.",
        "What is the weather in Paris?",
        "Alice is 30 years old and lives in Rome.",
        "Say <tool_call> and nothing else.",
        "Hello",
    ]
)
_TEMPERATURES = st.sampled_from([0.0, 0.3, 0.7, 1.0, 1.5])


@st.composite
def _answer_cases(draw: st.DrawFn) -> Case:
    return Case(**_request(draw), schema=draw(_ANSWERS))


@st.composite
def _call_cases(draw: st.DrawFn) -> Case:
    names = draw(st.lists(_TOOL_NAMES, min_size=1, max_size=4, unique=True))
    tools = tuple(Tool(name, draw(_ARGUMENTS)) for name in names)
    named = draw(st.one_of(st.none(), st.sampled_from(names)))
    return Case(**_request(draw), tools=tools, named=named, parallel=draw(st.booleans()))


def _request(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "protocol": draw(st.sampled_from(["gemini", "openai"])),
        "prompt": draw(_PROMPTS),
        "stream": draw(st.booleans()),
        "temperature": draw(_TEMPERATURES),
        "seed": draw(st.integers(0, 1000)),
    }


def cases(kind: Literal["answers", "calls"], count: int) -> list[Case]:
    """`count` requests, the same ones whenever `count` is the same."""
    made: list[Case] = []

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_answer_cases() if kind == "answers" else _call_cases())
    def collect(case: Case) -> None:
        made.append(case)

    collect()
    return made
