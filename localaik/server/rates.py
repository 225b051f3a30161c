"""Rate limits for each client: whose address a call comes from, and the check before a handler."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from localaik.http.call import Call
from localaik.http.quota import Quota, RateLimiter
from localaik.protocols.contract import Route
from localaik.settings import Network, Settings, read_proxies, read_rates

__all__ = ["RateCheck", "client_of"]

UNKNOWN_CLIENT: Final = "unknown"
"""All callers without an address, such as those of a Unix socket, are one client."""

_CACHED_ADDRESSES: Final = 256
_FORWARDED: Final = "X-Forwarded-For"
_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


class RateCheck:
    """The check of a call before its handler sees it."""

    def __init__(self, settings: Settings, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._rates = read_rates(settings.rate_limits)
        self._proxies = read_proxies(settings.trusted_proxies)

    async def admit(self, call: Call, route: Route) -> None:
        """Give a call its quota, where the route is limited, and count it. Raises `RateLimited`."""
        rate = self._rates.get(route.bucket)
        if rate is None:
            return
        forwarded = call.request.headers.getall(_FORWARDED, ()) if self._proxies else ()
        client = client_of(call.request.remote, forwarded, self._proxies)
        call.quota = Quota(self._limiter, route.bucket, rate, client)
        if not route.counts_itself:
            await call.quota.take()


def client_of(peer: str | None, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The address that a call is counted for.

    `peer` is the other end of the connection, `forwarded` are the values of the header `X-Forwarded-For`. They are
    believed as far as trusted proxies have written them: each of these adds, on the right, whom it was called by.
    """
    client = _address(peer or "")
    if client is None:
        return UNKNOWN_CLIENT
    for text in reversed(",".join(forwarded).split(",")):
        if not any(client in network for network in proxies):
            break
        caller = _address(text)
        if caller is None:
            break  # the proxy tells nothing that can be told apart
        client = caller
    return str(client)


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, perhaps with a port; one of IPv4 is the same however it is written."""
    match = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ip_address(match[1] or match[2] if match else text.strip())
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
