"""Ids and page tokens: what is one, what is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from localaik.state.faults import InvalidId, InvalidPageToken
from localaik.state.ids import check_id, new_blob_id, new_id
from localaik.state.paging import place_of, token_of


@pytest.mark.parametrize("value", ["a", "0", "a-b", "x7f3k2m9q0ab", "a" * 40, "a--b"])
def test_ids(value: str) -> None:
    assert check_id(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "-a", "a-", "A", "a_b", "a.b", ".", "..", "a/b", "../a", "a\\b", "a" * 41, "a\n", "é", "a b", "a%2fb", "a\0"],
)
def test_no_ids(value: str) -> None:
    with pytest.raises(InvalidId):
        check_id(value)


def test_made_ids_are_valid_and_differ() -> None:
    made = [new_id() for _ in range(1000)]
    assert len({*made}) == 1000
    assert all(len(check_id(one)) == 12 and "-" not in one for one in made)


def test_ids_of_uploads_have_128_bits() -> None:
    made = {new_blob_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(bytes.fromhex(one)) == 16 for one in made)


@settings(deadline=None)
@given(some.integers(0, 2**62), some.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True))
def test_a_token_gives_its_place_back(moment: int, item: str) -> None:
    assert place_of("files", token_of("files", (moment, item))) == (moment, item)


@pytest.mark.parametrize(
    "token", ["x", "", "....", "ÿ", token_of("caches", (1, "a")), token_of("files", (1, "a")) + "="]
)
def test_strange_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidPageToken):
        place_of("files", token)


@settings(deadline=None)
@given(some.text(max_size=60))
def test_no_text_breaks_the_reading_of_tokens(text: str) -> None:
    with pytest.raises(InvalidPageToken):
        place_of("files", text)
