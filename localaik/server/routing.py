"""From a method and a path to a handler, or to the owner of the refusal. Pure: no I/O, no aiohttp.

Paths are matched in their raw form, so that an encoded slash in a model's name stays part of it; variable parts are
percent-decoded once. Repeated leading slashes and one trailing slash do not count.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import unquote

__all__ = ["Match", "Routed", "Router", "Unrouted", "owner_of_shared", "owner_of_unknown"]

R = TypeVar("R", bound="Routed")

_CACHED_PATHS: Final = 512
_VARIABLE: Final = re.compile(r"\{(\w+)(:rest)?\}")
_ENCODED_COLON: Final = re.compile("%3a", re.IGNORECASE)
_GEMINI_ACTION: Final = re.compile(r":[A-Za-z]+$")
_GEMINI_HEADERS: Final = ("x-goog-api-key", "x-goog-api-client")
_ANTHROPIC_HEADERS: Final = ("anthropic-version", "x-api-key")


class Routed(Protocol):
    """What the router needs of a route."""

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        ...

    @property
    def path(self) -> str:
        """The template: literal text, `{name}` for one segment, `{name:rest}` for anything."""
        ...


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """A route that serves the request, its protocol's name, and the variable parts of the path."""

    protocol: str
    route: R
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class Unrouted:
    """No route: `allowed` are the methods that the path does serve (empty: the path is unknown)."""

    protocol: str
    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[R]):
    protocol: str
    route: R
    pattern: re.Pattern[str]
    is_on: bool


class Router(Generic[R]):
    """All routes of all protocols."""

    def __init__(self, routes: Iterable[tuple[str, R]], is_on: Callable[[R], bool] = lambda _: True) -> None:
        """`routes` are pairs of a protocol's name and a route; where two match one path, `owner_of_shared` decides.

        A route that is not on serves nothing, but its path keeps its owner.
        """
        self._static: dict[str, list[_Entry[R]]] = {}
        self._dynamic: list[_Entry[R]] = []
        for protocol, route in routes:
            entry = _Entry(protocol, route, _compile(route.path), is_on(route))
            if "{" in route.path:
                self._dynamic.append(entry)
            else:
                self._static.setdefault(route.path, []).append(entry)
        # Paths of one protocol need no look at the headers: nearly every request.
        self._direct = {
            (entry.route.method, path): entry
            for path, entries in self._static.items()
            if len({each.protocol for each in entries}) == 1
            for entry in entries
            if entry.is_on
        }
        # The more literal text a template has, the more exactly it names its paths.
        self._dynamic.sort(key=lambda entry: -_literal_size(entry.route.path))
        # Callers repeat few paths, and there are many templates: a cache keeps routing off the hot path.
        self._search = lru_cache(maxsize=_CACHED_PATHS)(self._search_templates)

    def find(
        self, method: str, raw_path: str, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Match[R] | Unrouted:
        """The route for a request. `raw_path` is the path as sent, without the query; HEAD is served by GET routes."""
        path = _normalise(raw_path)
        method = "GET" if method == "HEAD" else method
        direct = self._direct.get((method, path))
        if direct is not None:
            return Match(direct.protocol, direct.route, {})
        candidates = self._static.get(path)
        found = self._search(path) if candidates is None else [(entry, dict[str, str]()) for entry in candidates]
        if not found:
            return Unrouted(owner_of_unknown(path, headers, query), ())
        owners = {entry.protocol for entry, _ in found}
        owner = owners.pop() if len(owners) == 1 else owner_of_shared(headers, query)
        mine = [(entry, params) for entry, params in found if entry.protocol == owner] or found
        served = [(entry, params) for entry, params in mine if entry.is_on]
        for entry, params in served:
            if entry.route.method == method:
                return Match(entry.protocol, entry.route, dict(params))
        if method != "GET" and _GEMINI_ACTION.search(path):
            return Unrouted("gemini", ())  # an action that nobody knows, on a path that can be read
        return Unrouted(owner, _methods(entry for entry, _ in mine))

    def methods(self, raw_path: str) -> tuple[str, ...]:
        """What a path serves, whosever it is; sorted, and empty for an unknown one."""
        path = _normalise(raw_path)
        candidates = self._static.get(path)
        return _methods(candidates if candidates is not None else (entry for entry, _ in self._search(path)))

    def _search_templates(self, path: str) -> list[tuple[_Entry[R], dict[str, str]]]:
        decoded_colons = _ENCODED_COLON.sub(":", path)
        found: list[tuple[_Entry[R], dict[str, str]]] = []
        for entry in self._dynamic:
            match = entry.pattern.fullmatch(decoded_colons)
            if match is None:
                continue
            if found and _literal_size(entry.route.path) < _literal_size(found[0][0].route.path):
                break  # a template that fits less exactly
            found.append((entry, {name: unquote(value) for name, value in match.groupdict().items()}))
        return found


def owner_of_shared(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Whose shape a path has that several protocols serve (`/v1/models`): the caller's headers tell.

    `headers` must compare names without case.
    """
    if any(name in headers for name in _ANTHROPIC_HEADERS):
        return "anthropic"
    if any(name in headers for name in _GEMINI_HEADERS) or "key" in query:
        return "gemini"
    return "openai"


def owner_of_unknown(path: str, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Whose 404 an unknown path gets: `gemini`, `openai`, `anthropic`, `workbench`, or `service` for nobody's.

    `path` is normalised: one leading slash, no trailing one.
    """
    first, _, rest = path[1:].partition("/")
    if first in {"v1beta", "v1alpha"} or _GEMINI_ACTION.search(path):
        return "gemini"
    if rest.split("/")[0] in {"messages", "complete"} and first == "v1":
        return "anthropic"
    if first == "v1" and rest.split("/")[0] == "sessions":
        return "workbench"
    if "anthropic-version" in headers:
        return "anthropic"
    if first == "openai":
        return "openai"
    if first == "v1":
        return "gemini" if owner_of_shared(headers, query) == "gemini" else "openai"
    return "service"


def _normalise(raw_path: str) -> str:
    path = "/" + raw_path.lstrip("/")
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


@cache
def _compile(template: str) -> re.Pattern[str]:
    pattern = ""
    position = 0
    for variable in _VARIABLE.finditer(template):
        pattern += re.escape(template[position : variable.start()])
        # Greedy, so that a name may hold a colon and the last one begins the action.
        pattern += f"(?P<{variable[1]}>{'.*' if variable[2] else '[^/]+'})"
        position = variable.end()
    return re.compile(pattern + re.escape(template[position:]), re.DOTALL)


def _literal_size(template: str) -> int:
    return len(_VARIABLE.sub("", template))


def _methods(entries: Iterable[_Entry[R]]) -> tuple[str, ...]:
    methods = {entry.route.method for entry in entries if entry.is_on}
    return tuple(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
