"""Tokens of list pages: the place of the last item that was given out, so pages neither repeat nor skip."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from localaik.state.faults import InvalidPageToken

__all__ = ["Place", "place_of", "token_of"]

Place = tuple[int, str]
"""Time of creation in microseconds since 1970, and id."""


def token_of(kind: str, place: Place) -> str:
    """The token for the page after `place` in the list of this kind of thing."""
    return urlsafe_b64encode(f"{kind}:{place[0]}:{place[1]}".encode()).decode().rstrip("=")


def place_of(kind: str, token: str) -> Place:
    """The place in a token of this kind of list. Raises `InvalidPageToken`."""
    try:
        text = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        found, moment, item = text.split(":")
        place = (int(moment), item)
    except ValueError:
        raise InvalidPageToken from None
    if found != kind or token_of(kind, place) != token or abs(place[0]) >= 1 << 63:
        raise InvalidPageToken
    return place
