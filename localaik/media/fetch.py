"""Files behind http and https URLs, fetched so that no caller can reach through us what it can't reach itself.

The name is resolved once per connection, all its addresses are checked, and the connection goes to those very
addresses: a name server that changes its answer in between gains nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from socket import AF_UNSPEC, AddressFamily
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from localaik import __version__
from localaik.media.addresses import IpAddress, is_public
from localaik.media.faults import MediaError, over_limit
from localaik.settings import Settings

__all__ = ["Fetched", "Fetcher"]

_CONCURRENT_FETCHES: Final = 8
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_VIDEO_HOSTS: Final = ("youtube.com", "youtu.be", "youtube-nocookie.com")

_HEADERS: Final = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # so that the size limit holds for what is read
    "User-Agent": f"localaik/{__version__}",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file, and the `Content-Type` that came with it."""

    data: bytes
    mime: str | None


class Fetcher:
    """Fetches within the `fetch*` settings. Holds one client session, opened at the first use.

    `resolver` and `is_allowed` replace the system's name resolution and the rule of public addresses.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolver: AbstractResolver | None = None,
        is_allowed: Callable[[IpAddress], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._is_allowed = is_allowed or (_anything if settings.fetch == "any" else is_public)
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_CONCURRENT_FETCHES)

    async def fetch(self, url: str) -> Fetched:
        """The file at `url`, redirects followed.

        Raises `MediaError`: `invalid_url`, `fetch_off`, `forbidden_address`, `fetch_too_large`, `fetch_failed`.
        """
        target = _checked_url(url)
        if self._settings.fetch == "off":
            raise MediaError("fetch_off", "Fetching URLs is switched off (LOCALAIK_FETCH).")
        seconds = self._settings.fetch_timeout_seconds
        async with self._turns:
            try:
                async with asyncio.timeout(seconds or None):
                    return await self._follow(target)
            except TimeoutError:
                raise _failed(target, "it took too long (LOCALAIK_FETCH_TIMEOUT_SECONDS)") from None

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()

    async def _follow(self, url: URL) -> Fetched:
        limit = self._settings.fetch_max_redirects
        for _ in range(limit + 1):
            answer = await self._get(url)
            if isinstance(answer, Fetched):
                return answer
            url = answer
        raise _failed(url, f"more than {limit} redirects (LOCALAIK_FETCH_MAX_REDIRECTS)")

    async def _get(self, url: URL) -> Fetched | URL:
        """One request: the file, or where it redirects to."""
        self._check_literal(url)
        try:
            async with self._open_session().get(url, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    return _redirect(url, response.headers.get("Location"))
                if response.status != 200:
                    raise _failed(url, f"the server answered with status {response.status}")
                if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                    raise _failed(url, "the server compressed the file although it was asked not to")
                return Fetched(await self._read(response), response.headers.get("Content-Type"))
        except aiohttp.InvalidURL:
            raise MediaError("invalid_url", "The URL is not valid.") from None
        except aiohttp.ServerTimeoutError:
            raise _failed(url, "no connection in time (LOCALAIK_FETCH_CONNECT_TIMEOUT_SECONDS)") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise _failed(url, "the server can't be reached, or its answer is broken") from None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._settings.fetch_max_bytes
        if limit and (response.content_length or 0) > limit:
            raise _too_large(response.content_length or 0, limit)
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if limit and size > limit:
                raise _too_large(f"{size} or more", limit)
            pieces.append(piece)
        return b"".join(pieces)

    def _check_literal(self, url: URL) -> None:
        """An address in place of a name never meets the resolver, so it is checked here."""
        try:
            address = ip_address(url.host or "")
        except ValueError:
            return
        if not self._is_allowed(address):
            raise _forbidden()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_CheckedResolver(self._resolver or aiohttp.ThreadedResolver(), self._is_allowed),
                use_dns_cache=False,
                force_close=True,
                limit=0,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.fetch_connect_timeout_seconds or None),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class _CheckedResolver(AbstractResolver):
    """Resolves names, and refuses those of which any address is not allowed."""

    def __init__(self, inner: AbstractResolver, is_allowed: Callable[[IpAddress], bool]) -> None:
        self._inner = inner
        self._is_allowed = is_allowed

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_UNSPEC) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        if not all(self._is_allowed(ip_address(result["host"])) for result in results):
            raise _forbidden()
        return results

    async def close(self) -> None:
        await self._inner.close()


def _anything(_address: IpAddress) -> bool:
    return True


def _checked_url(text: str) -> URL:
    """The URL, if it is one that may be fetched at all. Raises `MediaError` (`invalid_url`)."""
    try:
        url = URL(text)
        host = (url.host or "").rstrip(".")
        valid = url.scheme in {"http", "https"} and bool(host) and url.port is not None
    except ValueError:
        valid = False
    if not valid:
        raise MediaError("invalid_url", "The URL is not a valid http or https URL.")
    if url.user is not None or url.password is not None:
        raise MediaError("invalid_url", "The URL holds credentials, which are never sent.")
    if any(host == video or host.endswith(f".{video}") for video in _VIDEO_HOSTS):
        raise MediaError("invalid_url", "The URL names a video; the model can't watch videos.")
    return url


def _redirect(url: URL, location: str | None) -> URL:
    if not location:
        raise _failed(url, "the server redirected to nowhere")
    try:
        return _checked_url(str(url.join(URL(location))))
    except ValueError:
        raise MediaError("invalid_url", "The URL redirects to something that is not a URL.") from None


def _failed(url: URL, why: str) -> MediaError:
    """Names scheme and host only: path and query may hold secrets."""
    return MediaError("fetch_failed", f"could not fetch {url.scheme}://{url.host}: {why}.")


def _forbidden() -> MediaError:
    return MediaError("forbidden_address", "The URL leads to an address that is not public (LOCALAIK_FETCH).")


def _too_large(actual: int | str, limit: int) -> MediaError:
    return over_limit(
        "fetch_too_large",
        "The file at the URL",
        "bytes",
        actual=actual,
        limit=limit,
        setting="LOCALAIK_FETCH_MAX_BYTES",
    )
