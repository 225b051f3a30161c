"""Requests that no sound client sends, as bytes, against a real server: each is one request with one answer at most."""

import logging
import re
from collections.abc import Iterator

import pytest

from tests.contract.conftest import RunningServer
from tests.raw_caller import PROBE, Reply, conversation, post, replies

CHAT = "/v1/chat/completions"
BODY = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi, secret!"}]}'
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(*lines: str, first: str = f"POST {CHAT} HTTP/1.1") -> bytes:
    return "\r\n".join([first, "Host: localhost", "Content-Type: application/json", *lines, "", ""]).encode("latin-1")


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


LENGTH = f"Content-Length: {len(BODY)}"
TE = "Transfer-Encoding: chunked"

# Two readers of the same bytes may disagree about where these end.
AMBIGUOUS = {
    "length then chunks": head("Content-Length: 4", TE) + chunks(BODY),
    "chunks then length": head(TE, "Content-Length: 4") + b"0\r\n\r\n" + SMUGGLED,
    "two lengths": head("Content-Length: 0", LENGTH) + BODY,
    "the same length twice": head(LENGTH, LENGTH) + BODY,
    "list of lengths": head(f"{LENGTH}, {len(BODY)}") + BODY,
    "negative length": head("Content-Length: -1") + BODY,
    "plus": head(f"Content-Length: +{len(BODY)}") + BODY,
    "hexadecimal length": head("Content-Length: 0x10") + BODY,
    "fractional length": head("Content-Length: 5.0") + BODY,
    "underscore in length": head("Content-Length: 1_0") + BODY,
    "blank in length": head("Content-Length: 1 0") + BODY,
    "empty length": head("Content-Length:") + BODY,
    "length of 24 digits": head("Content-Length: " + "9" * 24) + BODY,
    "length in other digits": head("Content-Length: \xb2") + BODY,
    "chunked is not last": head("Transfer-Encoding: chunked, identity") + chunks(BODY),
    "unknown coding": head("Transfer-Encoding: xchunked") + chunks(BODY),
    "no coding": head("Transfer-Encoding: identity") + chunks(BODY),
    "empty coding": head("Transfer-Encoding:") + chunks(BODY),
    "another coding first": head("Transfer-Encoding: gzip, chunked") + chunks(BODY),
    "identity first": head("Transfer-Encoding: identity, chunked") + chunks(BODY),
    "coding in quotes": head('Transfer-Encoding: "chunked"') + chunks(BODY),
    "coding with a vertical tab": head("Transfer-Encoding: \x0bchunked") + chunks(BODY),
    "coding twice": head(TE, TE) + chunks(BODY),
    "two codings": head(TE, "Transfer-Encoding: identity") + chunks(BODY),
    "blank before the colon": head("Transfer-Encoding : chunked") + chunks(BODY),
    "tab before the colon": head("Content-Length\t: 5", LENGTH) + BODY,
    "blank before the name": head(" Transfer-Encoding: chunked", LENGTH) + BODY,
    "folded line": head("X-Long: a\r\n b", LENGTH) + BODY,
    "folded coding": head("Transfer-Encoding:\r\n chunked") + chunks(BODY),
    "first header is folded": head().replace(b"Host", b" Host") + BODY,
    "LF ends a line": head(LENGTH + "\nX-A: b") + BODY,
    "CR ends a line": head("X-A: b\r" + LENGTH) + BODY,
    "LF ends all lines": head(LENGTH).replace(b"\r\n", b"\n") + BODY,
    "LF inside a value": head("X-A: b\n\nGET /smuggled HTTP/1.1") + SMUGGLED,
    "no colon": head("X-A", LENGTH) + BODY,
    "no name": head(": a", LENGTH) + BODY,
    "NUL in a name": head("X\0A: b", LENGTH) + BODY,
    "NUL in a value": head("X-A: b\0c", LENGTH) + BODY,
    "name that is not ASCII": head("X-\xe4: b", LENGTH) + BODY,
    "two hosts": head("Host: other.test", LENGTH) + BODY,
    "no host": head(LENGTH).replace(b"Host: localhost\r\n", b"") + BODY,
    "chunk size is no number": head(TE) + b"zz\r\n" + BODY,
    "chunk size is negative": head(TE) + b"-1\r\n" + BODY,
    "chunk size with plus": head(TE) + b"+5\r\nhello\r\n0\r\n\r\n",
    "chunk size with 0x": head(TE) + b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size with a blank": head(TE) + b"5 5\r\nhello\r\n0\r\n\r\n",
    "chunk size is empty": head(TE) + b"\r\nhello\r\n0\r\n\r\n",
    "chunk size of 65 bits": head(TE) + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "chunk is shorter than its data": head(TE) + b"3\r\nhello\r\n0\r\n\r\n",
    "LF ends a chunk size": head(TE) + b"5\nhello\r\n0\r\n\r\n",
    "LF ends a chunk": head(TE) + b"5\r\nhello\n0\r\n\r\n",
    "LF in a chunk extension": head(TE) + b"5;a\n=b\r\nhello\r\n0\r\n\r\n",
    "CR in a chunk extension": head(TE) + b"5;a\r=b\r\nhello\r\n0\r\n\r\n",
    "NUL in a chunk extension": head(TE) + b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "length in a trailer": head(TE) + chunks(BODY)[:-2] + b"Content-Length: 3\r\n\r\n",
    "coding in a trailer": head(TE) + chunks(BODY)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n",
    "trailer without a colon": head(TE) + chunks(BODY)[:-2] + b"oops\r\n\r\n",
}

