"""Which web pages may call, as the Fetch standard has it (CORS). Pure: no I/O, no aiohttp.

This tells browsers what pages may do. It keeps nobody else out: a key does.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from localaik.settings import normal_origin, read_origins

__all__ = ["Origins"]

_ANY: Final = "*"
_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
_EXPOSED: Final = {
    "Access-Control-Expose-Headers": "X-Session-Id, X-Request-Id, Retry-After, X-Cache, X-Input-Truncated,"
    " x-localaik-ignored, X-Goog-Upload-URL, X-Goog-Upload-Status, x-ratelimit-limit-requests,"
    " x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
}
_NONE: Final[Mapping[str, str]] = {}
_MAX_AGE_SECONDS: Final = 600
_ALLOWED_HEADERS: Final = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
        "anthropic-version",
        "authorization",
        "content-type",
        "idempotency-key",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "x-api-key",
        "x-app-id",
        "x-device-id",
        "x-goog-api-client",
        "x-goog-api-key",
        "x-localaik-strict",
        "x-request-id",
        "x-session-id",
    }
)
_ALLOWED_PREFIXES: Final = ("x-stainless-", "x-goog-upload-", "x-client-")
_OWN_SCHEMES: Final = ("http", "https")


class Origins:
    """The pages that the setting allows."""

    def __init__(self, setting: str) -> None:
        """`setting` is `*`, `none`, or origins with commas between them."""
        self._allowed = frozenset(read_origins(setting))
        self._all = self._allowed == {_ANY}
        self._for_all = {_ALLOW_ORIGIN: _ANY, **_EXPOSED}

    def refuses(self, origin: str | None, host: str) -> bool:
        """Whether a request is a page's that may not call: its origin is neither allowed nor this server's own.

        `origin` and `host` are the request's headers.
        """
        return origin is not None and not self._all and not self._allows(origin) and not _is_own(origin, host)

    def headers(self, origin: str | None) -> Mapping[str, str]:
        """What an answer of any status tells the browser."""
        if self._all:
            return self._for_all
        if not self._allowed:
            return _NONE
        if origin is None or not self._allows(origin):
            return {"Vary": "Origin"}
        return {_ALLOW_ORIGIN: origin, "Vary": "Origin", **_EXPOSED}

    def preflight(self, headers: Mapping[str, str], methods: Sequence[str]) -> dict[str, str]:
        """What the answer to a preflight has beside `headers()`; empty where the page may not call.

        `headers` are the request's, and compare names without case; `methods` are those of the path.
        """
        origin = headers.get("Origin", "")
        if not self._all and not self._allows(origin):
            return {}
        answer = {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        }
        asked = [name.strip() for name in headers.get("Access-Control-Request-Headers", "").split(",")]
        if granted := [name for name in asked if _may_send(name.lower())]:
            answer["Access-Control-Allow-Headers"] = ", ".join(granted)
        if not self._all and headers.get("Access-Control-Request-Private-Network") == "true":
            answer["Access-Control-Allow-Private-Network"] = "true"
        return answer

    def _allows(self, origin: str) -> bool:
        return origin in self._allowed or normal_origin(origin) in self._allowed


def _is_own(origin: str, host: str) -> bool:
    """Whether the page came from this server, by the name that it is called by now."""
    scheme = origin.partition("://")[0].lower()
    page = normal_origin(origin)
    return scheme in _OWN_SCHEMES and page is not None and page == normal_origin(f"{scheme}://{host}")


def _may_send(name: str) -> bool:
    """`name` is in small letters."""
    return name in _ALLOWED_HEADERS or (name.startswith(_ALLOWED_PREFIXES) and name.replace("-", "").isalnum())
