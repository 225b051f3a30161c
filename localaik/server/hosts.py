"""Which names a server may be called by. Pure: no I/O, no aiohttp.

A web page can point a name of its own at 127.0.0.1 and then talk to a server there as to its own (DNS rebinding). The
browser still sends that name as `Host`, and no page owns the names that stand for one's own machine.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["Hosts"]

_CACHED: Final = 64
_LOCAL: Final = "localhost"


class Hosts:
    """The names of the machine itself, and those that the settings add."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """`allowed` has names in small letters without a port; `*.name` stands for all names below `name`."""
        self._names = {_LOCAL, *(name for name in allowed if not name.startswith("*"))}
        self._ends = (f".{_LOCAL}", *(name[1:] for name in allowed if name.startswith("*")))
        self.admits = lru_cache(maxsize=_CACHED)(self._admits)
        """Whether a header `Host` names one of them, whatever the port."""

    def _admits(self, header: str) -> bool:
        host = header.strip().lower()
        if host.startswith("["):
            host = host.partition("]")[0] + "]"
            return host in self._names or _is_loopback(host[1:-1])
        host = host.partition(":")[0].removesuffix(".")
        return host in self._names or host.endswith(self._ends) or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
