"""Whether a caller shows a key that this server takes. Pure: no I/O, no aiohttp."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from localaik.errors import Unauthorized

__all__ = ["Credentials"]

_KEY_HEADERS: Final = ("x-goog-api-key", "x-api-key")
_BEARER: Final = "bearer"
_DIGEST_CHARS: Final = 32
"""Enough to tell callers apart; what is kept under it holds no key."""


class Credentials:
    """The keys of a server. One header, or one parameter, with one of them is enough, whatever the others hold."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` has one at least."""
        self._keys = [_bytes(key) for key in keys]

    def check(self, headers: Mapping[str, str], query_key: str | None) -> str:
        """The digest of a key that the caller shows. Raises `Unauthorized` where there is none.

        `headers` must compare names without case. `query_key` is the parameter `key` where the protocol has it.
        """
        authorization = headers.get("Authorization", "").strip()
        scheme, _, token = authorization.partition(" ")
        is_bearer = scheme.lower() == _BEARER
        keys = [*(headers.get(name, "").strip() for name in _KEY_HEADERS), (query_key or "").strip()]
        bearer = token.strip() if is_bearer else ""
        # Each is compared with each, so that the time tells nothing of what was right.
        held = [shown for shown in (bearer, *keys) if shown and self._holds(shown)]
        if held:
            return hashlib.sha256(_bytes(held[0])).hexdigest()[:_DIGEST_CHARS]
        if any(keys):
            raise Unauthorized("key")
        if bearer:
            raise Unauthorized("bearer")
        raise Unauthorized("other_scheme" if authorization and not is_bearer else "nothing")

    def _holds(self, shown: str) -> bool:
        given = _bytes(shown)
        return sum([hmac.compare_digest(given, key) for key in self._keys]) > 0


def _bytes(text: str) -> bytes:
    # Neither a header nor a variable need be UTF-8: what could not be decoded is a lone surrogate in its text.
    return text.encode("utf-8", "surrogatepass")
