"""What the texts of the settings of rate limits say: how many calls in which time, and which proxies are believed."""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

__all__ = [
    "BUCKETS",
    "RATE_ALIASES",
    "Network",
    "Rate",
    "faulty_rate_aliases",
    "rates_of_aliases",
    "read_proxies",
    "read_rates",
]


class Rate(NamedTuple):
    """So many calls in so many seconds."""

    calls: int
    seconds: int


EGEMMA: Final[Mapping[str, Rate]] = {
    "embed": Rate(5, 10),
    "summarize": Rate(2, 60),
    "chat": Rate(100, 60),
    "conversation": Rate(100, 60),
}
"""The limits of eGemma, which has one for each group of routes: a bucket."""

BUCKETS: Final = tuple(EGEMMA)

RATE_ALIASES: Final[Mapping[str, tuple[str, str]]] = {
    f"{bucket.upper()}_RATE_LIMIT_{half.upper()}": (bucket, half) for bucket in BUCKETS for half in Rate._fields
}
"""eGemma's variables, two for each bucket -> the bucket, and which half of its rate."""

_OFF: Final = "off"
_ALL_OF_EGEMMA: Final = "egemma"
_MAX_CALLS: Final = 1_000_000
_MAX_SECONDS: Final = 86_400
_RATE: Final = re.compile(r"([a-z]+)=([0-9]{1,7})/([0-9]{1,5})")
_HALF: Final = re.compile(r"\s*[1-9][0-9]{0,6}\s*")
_MAPPED_BITS: Final = 96
"""Length of the prefix that IPv4 addresses have where they are written as IPv6 (RFC 4291, section 2.5.5.2)."""

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=8)
def read_rates(text: str) -> Mapping[str, Rate]:
    """The rate of each bucket that has one: of a list such as `embed=5/10,chat=10/60`, or eGemma's for `egemma`.

    `egemma` may begin a list that changes some of its rates. An empty text and `off` are no rates at all. Raises
    `ValueError` for anything else, for a bucket that there is not or that is named twice, and for a zero.
    """
    parts = [part.strip().lower() for part in text.split(",")]
    if parts in ([""], [_OFF]):
        return {}
    base = EGEMMA if parts[0] == _ALL_OF_EGEMMA else {}
    rates: dict[str, Rate] = {}
    for part in parts[1:] if base else parts:
        match = _RATE.fullmatch(part)
        if match is None or match[1] not in EGEMMA or match[1] in rates:
            raise ValueError("not a rate")
        rate = Rate(int(match[2]), int(match[3]))
        if not (0 < rate.calls <= _MAX_CALLS and 0 < rate.seconds <= _MAX_SECONDS):
            raise ValueError("a rate is out of range")
        rates[match[1]] = rate
    return {**base, **rates}


def rates_of_aliases(environ: Mapping[str, str]) -> str:
    """What eGemma's variables say, as a text for `read_rates`: a bucket has a rate where one of its two is set.

    The missing half is eGemma's own number.
    """
    asked = {bucket for name, (bucket, _) in RATE_ALIASES.items() if environ.get(name)}
    rates = []
    for bucket in (bucket for bucket in BUCKETS if bucket in asked):
        calls, seconds = (
            (environ.get(f"{bucket.upper()}_RATE_LIMIT_{half.upper()}") or str(default)).strip()
            for half, default in EGEMMA[bucket]._asdict().items()
        )
        rates.append(f"{bucket}={calls}/{seconds}")
    return ",".join(rates)


def faulty_rate_aliases(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of eGemma's variables that are no number of at least 1, and what they may be."""
    limits = {"calls": _MAX_CALLS, "seconds": _MAX_SECONDS}
    return {
        name: f"a whole number from 1 to {limits[half]}"
        for name, (_, half) in RATE_ALIASES.items()
        if (text := environ.get(name)) and not (_HALF.fullmatch(text) and int(text) <= limits[half])
    }


@lru_cache(maxsize=8)
def read_proxies(text: str) -> tuple[Network, ...]:
    """The addresses and networks of a list with commas. Raises `ValueError` for what is neither.

    An IPv4 network that is written as IPv6 is one of IPv4.
    """
    return tuple(_network(part.strip()) for part in text.split(",")) if text else ()


def _network(text: str) -> Network:
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network
