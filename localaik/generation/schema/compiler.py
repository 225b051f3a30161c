"""JSON Schema to expressions, one rule for each set of demands that occurs."""

from collections.abc import Iterable
from typing import Final

from localaik.generation.schema.arrays import compile_array
from localaik.generation.schema.children import numbers_of, property_names, strings_of, types_of
from localaik.generation.schema.demands import Demands, Leaf, Node, Option, Union, merged
from localaik.generation.schema.document import Document, at
from localaik.generation.schema.expressions import NOTHING, Expr, Rule, Text, choice, listed, seq, words
from localaik.generation.schema.faults import InvalidSchemaError, UnsupportedKeywordError, UnsupportedSchemaError
from localaik.generation.schema.gbnf import GrammarTooLargeError, NothingMatchesError, render
from localaik.generation.schema.jsontext import STRING, literal
from localaik.generation.schema.keywords import TYPED
from localaik.generation.schema.numbers import NUMBER, compile_integer, compile_number
from localaik.generation.schema.objects import compile_object
from localaik.generation.schema.proofs import cannot_hold
from localaik.generation.schema.reading import Schemas
from localaik.generation.schema.strings import StringRules
from localaik.generation.schema.values import listed_values

__all__ = ["ANY_OBJECT", "ANY_VALUE", "Compiler", "compiled_rules"]

_MAX_DEMANDS: Final = 4000

ANY_VALUE: Final = Rule("value")
_PAIR: Final = Rule("pair", seq(STRING, Text(":"), ANY_VALUE))
ANY_OBJECT: Final = Rule("object", seq(Text("{"), listed(_PAIR, 0, None), Text("}")))
_ANY_ARRAY: Final = Rule("array", seq(Text("["), listed(ANY_VALUE, 0, None), Text("]")))
_CONSTANTS: Final = choice([Text("true"), Text("false"), Text("null")])
ANY_VALUE.body = choice([ANY_OBJECT, _ANY_ARRAY, STRING, NUMBER, _CONSTANTS])


def compiled_rules(schema: object, name: str) -> str:
    """The rules of a schema's values, the first one named `name`. Raises `SchemaError`."""
    compiler = Compiler(schema)
    expr = compiler.compile()
    try:
        return render(expr, name).rstrip("\n")
    except NothingMatchesError:
        if compiler.narrowed is not None:
            raise UnsupportedKeywordError(compiler.narrowed, "no value is known that meets it") from None
        raise InvalidSchemaError("", "No JSON value is valid under the schema.") from None
    except GrammarTooLargeError:
        raise UnsupportedSchemaError from None


class Compiler:
    """Compiles one document. Raises `InvalidSchemaError` and `UnsupportedKeywordError`."""

    def __init__(self, root: object) -> None:
        self._document = Document(root)
        self._schemas = Schemas(self._document)
        self._rules: dict[frozenset[Leaf | Union], Rule] = {}
        self._waiting: list[tuple[Rule, Demands]] = []
        self.strings = StringRules()
        self.narrowed: str | None = None
        """The path of the first keyword of which not all ways to meet it were compiled."""

    def compile(self) -> Expr:
        """The expression of the document's values, as compact JSON."""
        root = self.expression([self._schemas.node(self._document.root, "")])
        while self._waiting:
            rule, demands = self._waiting.pop()
            rule.body = self._body(demands)
        return root

    def expression(self, nodes: Iterable[Node]) -> Expr:
        """The values that are valid under all the nodes."""
        return self._rule(merged(nodes))

    def narrow(self, path: str) -> None:
        """Notes that not all ways to meet the keyword at `path` are compiled: that none is found proves nothing."""
        if self.narrowed is None:
            self.narrowed = path

    def _rule(self, demands: Demands) -> Expr:
        """The rule of some demands, whose body may still have to be compiled."""
        if demands.is_impossible:
            return NOTHING
        key: frozenset[Leaf | Union] = frozenset((*demands.leaves, *demands.unions))
        if not key:
            return ANY_VALUE
        if key not in self._rules:
            if len(self._rules) >= _MAX_DEMANDS:
                path = next((union.path for union in demands.unions), next(leaf.path for leaf in demands.leaves))
                raise UnsupportedKeywordError(path, "the schema has too many combinations")
            self._rules[key] = Rule("value")
            self._waiting.append((self._rules[key], demands))
        return self._rules[key]

    def _body(self, demands: Demands) -> Expr:
        values = listed_values(demands)
        if values is not None:
            return words([_literal(value, demands) for value in values])
        if demands.unions:
            # What `not` excludes is mostly decided by the choices of the other unions.
            union = min(demands.unions, key=lambda union: union.excluded is not None)
            return self._union(demands, union)
        leaves = tuple(demands.leaves)
        types = types_of(leaves)
        if types is None:
            typed = [(leaf, keyword) for leaf in leaves for keyword in leaf.keywords if keyword in TYPED]
            if not typed:  # a format speaks of no type
                return ANY_VALUE
            types = {TYPED[keyword] for _, keyword in typed}
            self.narrow(at(typed[0][0].path, typed[0][1]))
        return choice(self._types(leaves, types))

    def _types(self, leaves: tuple[Leaf, ...], types: set[str]) -> list[Expr]:
        """The values of each type."""
        options: list[Expr] = []
        if "object" in types:
            options.append(Rule("object", compile_object(leaves, self)))
        if "array" in types:
            options.append(Rule("array", compile_array(leaves, self)))
        if "string" in types:
            options.append(self.strings.compile(strings_of(leaves)))
        if "number" in types:
            options.append(compile_number(numbers_of(leaves, integer=False)))
        elif "integer" in types:
            options.append(compile_integer(numbers_of(leaves, integer=True)))
        if "boolean" in types:
            options.append(choice([Text("true"), Text("false")]))
        if "null" in types:
            options.append(Text("null"))
        return options

    def _union(self, demands: Demands, union: Union) -> Expr:
        """The values that meet one of the options, and all other demands."""
        if not union.options.is_complete:
            self.narrow(union.path)
        if union.excluded is not None and any(_is_met(demands, option) for option in union.options.ways):
            return self._rule(demands.choosing(union, None))
        options: list[Expr] = []
        declared = set(property_names(demands.leaves))
        for option in union.options.ways:
            if option.declared is not None and option.declared not in declared:
                self.narrow(union.path)
                continue
            decided = demands.choosing(union, option)
            if not cannot_hold(decided):
                options.append(self._rule(decided))
        return choice(options)


def _is_met(demands: Demands, option: Option) -> bool:
    """The option only asks for types, and the leaves allow no others."""
    types = types_of(demands.leaves)
    return types is not None and all(
        not node.demands.unions
        and not node.demands.is_impossible
        and all(
            leaf.keywords.keys() == {"type"} and types <= (types_of([leaf]) or set()) for leaf in node.demands.leaves
        )
        for node in option.nodes
    )


def _literal(value: object, demands: Demands) -> str:
    try:
        return literal(value)
    except ValueError:
        path = next((leaf.path for leaf in demands.leaves), "")
        raise InvalidSchemaError(path, "A listed value has a number or a character that JSON can't write.") from None
