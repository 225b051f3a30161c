"""What the query of a list asks for, and the object of a page."""

from urllib.parse import parse_qsl

import pytest
from multidict import MultiDict

from localaik.errors import BadRequest
from localaik.protocols.openai.lists import ListQuery, list_object, read_list


def query(text: str) -> "MultiDict[str]":
    return MultiDict(parse_qsl(text, keep_blank_values=True))


def test_an_empty_query_has_defaults() -> None:
    assert read_list(query("")) == ListQuery(20, True, None, ())
    assert read_list(query("limit=&order=&after="), default_order="asc", default_limit=7) == ListQuery(
        7, False, None, ()
    )


def test_everything_that_is_given_counts() -> None:
    asked = query("limit=100&order=asc&after=x&include[]=a&include=b&include[]=c&foo=bar")
    assert read_list(asked) == ListQuery(100, False, "x", ("b", "a", "c"))


@pytest.mark.parametrize(
    ("text", "field", "reason", "message"),
    [
        ("limit=101", "limit", "integer_above_max_value", "Expected a value <= 100, but got 101 instead."),
        ("limit=0", "limit", "integer_below_min_value", "Expected a value >= 1, but got 0 instead."),
        ("limit=-3", "limit", "integer_below_min_value", "Expected a value >= 1, but got -3 instead."),
        ("limit=1.5", "limit", "invalid_type", "expected an integer, but got a string instead."),
        ("limit=٣", "limit", "invalid_type", "expected an integer"),
        ("limit=" + "9" * 5000, "limit", "invalid_type", "expected an integer"),
        ("order=up", "order", "invalid_value", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'."),
    ],
)
def test_faults_name_the_parameter(text: str, field: str, reason: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_list(query(text))
    assert (caught.value.field, caught.value.reason) == (field, reason)
    assert message in caught.value.message


def test_the_object_of_a_page() -> None:
    assert list_object([], has_more=False) == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }
    page = list_object([{"id": "a"}, {"id": "b"}], has_more=True)
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("a", "b", True)
