"""Moderations: shapes, the marker, and what is refused."""

from typing import Any

import pytest

from localaik.errors import BadRequest
from localaik.protocols.openai.moderations import moderate
from localaik.protocols.openai.reading import Findings

MARKER = "LOCALAIK_FLAG:"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def ask(given: object, marker: str = MARKER, **fields: object) -> dict[str, Any]:
    return moderate({"input": given, **fields}, marker, Findings(strict=True))


def flagged(result: dict[str, Any]) -> list[str]:
    names = [name for name, value in result["categories"].items() if value]
    assert result["flagged"] == bool(names)
    assert result["category_scores"] == {name: float(name in names) for name in result["categories"]}
    assert len(result["categories"]) == 13
    return names


def test_one_result_for_each_text() -> None:
    answer = ask(["a", "b"], model="text-moderation-007")
    assert answer["id"].startswith("modr-")
    assert answer["model"] == "text-moderation-007"
    assert [flagged(result) for result in answer["results"]] == [[], []]
    assert answer["results"][0]["category_applied_input_types"]["hate"] == ["text"]
    assert ask("x")["model"] == "omni-moderation-latest"


def test_one_result_for_a_list_of_parts() -> None:
    (result,) = ask([{"type": "text", "text": "LOCALAIK_FLAG:sexual"}, IMAGE])["results"]
    assert flagged(result) == ["sexual"]
    assert result["category_applied_input_types"]["hate"] == ["text", "image"]
    (result,) = ask([IMAGE])["results"]
    assert result["category_applied_input_types"]["hate"] == ["image"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("LOCALAIK_FLAG:violence", ["violence"]),
        ("say LOCALAIK_FLAG:violence/graphic now", ["violence/graphic"]),
        ("LOCALAIK_FLAG:hate LOCALAIK_FLAG:self-harm/intent", ["hate", "self-harm/intent"]),
        ("LOCALAIK_FLAG:unknown, LOCALAIK_FLAG: hate, violence", []),
    ],
)
def test_the_marker_flags(text: str, names: list[str]) -> None:
    assert flagged(ask(text)["results"][0]) == names


def test_the_marker_is_a_setting() -> None:
    assert flagged(ask("(.hate", marker="(.")["results"][0]) == ["hate"]
    assert flagged(ask("hate", marker="")["results"][0]) == []


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        ({}, "missing_required_parameter", "input"),
        ({"input": []}, "empty_array", "input"),
        ({"input": 1}, "invalid_type", "input"),
        ({"input": ["a", 1]}, "invalid_type", "input[1]"),
        ({"input": [{"type": "audio"}]}, "invalid_value", "input[0].type"),
        ({"input": [{"type": "text"}]}, "missing_required_parameter", "input[0].text"),
        ({"input": "x", "more": 1}, "unknown_parameter", "more"),
        ({"input": "x", "model": 1}, "invalid_type", "model"),
    ],
)
def test_faults(body: object, reason: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        moderate(body, MARKER, Findings(strict=True))
    assert (caught.value.reason, caught.value.field) == (reason, field)