# What stands where a request line should.
STRANGE_LINES = {
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "HTTP/0.9 with a blank": b"GET /v1/models \r\n\r\n",
    "HTTP/1.2": head(first="GET /v1/models HTTP/1.2"),
    "HTTP/1.10": head(first="GET /v1/models HTTP/1.10"),
    "HTTP/2.0": head(first="GET /v1/models HTTP/2.0"),
    "HTTP/9.9": head(first="GET /v1/models HTTP/9.9"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
    "small letters": head(first="GET /v1/models http/1.1"),
    "another protocol": head(first="GET /v1/models RTSP/1.0"),
    "no version": head(first="GET /v1/models HTTP/"),
    "no target": head(first="GET HTTP/1.1"),
    "method in small letters": head(first="get /v1/models HTTP/1.1"),
    "unknown method": head(first="SMUGGLE /v1/models HTTP/1.1"),
    "method of 64 KiB": head(first="G" * 65_536 + " /v1/models HTTP/1.1"),
    "tabs": head(first="GET\t/v1/models\tHTTP/1.1"),
    "NUL in the path": head(first="GET /v1/mod\0els HTTP/1.1"),
    "LF in the path": head(first="GET /v1/mod\nels HTTP/1.1"),
    "CR in the path": head(first="GET /v1/mod\rels HTTP/1.1"),
    "Latin-1 in the path": head(first="GET /v1/mod\xe8ls HTTP/1.1"),
    "overlong UTF-8 in the path": head(first="GET /v1/\xc0\xae\xc0\xae/models HTTP/1.1"),
    "blank in the path": head(first="GET /v1/models /smuggled HTTP/1.1"),
    "no slash": head(first="GET v1/models HTTP/1.1"),
    "backslash": head(first="GET \\v1\\models HTTP/1.1"),
    "asterisk": head(first="GET * HTTP/1.1"),
    "URL without a host": head(first="GET http:///v1/models HTTP/1.1"),
    "URL of another host": head(first="GET http://other.test/v1/models HTTP/1.1"),
    "URL with a password": head(first="GET http://user:secret@localhost/v1/models HTTP/1.1"),
    "URL of a file": head(first="GET file:///etc/passwd HTTP/1.1"),
    "path of 64 KiB": head(first=f"GET /v1/{'a' * 65_536} HTTP/1.1"),
    "query of 64 KiB": head(first=f"GET /v1/models?{'a' * 65_536} HTTP/1.1"),
    "header of 64 KiB": head(f"X-A: {'a' * 65_536}", first="GET /v1/models HTTP/1.1"),
    "header name of 64 KiB": head(f"{'a' * 65_536}: b", first="GET /v1/models HTTP/1.1"),
    "500 headers": head(*(["a: b"] * 500), first="GET /v1/models HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100,
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "nothing that anybody knows": bytes(range(256)),
}


@pytest.fixture(autouse=True)
def no_tracebacks(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is sent: no defect is logged, and nothing of it either."""
    caplog.set_level(logging.INFO)
    yield
    for record in caplog.records:
        assert record.exc_info is None
        assert record.levelno < logging.ERROR
    assert "secret" not in caplog.text


def the_one_refusal(answers: list[Reply]) -> Reply:
    (told,) = answers
    assert 400 <= told.status < 500
    assert told.error
    assert not re.search("secret|smuggled", told.body.decode().lower())
    assert told.headers["x-request-id"].startswith("req_")
    return told


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_a_request_that_may_be_read_in_two_ways_is_refused_and_the_connection_closed(
    name: str, server: RunningServer
) -> None:
    told = the_one_refusal(await replies(server.url, AMBIGUOUS[name] + SMUGGLED + PROBE))
    assert told.status == 400
    assert told.headers["connection"] == "close"
    assert told.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("name", STRANGE_LINES)
async def test_what_is_no_request_gets_one_refusal(name: str, server: RunningServer) -> None:
    told = the_one_refusal(await replies(server.url, STRANGE_LINES[name] + SMUGGLED + PROBE))
    assert told.status == 400


@pytest.mark.parametrize(
    ("path", "member"),
    [("/v1/models", "type"), ("/v1beta/models", "status"), ("/v1beta/openai/models", "status"), ("/health", None)],
)
async def test_a_refusal_has_the_form_of_the_api_that_the_path_belongs_to(
    path: str, member: str | None, server: RunningServer
) -> None:
    told = the_one_refusal(await replies(server.url, head("X : y", first=f"GET {path} HTTP/1.1")))
    error = (told.json[0] if isinstance(told.json, list) else told.json)["error"]
    assert isinstance(error, str) if member is None else member in error


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (head(TE) + chunks(BODY[:20], BODY[20:]), [200, 200]),
        (head(TE) + b"%x;name=value;more\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), [200, 200]),
        (head(TE) + b"%x;name=%b\r\n%b\r\n0\r\n\r\n" % (len(BODY), b"a" * 1_048_576, BODY), [200, 200]),
        (head(TE) + chunks(BODY)[:-2] + b"X-Checked: yes\r\n\r\n", [200, 200]),
        (head("Transfer-Encoding: CHUNKED") + chunks(BODY), [200, 200]),
        (b"\r\n\r\n" + post(CHAT, BODY), [200, 200]),
        (head(LENGTH, first=f"POST http://localhost{CHAT} HTTP/1.1") + BODY, [200, 200]),
        (post(CHAT, BODY, "Expect: 200-maybe"), [200, 200]),
        (post(CHAT, BODY, "Connection: Upgrade", "Upgrade: h2c"), [200, 200]),
        (head("Content-Length: 6", first="GET /v1/models HTTP/1.1") + b"{\r\n\r\n}", [200, 200]),
        (b"GET /v1/models HTTP/1.0\r\n\r\n", [200]),
        (post(CHAT, BODY, "Upgrade: websocket", "Connection: Upgrade"), [200, 200]),
        (head(first="OPTIONS * HTTP/1.1"), [404, 200]),
        (head(first="TRACE /v1/models HTTP/1.1"), [405, 200]),
    ],
)
async def test_what_is_unusual_and_sound_is_answered_and_so_is_the_next_request(
    sent: bytes, statuses: list[int], server: RunningServer
) -> None:
    assert [told.status for told in await conversation(server.url, sent)] == statuses


@pytest.mark.parametrize("target", ["other.test:443", "/v1/models", "localhost:8090"])
async def test_this_is_no_proxy(target: str, server: RunningServer) -> None:
    told = await replies(server.url, head("Connection: close", first=f"CONNECT {target} HTTP/1.1") + SMUGGLED)
    assert the_one_refusal(told[:1]).status in {400, 404, 405}
    assert len(told) == 1


@pytest.mark.parametrize("length", [len(BODY) - 1, 5, 0])
async def test_bytes_beyond_the_body_are_the_next_request(length: int, server: RunningServer) -> None:
    """They come with the body, so there is nothing but one refusal: of the second one, or of both."""
    told = await replies(server.url, head(f"Content-Length: {length}") + BODY + b"\r\n" + PROBE)
    assert {each.status for each in told} == {400}
    assert len(told) <= 2


async def test_requests_in_one_packet_are_answered_in_order(server: RunningServer) -> None:
    missing = head(first="GET /v1/nothing HTTP/1.1")
    told = await replies(server.url, missing + post(CHAT, BODY) + missing + PROBE)
    assert [each.status for each in told] == [404, 200, 404, 200]


async def test_a_thousand_requests_in_one_packet_are_answered(server: RunningServer) -> None:
    told = await replies(server.url, head(first="GET /health/live HTTP/1.1") * 1000 + PROBE)
    assert [each.status for each in told] == [200] * 1001


TRAVERSALS = (
    "../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "..%5c..%5cwindows%5cwin.ini",
    "....//....//etc/passwd",
    "%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "/etc/passwd",
    "%00/etc/passwd",
    "file-%00",
    "a%0d%0aX-Injected:%20secret",
    "%e2%80%ae%1b[31mred",
    "'%20OR%20'1'='1",
    "a" * 4000,
)
ROUTES = (
    "/v1/files/{}",
    "/v1/files/{}/content",
    "/v1/responses/{}",
    "/v1/conversations/{}",
    "/v1/batches/{}",
    "/v1/uploads/{}/cancel",
    "/v1/sessions/{}",
    "/v1beta/files/{}",
    "/v1beta/files/{}:download",
    "/v1beta/cachedContents/{}",
    "/v1beta/batches/{}",
    "/upload/v1beta/files?upload_id={}",
    "/openai/v1/files/{}",
    "/{}",
)


@pytest.mark.parametrize("route", ROUTES)
async def test_ids_in_paths_lead_nowhere(route: str, server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    for method in ("GET", "DELETE", "POST"):
        sent = [head("Content-Length: 0", first=f"{method} {route.format(bad)} HTTP/1.1") for bad in TRAVERSALS]
        told = await conversation(server.url, *sent)
        assert [each.status for each in told[len(sent) :]] == [200]
        for each in told[: len(sent)]:
            assert 400 <= each.status < 500
            assert each.error
            assert "x-injected" not in each.headers
            assert b"root:" not in each.body
    for record in caplog.records:
        assert record.getMessage().isprintable()
