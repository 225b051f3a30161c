"""Stop strings found across deltas."""

from hypothesis import given
from hypothesis import strategies as st

from localaik.generation.stops import StopMatcher


def cut(stops: list[str], pieces: list[str]) -> tuple[str, str | None]:
    matcher = StopMatcher(stops)
    out = ""
    for piece in pieces:
        out += matcher.feed(piece)
        if matcher.matched is not None:
            return out, matcher.matched
    return out + matcher.rest(), None


def test_a_stop_string_across_deltas_never_leaves() -> None:
    assert cut(["STOP"], ["abc S", "T", "OP def"]) == ("abc ", "STOP")


def test_a_false_start_is_given_back() -> None:
    assert cut(["STOP"], ["ST", "AR"]) == ("STAR", None)
    assert cut(["STOP"], ["abc STO"]) == ("abc STO", None)


def test_empty_stop_strings_do_not_count() -> None:
    assert cut([""], ["abc"]) == ("abc", None)


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
    st.text("abc", max_size=12),
    st.data(),
)
def test_the_result_does_not_depend_on_the_split(stops: list[str], text: str, data: st.DataObject) -> None:
    whole = cut(stops, [text])
    at = data.draw(st.integers(0, len(text)))
    assert cut(stops, [text[:at], text[at:]]) == whole
    assert cut(stops, list(text)) == whole
    for stop in stops:
        assert stop not in whole[0]
