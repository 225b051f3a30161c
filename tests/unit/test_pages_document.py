"""The OpenAPI document against the routing table, both ways."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import localaik
from localaik.protocols.contract import ALWAYS_SERVED, Protocol, Route
from localaik.protocols.description import Names
from localaik.server.pages.document import Told, api_document, told_routes
from tests.hollow_server import hollow_protocols

PACKAGE = Path(localaik.__file__).parent
NAMES = Names("chat-model", "embedding-model")
OTHER_NAMES = {"$alt", "include[]", "key", "page_size", "page_token", "update_mask"}
"""Second names of parameters, and the credential."""
FIRST_NAMES = {
    "gemini": (r"^(/upload|/download)?(/v1beta|/v1alpha|/v1)?/(?!ws/)(.*)", r"\1/v1beta/\3"),
    "openai": (r"^(/openai/v1|/v1|)/(.*)", r"/v1/\2"),
    "gemini-openai": (r"^/(v1beta|v1alpha|v1)/openai/", "/v1beta/openai/"),
}
LIVE = re.compile(r"^/ws/google\.ai\.generativelanguage\.(v1beta|v1alpha|v1)\.")


def first_name(protocol: str, path: str) -> str:
    """The path that the document tells of in place of `path`, which may be another name of it."""
    if LIVE.match(path):
        return LIVE.sub("/ws/google.ai.generativelanguage.v1beta.", path)
    pattern, name = FIRST_NAMES.get(protocol, ("^", ""))
    return re.sub(pattern, name, path, count=1)


def plain(path: str) -> str:
    return re.sub(r"\{(\w+):rest\}", r"{\1}", path)


@cache
def told() -> list[Told]:
    return told_routes(hollow_protocols(), NAMES, lambda _: True)


@cache
def document(*, has_keys: bool = False) -> dict[str, Any]:
    return api_document(told(), has_keys=has_keys)


def operations(of: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in of["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def within(value: object) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from within(each)
    elif isinstance(value, list):
        for each in value:
            yield from within(each)


def resolved(ref: str) -> object:
    found: Any = document()
    for step in ref.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_document_tells_of_every_route_under_its_first_name_and_of_nothing_else() -> None:
    routes = {
        (route.method, plain(first_name(protocol.name, route.path)))
        for protocol in hollow_protocols()
        for route in protocol.routes
    }
    assert {(method, path) for method, path, _ in operations(document())} == routes


def test_every_first_name_is_a_route() -> None:
    served = {(route.method, route.path) for protocol in hollow_protocols() for route in protocol.routes}
    for protocol in hollow_protocols():
        for route in protocol.routes:
            assert (route.method, first_name(protocol.name, route.path)) in served


def test_protocols_tell_of_all_their_routes_and_of_no_others() -> None:
    for protocol in hollow_protocols():
        assert protocol.describe is not None
        described = protocol.describe(NAMES)
        routes = {(route.method, route.path) for route in protocol.routes if described.tells_of(route.path)}
        # Figures can be switched off, and then there is no route for them.
        assert set(described.operations) - {("GET", "/metrics")} == routes


def test_every_reference_has_something_to_refer_to() -> None:
    references = {each["$ref"] for each in within(document()) if isinstance(each.get("$ref"), str)}
    mappings = {
        ref
        for each in within(document())
        if isinstance(each.get("mapping"), dict)
        for ref in each["mapping"].values()
        if isinstance(ref, str)
    }
    assert len(references) > 100
    assert mappings
    for ref in references | mappings:
        assert isinstance(resolved(ref), dict), ref


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document())]
    assert len(set(ids)) == len(ids) > 100


def test_operations_tell_of_each_part_of_their_path() -> None:
    for _, path, operation in operations(document()):
        parts = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert sorted(parts) == sorted(re.findall(r"\{(\w+)\}", path))


def test_examples_fit_their_schemas() -> None:
    checked = 0
    for method, path, operation in operations(document()):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                schema = {**content["schema"], "components": document()["components"]}
                jsonschema.Draft202012Validator(schema).validate(content["example"])
                checked += 1
                assert method != "GET", path
    assert checked > 20


def test_every_operation_has_an_answer_and_refusals() -> None:
    for method, path, operation in operations(document()):
        statuses = set(operation["responses"])
        assert {"4XX", "5XX"} < statuses or operation["x-localaik-served"] is False, f"{method} {path}"
        assert operation["tags"][0] in {tag["name"] for tag in document()["tags"]}


def test_limits_and_words_of_gemini_are_told() -> None:
    schemas = document()["components"]["schemas"]
    config = schemas["GeminiGenerationConfig"]["properties"]
    assert {"type": "number", "minimum": 0, "maximum": 2} in config["temperature"]["anyOf"]
    assert {"type": "integer", "minimum": 1, "maximum": 8} in config["candidateCount"]["anyOf"]
    mode = schemas["GeminiFunctionCallingConfig"]["properties"]["mode"]["anyOf"][0]
    assert mode["enum"] == ["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]


def test_two_types_of_one_name_are_told_apart() -> None:
    schemas = document()["components"]["schemas"]
    assert "json_schema" in schemas["OpenAIJsonSchemaFormat"]["properties"]
    assert "schema" in schemas["OpenAIResponsesJsonSchemaFormat"]["properties"]


def test_streams_tell_their_events() -> None:
    chat = document()["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    assert set(chat) == {"application/json", "text/event-stream"}
    assert "choices" in chat["text/event-stream"]["x-localaik-event"]["properties"]


def test_names_of_models_stand_in_examples() -> None:
    paths = document()["paths"]
    chat = paths["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert chat["model"] == "chat-model"
    embed = paths["/v1beta/models/{model}:embedContent"]["post"]["parameters"][0]
    assert embed["example"] == "embedding-model"


def test_without_keys_no_credentials_are_told() -> None:
    assert "securitySchemes" not in document()["components"]
    assert not any("security" in operation for _, _, operation in operations(document()))


def test_with_keys_every_route_that_is_not_open_asks_for_one() -> None:
    schemes = document(has_keys=True)["components"]["securitySchemes"]
    is_open = {(each.route.method, plain(each.route.path)): each.route.is_open for each in told()}
    for method, path, operation in operations(document(has_keys=True)):
        asked = {name for one in operation["security"] for name in one}
        assert asked <= set(schemes)
        assert bool(asked) is not is_open[method, path], f"{method} {path}"
    assert {path for (_, path), opened in is_open.items() if opened} >= {"/", "/docs", "/openapi.json", "/health"}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/models", {"bearer", "googleKey", "plainKey"}),
        ("/v1beta/models", {"bearer", "googleKey", "plainKey", "queryKey"}),
        ("/v1beta/openai/models", {"bearer", "googleKey", "plainKey", "queryKey"}),
    ],
)
def test_a_key_in_the_query_is_for_paths_of_gemini(path: str, names: set[str]) -> None:
    asked = document(has_keys=True)["paths"][path]["get"]["security"]
    assert {name for one in asked for name in one} == names


def test_an_address_of_an_upload_stands_for_a_key() -> None:
    asked = document(has_keys=True)["paths"]["/upload/v1beta/files"]["post"]["security"]
    assert {"upload": []} in asked


def test_what_is_switched_off_is_not_told() -> None:
    some = told_routes(hollow_protocols(), NAMES, lambda route: route.surface in {"openai-chat", ALWAYS_SERVED})
    paths = api_document(some, has_keys=False)["paths"]
    assert isinstance(paths, dict)
    assert set(paths) == {
        "/health",
        "/health/live",
        "/v1/chat/completions",
        "/v1/chat/completions/{completion}",
        "/v1/chat/completions/{completion}/messages",
        "/v1beta/openai/chat/completions",
    }


async def _never(*_: object) -> Any:
    raise AssertionError


def test_a_protocol_without_a_description_has_its_routes_told_plainly() -> None:
    mute = Protocol("mute", (Route("GET", "/some/{thing:rest}", _never, ALWAYS_SERVED),), _never, lambda _: {})
    made = api_document(told_routes([mute], NAMES, lambda _: True), has_keys=False)
    ((method, path, operation),) = operations(made)
    assert (method, path, operation["summary"]) == ("GET", "/some/{thing}", "GET /some/{thing}")


def test_every_parameter_of_a_query_that_is_read_is_told() -> None:
    sources = [path for folder in ("protocols", "server") for path in (PACKAGE / folder).rglob("*.py")]
    read = {
        name
        for path in sources
        for name in re.findall(r"""query\.(?:get|getall)\("([^"]+)\"""", path.read_text("utf-8"))
    }
    told_of = {one["name"] for _, _, operation in operations(document()) for one in operation.get("parameters", ())}
    assert len(read) > 8
    assert read - told_of == OTHER_NAMES
