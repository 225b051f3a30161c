"""From the form that an answer must have to a grammar: JSON Schema, any JSON, or one of some texts.

`compile_grammar` gives the engine's text. `fragment` gives rules for larger grammars that hold JSON of some schema
(arguments of tool calls); several of them stand in one grammar.

What is generated is valid under the schema, and not always everything that is: JSON is compact, properties come in
the schema's order, and no undeclared ones beside declared ones. A keyword that can't be kept to is left out; the
grammar is not exact then, and only validation can tell whether an answer is valid.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from localaik.errors import BadRequest
from localaik.generation.request import AnyJson, EnumText, JsonMatching, OutputFormat
from localaik.generation.schema.compiler import ANY_OBJECT, ANY_VALUE, compiled_rules
from localaik.generation.schema.expressions import words
from localaik.generation.schema.faults import (
    InvalidSchemaError,
    SchemaError,
    UnsupportedSchemaError,
)
from localaik.generation.schema.gbnf import GrammarTooLargeError, render
from localaik.generation.schema.plain import plain_rules
from localaik.generation.schema.relaxing import JsonSchema, relaxed

__all__ = ["CompiledGrammar", "Fragment", "compile_grammar", "fragment"]

_CACHED: Final = 256
_CACHED_SCHEMAS: Final = 1024
_MAX_RELAXED: Final = 16
# Stands for the name of a fragment in its rules. No rule has this character: literals escape it.
_NAME: Final = "\0"
_encoded: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A GBNF grammar, whose root is the rule `root`."""

    text: str
    exact: bool
    """Every answer of the grammar has the form. Otherwise a schema had keywords that no grammar can hold."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The rules of a schema's values, for any grammar."""

    template: str
    exact: bool
    """As in `CompiledGrammar`."""

    def named(self, prefix: str) -> str:
        """GBNF rules, one per line; the values' rule is `prefix`, of the form `[a-z][a-z0-9-]*`.

        The others have capitals behind it, so the rules of different prefixes never meet.
        """
        return self.template.replace(_NAME, prefix)


def compile_grammar(output: OutputFormat) -> CompiledGrammar:
    """The GBNF grammar of all answers of the form.

    Raises `BadRequest` with the field of the fault and the reason `invalid_schema` or `unsupported_schema_keyword`.
    """
    if isinstance(output, AnyJson):
        return CompiledGrammar(_any_json(output.object_only), exact=True)
    if isinstance(output, EnumText):
        return CompiledGrammar(_one_of(output.values), exact=True)
    values = fragment(output)
    return CompiledGrammar(values.named("root") + "\n", values.exact)


def fragment(output: JsonMatching) -> Fragment:
    """The values of a schema, as rules; raises as `compile_grammar`."""
    schema = output.schema if isinstance(output.schema, bool) else dict(output.schema)
    try:
        try:
            text = _encoded(schema)
        except (TypeError, ValueError):
            raise InvalidSchemaError("", "The schema is no JSON.") from None
        return _fragment(text)
    except SchemaError as error:
        path = f"{output.field}.{error.path}" if error.path else output.field
        raise BadRequest(error.message, field=path, reason=error.reason) from None
    except RecursionError:
        message = "The schema is nested too deep."
        raise BadRequest(message, field=output.field, reason=InvalidSchemaError.reason) from None


@lru_cache(maxsize=_CACHED_SCHEMAS)
def _fragment(text: str) -> Fragment:
    schema: JsonSchema = json.loads(text)
    plain = plain_rules(schema, _NAME)
    if plain is not None:
        return Fragment(plain, exact=True)
    first: UnsupportedSchemaError | None = None
    for _ in range(_MAX_RELAXED + 1):
        try:
            return Fragment(compiled_rules(schema, _NAME), exact=first is None)
        except UnsupportedSchemaError as error:
            first = first or error
            wider = relaxed(schema, error.path)
        if wider is None:
            break
        schema = wider
    raise first or UnsupportedSchemaError


@lru_cache(maxsize=2)
def _any_json(object_only: bool) -> str:
    return render(ANY_OBJECT if object_only else ANY_VALUE)


@lru_cache(maxsize=_CACHED)
def _one_of(values: tuple[str, ...]) -> str:
    if not values or any(_is_unwritable(value) for value in values):
        message = "The values to choose from are missing, or one of them is no Unicode text."
        raise BadRequest(message, reason=InvalidSchemaError.reason)
    try:
        return render(words(values))
    except GrammarTooLargeError:
        raise BadRequest("There are too many values to choose from.", reason=UnsupportedSchemaError.reason) from None


def _is_unwritable(value: str) -> bool:
    return "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
