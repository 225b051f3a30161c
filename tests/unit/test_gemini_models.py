"""Names, descriptions and lists of models."""

import pytest

from localaik.errors import BadRequest, NotFound
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.gemini.models import find_model, list_page, model_resource


def entry(name: str) -> ModelEntry:
    return ModelEntry(name, 1, "localaik", 8192, "Answered by tiny.")


def registry(*names: str, strict: bool = False) -> Registry:
    return Registry([entry(name) for name in names or ("tiny",)], strict=strict)


def find(name: str, of: Registry) -> ModelEntry:
    return find_model(name, of, version="v1", method="generateContent")


@pytest.mark.parametrize("name", ["tiny", "gemini-2.5-flash", "gemma3:4b", "a?b c", "gemini-3-pro-preview", "2.5"])
def test_b006_any_name_is_answered(name: str) -> None:
    assert find(name, registry()).id == "tiny"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "publishers/google/models/x",
        "google/x",
        "models/x",
        "2171259487439028224",
        "text-embedding-004",
        "gemini-Embedding-2",
    ],
)
def test_g019_what_can_not_be_a_model_is_not_found(name: str) -> None:
    with pytest.raises(NotFound) as raised:
        find(name, registry())
    assert raised.value.message == (
        f"models/{name} is not found for API version v1, or is not supported for generateContent. Call ListModels to"
        " see the list of available models and their supported methods."
    )


@pytest.mark.parametrize("name", ["org/model", "123", "my-embedding"])
def test_b006_listed_names_are_answered_whatever_their_form(name: str) -> None:
    assert find(name, registry("tiny", name)).id == name


def test_b006_strict_names_must_be_listed() -> None:
    assert find("tiny", registry(strict=True)).id == "tiny"
    with pytest.raises(NotFound, match="models/other is not found for API version v1"):
        find("other", registry(strict=True))


def test_b064_the_description_of_a_model() -> None:
    assert model_resource("any", entry("tiny"), own_engine=True) == {
        "name": "models/any",
        "baseModelId": "any",
        "version": "001",
        "displayName": "any",
        "description": "Answered by tiny.",
        "inputTokenLimit": 8192,
        "outputTokenLimit": 8192,
        "supportedGenerationMethods": [
            "generateContent",
            "streamGenerateContent",
            "countTokens",
            "createCachedContent",
        ],
        "temperature": 0.8,
        "topP": 0.95,
        "topK": 40,
        "maxTemperature": 2.0,
        "thinking": False,
    }
    assert "temperature" not in model_resource("any", entry("tiny"), own_engine=False)


ENTRIES = [entry(f"m{number}") for number in range(120)]


def page(**query: str) -> dict[str, object]:
    return list_page(ENTRIES, query, own_engine=True)


@pytest.mark.parametrize(
    ("size", "expected"), [("1", 1), ("2", 2), ("0", 50), ("1000", 120), ("99999999999999999999999", 120)]
)
def test_g040_page_sizes(size: str, expected: int) -> None:
    assert len(page(pageSize=size)["models"]) == expected  # type: ignore[arg-type]


def test_g040_pages_walk_through_the_whole_list() -> None:
    names: list[str] = []
    token = ""
    while True:
        one = page(pageSize="50", pageToken=token)
        names += [model["name"] for model in one["models"]]  # type: ignore[attr-defined]
        if "nextPageToken" not in one:
            break
        token = str(one["nextPageToken"])
    assert names == [f"models/m{number}" for number in range(120)]


def test_g040_the_default_page_and_its_snake_case_name() -> None:
    assert len(page()["models"]) == 50  # type: ignore[arg-type]
    assert len(page(page_size="3")["models"]) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("size", ["-1", "x", "1.5", "٣"])
def test_g040_bad_page_sizes_are_refused(size: str) -> None:
    with pytest.raises(BadRequest) as raised:
        page(pageSize=size)
    assert raised.value.field == "pageSize"


@pytest.mark.parametrize("token", ["2", "x", "bW9kZWxzOjk5OQ"])
def test_g040_unknown_tokens_are_refused(token: str) -> None:
    with pytest.raises(BadRequest) as raised:
        page(pageToken=token)
    assert raised.value.field == "pageToken"
