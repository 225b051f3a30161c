"""The router, as a table."""

from dataclasses import dataclass

import pytest
from multidict import CIMultiDict

from localaik.server.routing import Match, Router, Unrouted


@dataclass(frozen=True)
class Spot:
    method: str
    path: str


ROUTES = [
    ("gemini", Spot("POST", "/v1beta/models/{model:rest}:generateContent")),
    ("gemini", Spot("POST", "/v1/models/{model:rest}:generateContent")),
    ("gemini", Spot("POST", "/models/{model:rest}:generateContent")),
    ("gemini", Spot("GET", "/v1beta/models")),
    ("gemini", Spot("GET", "/v1beta/models/{model:rest}")),
    ("gemini", Spot("GET", "/v1/models")),
    ("gemini", Spot("GET", "/v1/models/{model:rest}")),
    ("openai", Spot("GET", "/v1/models")),
    ("openai", Spot("GET", "/v1/models/{model:rest}")),
    ("openai", Spot("POST", "/v1/chat/completions")),
    ("service", Spot("GET", "/health")),
]
ROUTER = Router(ROUTES)
GOOGLE = {"X-Goog-Api-Key": "k"}


def find(method: str, path: str, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> object:
    return ROUTER.find(method, path, CIMultiDict(headers or {}), query or {})


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"),
        ("/v1beta/models/gemma3:4b:generateContent", "gemma3:4b"),
        ("/v1beta/models/org/model:generateContent", "org/model"),
        ("/v1beta/models/org%2Fmodel:generateContent", "org/model"),
        ("/v1beta/models/a%3Fb%20c:generateContent", "a?b c"),
        ("/v1beta/models/m%3AgenerateContent", "m"),
        ("/v1beta/models/m%253A:generateContent", "m%3A"),
        ("//v1beta/models/m:generateContent/", "m"),
        ("/models/m:generateContent", "m"),
    ],
)
def test_b004_the_model_is_all_between_models_and_the_last_action(path: str, model: str) -> None:
    found = find("POST", path)
    assert isinstance(found, Match)
    assert (found.protocol, found.params) == ("gemini", {"model": model})


@pytest.mark.parametrize(
    ("headers", "query", "owner"),
    [
        ({}, {}, "openai"),
        ({"Authorization": "Bearer x"}, {}, "openai"),
        (GOOGLE, {}, "gemini"),
        ({"x-goog-api-client": "c"}, {}, "gemini"),
        ({}, {"key": "k"}, "gemini"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/v1/models/org%2Fx"])
def test_b003_shared_paths_belong_to_the_protocol_of_the_headers(
    path: str, headers: dict[str, str], query: dict[str, str], owner: str
) -> None:
    found = find("GET", path, headers, query)
    assert isinstance(found, Match)
    assert found.protocol == owner


@pytest.mark.parametrize(
    ("path", "headers", "owner"),
    [
        ("/v1beta/nothing", {}, "gemini"),
        ("/v1beta", {}, "gemini"),
        ("/v1alpha/x", {}, "gemini"),
        ("/v1/models/m:frobnicate", {}, "gemini"),
        ("/v1", {}, "openai"),
        ("/v1/nothing", {}, "openai"),
        ("/openai/v1/nothing", {}, "openai"),
        ("/v1/nothing", GOOGLE, "gemini"),
        ("/v1/sessions/a/b/c", {}, "workbench"),
        ("/v1/sessions/a/b/c", GOOGLE, "workbench"),
        ("/v1/sessionsx", {}, "openai"),
        ("/v1/messages/x", {}, "anthropic"),
        ("/v1/complete", {}, "anthropic"),
        ("/v1/nothing", {"Anthropic-Version": "1"}, "anthropic"),
        ("/nothing", {}, "service"),
        ("/", {}, "service"),
    ],
)
def test_b007_an_unknown_path_has_an_owner(path: str, headers: dict[str, str], owner: str) -> None:
    assert find("POST", path, headers) == Unrouted(owner, ())


def test_b009_a_wrong_method_names_the_served_ones() -> None:
    assert find("DELETE", "/v1/chat/completions") == Unrouted("openai", ("POST",))
    assert find("POST", "/health") == Unrouted("service", ("GET", "HEAD"))
    assert find("GET", "/v1beta/models/m:generateContent") != Unrouted("gemini", ())


def test_b010_head_is_served_by_get_routes() -> None:
    assert isinstance(find("HEAD", "/health"), Match)


def test_b011_slashes_do_not_count() -> None:
    for path in ("//v1/chat/completions", "/v1/chat/completions/", "///v1/chat/completions/"):
        found = find("POST", path)
        assert isinstance(found, Match)
        assert found.protocol == "openai"
    assert isinstance(find("GET", "/health/"), Match)


def test_parameters_are_not_shared_between_requests() -> None:
    first = find("GET", "/v1beta/models/m")
    assert isinstance(first, Match)
    first.params["model"] = "changed"
    second = find("GET", "/v1beta/models/m")
    assert isinstance(second, Match)
    assert second.params == {"model": "m"}
