"""What the leaves of one place demand together: of its type, its properties, its items, its characters, its size."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from localaik.generation.schema.demands import Leaf, Node
from localaik.generation.schema.document import as_schema, at
from localaik.generation.schema.formats import INTEGER_FORMATS, STRING_FORMATS
from localaik.generation.schema.numbers import Numbers
from localaik.generation.schema.strings import Strings, matches, pattern_language

__all__ = [
    "count_of",
    "each",
    "inner",
    "item_nodes",
    "numbers_of",
    "path_of",
    "patterns_of",
    "prefix_length",
    "property_names",
    "property_nodes",
    "required_names",
    "strings_of",
    "types_of",
]


def inner(leaf: Leaf, raw: object, *steps: str | int) -> Node:
    """The node of a schema inside a leaf, at `steps` from it."""
    path = leaf.path
    for step in steps:
        path = at(path, step)
    return leaf.source.node(as_schema(raw, path), path)


def types_of(leaves: Iterable[Leaf]) -> set[str] | None:
    """The types that all `type` keywords allow, or None without such a keyword. With `number` goes `integer`."""
    allowed: set[str] | None = None
    for leaf in leaves:
        if "type" in leaf.keywords:
            value = leaf.keywords["type"]
            names = {str(name) for name in value} if isinstance(value, list) else {str(value)}
            if "number" in names:
                names.add("integer")
            allowed = names if allowed is None else allowed & names
    return allowed


def count_of(leaves: Iterable[Leaf], keyword: str) -> int | None:
    """The strictest of the counts that a keyword (`minItems`, ...) gives, or None."""
    counts = [int(value) for _, value in each(leaves, keyword) if isinstance(value, int | float)]
    if not counts:
        return None
    return max(counts) if keyword.startswith("min") else min(counts)


def property_names(leaves: Iterable[Leaf]) -> list[str]:
    """The declared properties, in order, then those that are only required."""
    names: dict[str, None] = {}
    for _, properties in _maps(leaves, "properties"):
        names.update(dict.fromkeys(properties))
    names.update(dict.fromkeys(required_names(leaves)))
    return list(names)


def required_names(leaves: Iterable[Leaf]) -> list[str]:
    """The required properties, each once."""
    names: dict[str, None] = {}
    for _, value in each(leaves, "required"):
        names.update(dict.fromkeys(_strings(value)))
    return list(names)


def property_nodes(leaves: Iterable[Leaf], name: str) -> list[Node]:
    """All schemas that the value of a property must be valid under."""
    nodes: list[Node] = []
    for leaf in leaves:
        known = False
        properties = leaf.keywords.get("properties")
        if isinstance(properties, dict) and name in properties:
            nodes.append(inner(leaf, properties[name], "properties", name))
            known = True
        for pattern, raw in patterns_of(leaf):
            if _matches(leaf, pattern, name):
                nodes.append(inner(leaf, raw, "patternProperties", pattern))
                known = True
        if not known and "additionalProperties" in leaf.keywords:
            nodes.append(inner(leaf, leaf.keywords["additionalProperties"], "additionalProperties"))
    return nodes


def patterns_of(leaf: Leaf) -> list[tuple[str, object]]:
    """The `patternProperties` of a leaf."""
    return [item for _, patterns in _maps([leaf], "patternProperties") for item in patterns.items()]


def prefix_length(leaves: Iterable[Leaf]) -> int:
    """How many first items have a schema of their own."""
    return max((len(value) for _, value in each(leaves, "prefixItems") if isinstance(value, list)), default=0)


def item_nodes(leaves: Iterable[Leaf], index: int) -> list[Node]:
    """All schemas that the item at `index` must be valid under."""
    nodes: list[Node] = []
    for leaf in leaves:
        prefix = leaf.keywords.get("prefixItems")
        if isinstance(prefix, list) and index < len(prefix):
            nodes.append(inner(leaf, prefix[index], "prefixItems", index))
        elif "items" in leaf.keywords:
            nodes.append(inner(leaf, leaf.keywords["items"], "items"))
    return nodes


def strings_of(leaves: Iterable[Leaf]) -> Strings:
    """What the leaves demand of a string."""
    strings = Strings(path_of(leaves, "pattern", "format", "not", "maxLength", "minLength", "type"))
    strings.low = count_of(leaves, "minLength") or 0
    strings.high = count_of(leaves, "maxLength")
    for leaf, pattern in each(leaves, "pattern"):
        strings.patterns.append(pattern_language(str(pattern), at(leaf.path, "pattern")))
    for leaf, negated in _maps(leaves, "not"):
        if "pattern" in negated:
            language = pattern_language(str(negated["pattern"]), at(leaf.path, "pattern"), generous=True)
            strings.excluded_patterns.append(language)
        else:
            strings.excluded += _strings(negated["enum"])
    names = [str(name) for _, name in each(leaves, "format")]
    strings.formats = [name for name in dict.fromkeys(names) if name in STRING_FORMATS]
    return strings


def numbers_of(leaves: Iterable[Leaf], *, integer: bool) -> Numbers:
    """What the leaves demand of a number."""
    bounds = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    numbers = Numbers(path_of(leaves, "multipleOf", *bounds, "type"))
    for keyword in bounds:
        for _, value in each(leaves, keyword):
            bound, is_open = Fraction(repr(value)), keyword.startswith("exclusive")
            if keyword.lower().endswith("minimum"):
                numbers.raise_low(bound, is_open=is_open)
            else:
                numbers.lower_high(bound, is_open=is_open)
    for _, value in each(leaves, "multipleOf"):
        numbers.add_step(Fraction(repr(value)))
    for _, name in each(leaves, "format"):
        if integer and name in INTEGER_FORMATS:
            low, high = INTEGER_FORMATS[str(name)]
            numbers.raise_low(Fraction(low), is_open=False)
            numbers.lower_high(Fraction(high), is_open=False)
    return numbers


def _matches(leaf: Leaf, pattern: str, name: str) -> bool:
    path = at(at(leaf.path, "patternProperties"), pattern)
    return matches(pattern_language(pattern, path), name, path)


def path_of(leaves: Iterable[Leaf], *keywords: str) -> str:
    """The path of the first of the keywords that a leaf has."""
    for keyword in keywords:
        for leaf, _ in each(leaves, keyword):
            return at(leaf.path, keyword)
    return next((leaf.path for leaf in leaves), "")


def each(leaves: Iterable[Leaf], keyword: str) -> Iterator[tuple[Leaf, object]]:
    """The leaves that have a keyword, each with its value."""
    return ((leaf, leaf.keywords[keyword]) for leaf in leaves if keyword in leaf.keywords)


def _maps(leaves: Iterable[Leaf], keyword: str) -> Iterator[tuple[Leaf, dict[str, object]]]:
    return ((leaf, value) for leaf, value in each(leaves, keyword) if isinstance(value, dict))


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
