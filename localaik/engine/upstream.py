"""The address of a server that we did not start: its URLs, its credential, and what of both may be shown.

`base` stands before `/chat/completions` and `/models`, `root` before `/health`, `/props` and `/tokenize`: it is `base`
without a trailing `/v1`. A base that has no `/v1` is taken as it is. A query string stays on every call.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

from yarl import URL

from localaik.engine.launchers.base import StartError
from localaik.settings import Settings

__all__ = ["Upstream", "join", "parse_auth_header", "redact"]

_INVALID: Final = "invalid"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_NOT_IN_HEADERS: Final = re.compile(r"[^\t\x20-\x7e]")
_NOT_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f]")
_MIN_SECRET_CHARS: Final = 4  # anything shorter would be found in every second word
_BAD_HEADER: Final = "_AUTH_HEADER is not sent: it must be one line `Name: value` in ASCII, with no space in the name."


@dataclass(frozen=True, slots=True)
class Upstream:
    """A parsed upstream. Nothing of it but `redacted` may be shown."""

    base: URL
    root: URL
    redacted: str
    """`scheme://host[:port]/path`, or `invalid`."""
    headers: Mapping[str, str]
    """The credential, for every call; empty where there is none."""
    warnings: tuple[str, ...] = ()
    """For the person who starts the server."""
    credential: str = "LOCALAIK_UPSTREAM_AUTH_HEADER"
    """The setting that holds the credential."""

    @classmethod
    def parse(cls, url: str, auth_header: str = "", *, setting: str = "LOCALAIK_UPSTREAM") -> Self:
        """From a URL and a header line `Name: value`. Raises `StartError`, which names the setting, never the URL.

        Name and password inside the URL become basic authentication, unless the header line already holds an
        `Authorization`.
        """
        text = url.strip()
        parts = _split(text)
        if parts is None:
            raise StartError(
                f"{setting} must be a URL such as http://127.0.0.1:8080/v1: http or https, with a host. "
                "(Its value is not repeated here, since it may hold a secret.)",
                status=2,
            )
        header = parse_auth_header(auth_header)
        headers = dict([header]) if header is not None else {}
        if parts.username is not None and "authorization" not in map(str.lower, headers):
            headers["Authorization"] = _basic(parts)
        base = URL(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl())
        base = base.with_path(base.path.rstrip("/"), keep_query=True)
        return cls(
            base=base,
            root=base.with_path(base.path.removesuffix("/v1"), keep_query=True),
            redacted=redact(text),
            headers=headers,
            warnings=(setting + _BAD_HEADER,) if header is None and auth_header.strip() else (),
            credential=f"{setting}_AUTH_HEADER",
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The upstream that `settings` name. Raises `StartError`."""
        return cls.parse(settings.upstream, settings.upstream_auth_header)

    @property
    def health_urls(self) -> tuple[URL, URL]:
        """Where to ask for health, and where instead if there is no such route (404, 405, 501)."""
        return join(self.root, "health"), join(self.base, "models")

    def hide(self, text: str) -> str:
        """`text` with `***` for every occurrence of the credential or of a value of the query string."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> set[str]:
        words = {word for value in self.headers.values() for word in (value, value.rpartition(" ")[2])}
        words |= set(self.base.query.values())
        for value in self.headers.values():
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "basic":
                words |= _basic_secrets(token)
        return {word for word in words if len(word) >= _MIN_SECRET_CHARS}


def join(url: URL, path: str) -> URL:
    """`url` with `path` (no leading slash) behind its own path; its query stays."""
    return url.with_path(f"{url.path.rstrip('/')}/{path}", keep_query=True)


def parse_auth_header(line: str) -> tuple[str, str] | None:
    """Name and value of a header line; None for what must not be sent.

    Split at the first colon, both sides trimmed. Refused are empty sides, a name that is no token, control characters,
    which could start another header, and what is not ASCII, which every server reads in its own way.
    """
    if _NOT_IN_HEADERS.search(line):
        return None
    name, colon, value = line.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not value or not _HEADER_NAME.fullmatch(name):
        return None
    return name, value


def redact(url: str) -> str:
    """`scheme://host[:port]/path` of a URL: no user, password, query and fragment. `invalid` for what is no such URL.

    An `@` in the path counts as invalid too: it usually comes from a password with an unescaped slash.
    """
    parts = _split(url.strip())
    if parts is None or "@" in parts.path:
        return _INVALID
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{quote(parts.path, safe='/:%~!$&()*+,;=')}"


def _split(url: str) -> SplitResult | None:
    """The parts of an http(s) URL with a host, else None."""
    if _NOT_IN_URLS.search(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return parts if usable and URL(url).host else None
    except ValueError:
        return None


def _basic(parts: SplitResult) -> str:
    """RFC 7617."""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def _basic_secrets(token: str) -> set[str]:
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:  # no basic credential after all
        return set()
    return {password, quote(password, safe="")} if password else {user}
