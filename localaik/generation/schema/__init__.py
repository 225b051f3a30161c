"""From the form that an answer must have to a grammar: JSON Schema, any JSON, or one of some texts.

`compile_grammar` gives the engine's text. `schema_expression` is the seam for larger grammars that hold JSON of some
schema (arguments of tool calls): expressions are joined with `seq`, `choice` and `Text`, and written by `render`.

What is generated is valid under the schema, and not always everything that is: JSON is compact, properties come in
the schema's order, and no undeclared ones beside declared ones. A schema that can't be kept to is refused.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from localaik.errors import BadRequest
from localaik.generation.request import AnyJson, EnumText, JsonMatching, OutputFormat
from localaik.generation.schema.compiler import ANY_OBJECT, ANY_VALUE, Compiler
from localaik.generation.schema.expressions import Expr, words
from localaik.generation.schema.faults import (
    InvalidSchemaError,
    SchemaError,
    UnsupportedKeywordError,
    UnsupportedSchemaError,
)
from localaik.generation.schema.gbnf import GrammarTooLargeError, NothingMatchesError, render, require_text

__all__ = ["compile_grammar", "schema_expression"]

_CACHED: Final = 256
_T = TypeVar("_T")


def compile_grammar(output: OutputFormat) -> str:
    """The GBNF grammar of all answers of the form; every answer of the grammar has the form.

    Raises `BadRequest` with the field of the fault and the reason `invalid_schema` or `unsupported_schema_keyword`.
    """
    if isinstance(output, AnyJson):
        return _any_json(output.object_only)
    if isinstance(output, EnumText):
        return _one_of(output.values)
    return _reported(_grammar, output)


def schema_expression(output: JsonMatching) -> Expr:
    """The values of a schema, as an expression; raises as `compile_grammar`."""
    return _reported(_expression, output)


def _reported(compiled: Callable[[str], _T], output: JsonMatching) -> _T:
    """What is compiled from the schema's text; faults name the field of the request."""
    schema = output.schema if isinstance(output.schema, bool) else dict(output.schema)
    try:
        try:
            text = json.dumps(schema, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError):
            raise InvalidSchemaError("", "The schema is no JSON.") from None
        return compiled(text)
    except SchemaError as error:
        path = f"{output.field}.{error.path}" if error.path else output.field
        raise BadRequest(error.message, field=path, reason=error.reason) from None
    except RecursionError:
        message = "The schema is nested too deep."
        raise BadRequest(message, field=output.field, reason=InvalidSchemaError.reason) from None


@lru_cache(maxsize=_CACHED)
def _grammar(text: str) -> str:
    return _checked(text, render)


@lru_cache(maxsize=_CACHED)
def _expression(text: str) -> Expr:
    return _checked(text, require_text)


def _checked(text: str, use: Callable[[Expr], _T]) -> _T:
    """What `use` makes of the expression of a schema."""
    compiler = Compiler(json.loads(text))
    expr = compiler.compile()
    try:
        return use(expr)
    except NothingMatchesError:
        if compiler.narrowed is not None:
            raise UnsupportedKeywordError(compiler.narrowed, "no value is known that meets it") from None
        raise InvalidSchemaError("", "No JSON value is valid under the schema.") from None
    except GrammarTooLargeError:
        raise UnsupportedSchemaError from None


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
