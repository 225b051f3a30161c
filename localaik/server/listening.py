"""The sockets that a server listens on."""

import errno
import socket
import sys
from typing import Any, Final

from localaik.engine.launchers.base import StartError
from localaik.settings import split_hosts

__all__ = ["BACKLOG", "listen", "neighbour_socket", "url_of"]

BACKLOG: Final = 1024
_EVERY: Final = frozenset({"0.0.0.0", "::"})
_NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def listen(
    hosts: str, port: int, *, shares: int = 1, are_balanced: bool = sys.platform == "linux"
) -> list[list[socket.socket]]:
    """Listening sockets for each address of `hosts` (several with commas): so many equal lists as there are `shares`.

    All addresses have the same port; 0 picks one. Shares have sockets of their own where the kernel distributes
    connections between such (`are_balanced`; SO_REUSEPORT does so on Linux). Elsewhere all have the same ones, from
    which whoever is not busy takes a connection. An address of a family that this machine does not have is left out
    where there is another one. Raises `StartError` naming the port where it is taken.
    """
    if not are_balanced and shares > 1:
        (only,) = listen(hosts, port)
        return [only, *([each.dup() for each in only] for _ in range(shares - 1))]
    addresses = _addresses(hosts, port)
    lists: list[list[socket.socket]] = [[] for _ in range(shares)]
    try:
        for at, (family, address) in enumerate(addresses):
            if shares > 1 and port:
                # Other servers that share the port in this way would not be in the way, and get half of our calls.
                _bound(family, (address[0], port, *address[2:])).close()
            try:
                for sockets in lists:
                    sockets.append(_bound(family, (address[0], port, *address[2:]), shared=shares > 1))
                    port = sockets[-1].getsockname()[1]
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY or (at == len(addresses) - 1 and not lists[0]):
                    raise
        for listening in (each for sockets in lists for each in sockets):
            listening.listen(BACKLOG)
    except OSError as error:
        for listening in (each for sockets in lists for each in sockets):
            listening.close()
        raise StartError(
            f"Can't listen on {hosts} port {port}: {error.strerror}. Choose another port with --port or LOCALAIK_PORT."
        ) from None
    return lists


def url_of(sockets: list[socket.socket]) -> str:
    """`http://host:port` by which this machine reaches the first one."""
    host, port = sockets[0].getsockname()[:2]
    host = "localhost" if host in _EVERY else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def neighbour_socket(path: str) -> socket.socket:
    """A socket at `path` in the file system, for callers on this machine that may enter its folder.

    Raises `StartError` where there can't be one; some 100 bytes is as long as a path may be.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise StartError(f"Can't listen at {path} ({error.strerror or error}). TMPDIR names the folder.") from None
    return listening


def _addresses(hosts: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """Families and addresses, each once."""
    found: dict[tuple[int, tuple[Any, ...]], None] = {}
    for host in split_hosts(hosts):
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise StartError(f"Can't listen on {host!r}: {error.strerror or 'the name is unknown'}.") from None
        found |= {(info[0], info[4]): None for info in infos}
    return list(found)


def _bound(family: int, address: tuple[Any, ...], *, shared: bool = False) -> socket.socket:
    """A socket that is bound and does not listen yet. Raises `OSError`."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening
