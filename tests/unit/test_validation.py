"""What a finished answer is checked with."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from localaik.generation.schema.formats import STRING_FORMATS
from localaik.generation.stringformats import has_format
from localaik.generation.validation import fault_of_json, json_of
from tests.schemas import SCHEMAS

ITEM = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 3}, "t": {"type": "array", "items": {"type": "string"}}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"n":3}', None),
        (' {"n":3.0, "t":[]} ', None),
        ('{"n":1e400}', None),
        ('{"n":' + "9" * 5000 + "}", None),
        ('{"n":2}', "$.n must be at least 3."),
        ('{"n":3.5}', '$.n must be of the type "integer".'),
        ('{"n":true}', '$.n must be of the type "integer".'),
        ('{"n":3,"t":["a",1]}', '$.t[1] must be of the type "string".'),
        ("{}", '$ lacks "n".'),
        ('{"n":3,"z z":1}', "'z z'"),
        ('{"n":3} {}', "at character 8"),
        ('{"n":2,"n":4}', None),
        ('{"n":4,"n":2}', "$.n must be at least 3."),
        ('{"n":NaN}', "no JSON"),
        ('{"n":-Infinity}', "no JSON"),
        ("", "no JSON"),
        ("[" * 100_000, "too deep"),
        ('{"n":1e9999999999999999999999}', "not finite or too long"),
    ],
)
def test_what_is_wrong_is_told(text: str, fault: str | None) -> None:
    told = fault_of_json(text, ITEM)
    assert (told is None) if fault is None else (told is not None and fault in told), told


def test_a_fault_is_short_whatever_the_value_is() -> None:
    schema: dict[str, Any] = {"properties": {"k" * 500: {"enum": ["v" * 500]}}, "additionalProperties": False}
    for text in (json.dumps({"k" * 500: "w" * 500}), json.dumps({"x" * 900: 1}), "[" + "1," * 9):
        told = fault_of_json(text, schema)
        assert told is not None
        assert len(told) <= 200


@pytest.mark.parametrize(
    ("schema", "valid", "invalid"),
    [
        ({"multipleOf": 0.1}, "0.3", "0.35"),
        ({"multipleOf": 2}, "1e400", "3"),
        ({"multipleOf": 7}, "7" * 5000, "1e400"),
        ({"const": 1}, "1.0", "true"),
        ({"type": "integer", "format": "int32"}, "2147483647", "2147483648"),
        ({"pattern": "^a$"}, '"a"', '"a\\n"'),
        ({"pattern": "^\\d\\w$"}, '"1a"', '"\u0661a"'),
        ({"pattern": "^.$"}, '"\\u0085"', '"\\u2028"'),
        ({"pattern": "^[\\s$.]$"}, '"\\ufeff"', '"\\u001c"'),
        ({"pattern": "^\\u{1F600}$"}, '"\U0001f600"', '"u"'),
        ({"pattern": "^\\ud83d\\ude00[[]$"}, '"\U0001f600["', '"u"'),
        ({"pattern": "^(?<x>a|b)\\k<x>$"}, '"aa"', '"ab"'),
        ({"pattern": "(?i)^a$"}, '"A"', '"b"'),
        ({"pattern": "^(a+)+$"}, '"aaa"', f'"{"a" * 60}!"'),
        (
            {"patternProperties": {"^\\d$": {"type": "null"}}, "additionalProperties": False},
            '{"1":null}',
            '{"1\\n":null}',
        ),
        ({"$defs": {"k": {"type": "null"}}, "$ref": "#/$defs/k"}, "null", "1"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 3}, "4", "3"),
        ({"anyOf": [{"type": "null"}, {"items": {"minimum": 3}, "type": "array"}]}, "[3]", "[2]"),
    ],
)
def test_schemas_mean_what_they_say(schema: Any, valid: str, invalid: str) -> None:
    assert fault_of_json(valid, schema) is None
    assert fault_of_json(invalid, schema) is not None


@pytest.mark.parametrize("pattern", ["\\p{L}", "(", "a{99999999999999999999}"])
def test_a_pattern_that_can_not_be_run_is_no_fault_of_the_answer(pattern: str) -> None:
    assert fault_of_json('"-"', {"pattern": pattern}) is None
    assert fault_of_json('{"a":1}', {"patternProperties": {pattern: False}, "additionalProperties": False}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/x"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"type": "text"},
        {"minimum": "a"},
        {"properties": 7},
    ],
)
def test_a_broken_schema_raises_nothing_and_fetches_nothing(schema: Any) -> None:
    assert fault_of_json('{"a":1}' if "properties" in schema else "1", schema) is not None


def test_booleans_are_schemas() -> None:
    assert fault_of_json("[1]", True) is None
    assert fault_of_json("[1]", False) == "$ is not allowed."


@pytest.mark.parametrize("name", STRING_FORMATS)
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_grammars_write_has_its_format(name: str, data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(STRING_FORMATS[name]))
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    assert has_format(text, name), text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("date", "2023-02-29"),
        ("time", "12:00:00"),
        ("time", "24:00:00Z"),
        ("date-time", "2023-01-01 12:00:00"),
        ("duration", "P"),
        ("duration", "P1DT"),
        ("email", "a b@c"),
        ("email", "a@"),
        ("hostname", "-a.b"),
        ("hostname", "a" * 64),
        ("ipv4", "1.2.3.256"),
        ("ipv6", "fe80::1%eth0"),
        ("uri", "/a"),
        ("uri", "http://a b"),
        ("uri", "http://a/%zz"),
        ("uri", "http://ü"),
        ("uri-reference", "1:a"),
        ("uuid", "0" * 32),
        ("json-pointer", "a"),
        ("json-pointer", "/~2"),
        ("relative-json-pointer", "01"),
    ],
)
def test_formats_are_asserted(name: str, text: str) -> None:
    assert not has_format(text, name)
    assert fault_of_json(json.dumps(text), {"format": name}) == f'$ must have the format "{name}".'
    assert fault_of_json("[1]", {"format": name}) is None


def test_addresses_of_other_scripts_have_formats_of_their_own() -> None:
    assert has_format("http://ü/ä?ö#é", "iri")
    assert has_format("ä@bü.de", "idn-email")
    assert has_format("0.0.0.0", "ipv4")
    assert has_format("anything", "unknown")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-12, 12) | st.sampled_from([0.5, 2.0]) | st.text('ab"é1\n', max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "ü"]), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.lists(VALUES, min_size=5, max_size=5), st.integers(0, 40))
def test_it_agrees_with_the_library(schema: dict[str, Any], values: list[Any], at: int) -> None:
    # The library takes `$` also before a last line feed, and knows few formats.
    plain = json.loads(json.dumps(schema).replace("$", "\\\\Z").replace('"format"', '"x-format"'))
    known = json.loads(json.dumps(schema).replace('"format"', '"x-format"'))
    validator = Draft202012Validator(plain)
    for value in values:
        text = json.dumps(value)
        assert (fault_of_json(text, known) is None) is validator.is_valid(value)
        broken = text[:at] + "]" + text[at:]
        try:
            json.loads(broken)
        except ValueError:
            assert fault_of_json(broken, known) is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":1}', '{"a":1}'),
        (" 7 \n", "7"),
        ('"hi"', '"hi"'),
        ('```json\n{"a":1}\n```', '{"a":1}'),
        ("So:\n```\n[1]\n```\nbye {}", "[1]"),
        ("```\nno\n``` then ```json\n[2]```", "[2]"),
        ('```json\n{"a":"```"}\n```', '{"a":"```"}'),
        ('Sure! {"a":"}\\"{"} ok', '{"a":"}\\"{"}'),
        ("see {x} and [1] or [2]", "[1]"),
        ("[1, {", None),
        ("[1, (", None),
        ('a { b: {"c":1}', '{"c":1}'),
        ("no JSON", None),
        ("", None),
        ("NaN", None),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
        ("[" * 100_000, None),
        ("[" * 100_000 + "]" * 100_000, None),
    ],
)
def test_the_json_in_a_text(text: str, found: str | None) -> None:
    assert json_of(text) == found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(VALUES, max_size=3) | st.dictionaries(st.text('a{}[]"\\`', max_size=3), VALUES, max_size=3), st.booleans()
)
def test_json_is_found_in_prose(value: Any, fenced: bool) -> None:
    text = json.dumps(value, indent=1)
    assert json_of(f"Here it's:\n```json\n{text}\n```\nDone." if fenced else f"It's {text}, done.") == text


def test_the_library_is_loaded_only_where_it_is_needed() -> None:
    code = "import sys, localaik.generation.validation; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
