"""`localaik health`: asks a running server whether an answer can come. Also `python -m localaik.cli.health`.

A check of a container runs this every few seconds. So it needs the standard library alone, and speaks the little HTTP
that it needs by itself: `http.client` would triple the time of its imports.
"""

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["HealthError", "Place", "Told", "ask", "main", "places", "report"]

_DEFAULT_PORT: Final = "8090"
_ANSWER_SECONDS: Final = 5.0  # a server with an upstream asks that first, for at most 2 s
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
_LARGEST_ANSWER: Final = 1 << 20
_EVERY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::", "*", "localhost"})
_OK: Final = 200


class HealthError(Exception):
    """Nothing can be asked: the address is none. Says why in one line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server may be."""

    host: str
    port: int
    root: str
    """The path in front of `/health`, without a slash at its end; mostly empty."""
    is_encrypted: bool

    @property
    def url(self) -> str:
        """As a person writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_encrypted else 'http'}://{host}:{self.port}{self.root}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a server told of itself."""

    is_ready: bool
    reason: str
    """In a few words, why no answer can come; "" where one can."""
    body: Mapping[str, object]
    """What it answered; what else is known where there was no such answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read flags, ask, print; the exit status: 0 ready, 1 not, 2 for a bad flag or address."""
    parser = argparse.ArgumentParser(
        prog="localaik health", description="Ask a running server whether an answer can come: 0 yes, 1 no."
    )
    parser.add_argument("url", nargs="?", default="", metavar="URL", help="Where it is, with or without /v1.")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="Ask again for so long.")
    parser.add_argument("--json", action="store_true", help="Print what the server tells of itself.")
    given = parser.parse_args(arguments)
    return report(given.url, wait=given.wait, as_json=given.json, environ=os.environ)


def report(url: str, *, wait: float, as_json: bool, environ: Mapping[str, str]) -> int:
    """Ask the server at `url`, for up to `wait` seconds, and print what a script needs; the exit status, as of `main`.

    Without `url`, the server is the one that `environ` tells of (see `places`).
    """
    try:
        if not 0 <= wait < float("inf"):
            raise HealthError("--wait must be a number of seconds, 0 or more.")
        told = ask(places(url, environ), wait=wait)
    except HealthError as error:
        sys.stderr.write(f"localaik: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 1
    if as_json:
        sys.stdout.write(f"{json.dumps(told.body)}\n")
    if not told.is_ready:
        sys.stderr.write(f"localaik: not ready: {told.reason}\n")
    return 0 if told.is_ready else 1


def places(url: str, environ: Mapping[str, str]) -> tuple[Place, ...]:
    """Where to ask, in this order. Raises `HealthError` where that is no address.

    `url`, else `LOCALAIK_BASE_URL`, else this machine with the host and port that `serve` would take from `environ`.
    """
    for name, given in (("The address", url), ("LOCALAIK_BASE_URL", environ.get("LOCALAIK_BASE_URL", ""))):
        if given:
            return (_place(given, name),)
    name = "LOCALAIK_PORT" if environ.get("LOCALAIK_PORT") else "PORT"
    port = environ.get(name) or _DEFAULT_PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise HealthError(f"{name} must be a port from 1 to 65535, not {port!r}.")
    hosts = dict.fromkeys(
        one
        for host in environ.get("LOCALAIK_HOST", "").split(",")
        for one in (("127.0.0.1", "::1") if host.strip() in _EVERY_ADDRESS else (host.strip(" []"),))
    )
    return tuple(Place(one, int(port), "", is_encrypted=False) for one in hosts)


def _place(url: str, name: str) -> Place:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        raise HealthError(f"{name} must be like http://127.0.0.1:{_DEFAULT_PORT}.")
    is_encrypted = parts.scheme == "https"
    root = parts.path.rstrip("/").removesuffix("/health").removesuffix("/v1")
    return Place(host, port or (443 if is_encrypted else 80), root, is_encrypted)


def ask(
    where: Sequence[Place],
    *,
    wait: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Told:
    """What the first of these places that can be reached tells; again and again until it is ready or `wait` s are over.

    One question takes 5 s at most, and no longer than what is left of a `wait`.
    """
    end = clock() + wait
    pause = _FIRST_PAUSE
    while True:
        told = _ask_once(where, min(_ANSWER_SECONDS, max(end - clock(), 0.1)) if wait else _ANSWER_SECONDS)
        left = end - clock()
        if told.is_ready or left <= 0:
            return told
        sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _ask_once(where: Sequence[Place], seconds: float) -> Told:
    """What the first place tells where none can be reached."""
    failed: list[Told] = []
    for place in where:
        try:
            return _answer_of(place, seconds)
        except TimeoutError:
            failed.append(_silent(place, f"no answer within {seconds:.1f} s"))
        except (OSError, UnicodeError) as error:
            failed.append(_silent(place, getattr(error, "strerror", None) or str(error) or type(error).__name__))
            if isinstance(error, ConnectionRefusedError):
                continue
        break
    return failed[0]


def _silent(place: Place, why: str) -> Told:
    body: dict[str, object] = {"status": "unreachable", "reason": why, "url": place.url}
    return Told(is_ready=False, reason=f"{why} ({place.url})", body=body)


def _answer_of(place: Place, seconds: float) -> Told:
    """One request, as HTTP/1.0: so the answer has no chunks, and ends with the connection."""
    end = time.monotonic() + seconds
    host = place.url.split("://", 1)[1].removesuffix(place.root)
    request = f"GET {place.root}/health HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n"
    with socket.create_connection((place.host, place.port), timeout=seconds) as plain:
        connection = _encrypted(plain, place.host) if place.is_encrypted else plain
        connection.sendall(request.encode())
        received = bytearray()
        while len(received) < _LARGEST_ANSWER:
            connection.settimeout(max(end - time.monotonic(), 0.001))
            piece = connection.recv(65536)
            if not piece:
                break
            received += piece
    return _read(bytes(received), place)


def _encrypted(plain: socket.socket, host: str) -> socket.socket:
    import ssl  # noqa: PLC0415 - servers are seldom asked through TLS

    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def _read(answer: bytes, place: Place) -> Told:
    head, _, content = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return _silent(place, "no HTTP server answers there")
    status = int(words[1])
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "status" not in body:
        return _silent(place, f"HTTP status {status}, and not from localaik")
    reason = "" if status == _OK else str(body.get("reason") or f"HTTP status {status}")
    return Told(is_ready=status == _OK, reason=f"{reason} ({place.url})" if reason else "", body=body)


if __name__ == "__main__":
    sys.exit(main())
