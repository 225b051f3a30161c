"""The sockets of a server: one for each address, the same port for all, and room for several processes."""

import socket
import sys

import pytest

from localaik.engine.launchers.base import StartError
from localaik.server.listening import listen, url_of
from localaik.settings import is_loopback


def close(*lists: list[socket.socket]) -> None:
    for listening in (each for sockets in lists for each in sockets):
        listening.close()


def test_several_addresses_have_one_port() -> None:
    (sockets,) = listen("127.0.0.1, 127.0.0.2", 0)
    ports = {listening.getsockname()[1] for listening in sockets}
    assert [listening.getsockname()[0] for listening in sockets] == ["127.0.0.1", "127.0.0.2"]
    assert len(ports) == 1
    assert url_of(sockets) == f"http://127.0.0.1:{ports.pop()}"
    close(sockets)


def test_both_families_on_one_port() -> None:
    (sockets,) = listen("0.0.0.0,::", 0)
    families = {listening.family for listening in sockets}
    port = sockets[0].getsockname()[1]
    assert socket.AF_INET in families
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        pass
    if socket.AF_INET6 in families:
        with socket.create_connection(("::1", port), timeout=10):
            pass
    close(sockets)


def test_an_address_that_this_machine_does_not_have_is_left_out_unless_it_is_the_only_one() -> None:
    (sockets,) = listen("127.0.0.1,192.0.2.1", 0)  # RFC 5737: nobody's
    assert len(sockets) == 1
    close(sockets)
    with pytest.raises(StartError, match=r"192\.0\.2\.1 port"):
        listen("192.0.2.1", 0)
    with pytest.raises(StartError, match="nowhere"):
        listen("nowhere.invalid", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no workers here")
def test_shares_are_the_same_sockets_where_the_kernel_does_not_distribute_connections() -> None:
    shares = listen("127.0.0.1,127.0.0.2", 0, shares=3, are_balanced=False)
    (port,) = {listening.getsockname()[1] for sockets in shares for listening in sockets}
    with socket.create_connection(("127.0.0.2", port), timeout=10):
        for first, second in shares:
            with pytest.raises(BlockingIOError):
                first.accept()
            assert first.fileno() != second.fileno()
        taken, _ = shares[2][1].accept()  # any of them may
        taken.close()
        with pytest.raises(BlockingIOError):
            shares[1][1].accept()
    close(*shares)
    with pytest.raises(StartError, match="port"), socket.create_server(("127.0.0.1", 0)) as other:
        listen("127.0.0.1", other.getsockname()[1], shares=2, are_balanced=False)


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="there are no workers here")
def test_shares_have_one_port_that_nobody_else_has() -> None:
    shares = listen("127.0.0.1", 0, shares=3)
    ports = {listening.getsockname()[1] for sockets in shares for listening in sockets}
    assert [len(sockets) for sockets in shares] == [1, 1, 1]
    (port,) = ports
    for count in (1, 2):  # the same kind of sharing by another server must not go unnoticed
        with pytest.raises(StartError, match=f"port {port}"):
            listen("127.0.0.1", port, shares=count)
    close(*shares)
    close(*listen("127.0.0.1", port, shares=2))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such option")
def test_a_port_is_free_again_at_once() -> None:
    (sockets,) = listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        accepted, _ = _accept(sockets[0])
        accepted.close()
    close(sockets)
    close(*listen("127.0.0.1", port))


def _accept(listening: socket.socket) -> tuple[socket.socket, object]:
    listening.settimeout(10)
    return listening.accept()


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [("127.0.0.1", True), ("localhost,::1", True), ("127.0.0.1,0.0.0.0", False), ("0.0.0.0,::", False)],
)
def test_private_is_what_is_private_at_all_addresses(hosts: str, expected: bool) -> None:
    assert is_loopback(hosts) is expected
