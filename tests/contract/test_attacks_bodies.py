"""Bodies that are hard to read, against a real server: each gets one refusal, and nobody else waits for it."""

import asyncio
import base64
import gzip
import logging
import struct
import zlib

import psutil
import pytest

from tests.contract.conftest import RunningServer
from tests.raw_caller import PROBE, Reply, conversation, post, replies

MIB = 1 << 20
CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/m:generateContent"
KINDS = (CHAT, GEMINI)
MANY = 100_000
DIGITS = b"9" * 1_000_000


def chat(content: bytes = b'"hi"', more: bytes = b"") -> bytes:
    return b'{"model":"m","max_tokens":1,%b"messages":[{"role":"user","content":%b}]}' % (more, content)


def gemini(text: bytes = b'"hi"', more: bytes = b"") -> bytes:
    return b'{"generationConfig":{"maxOutputTokens":1},%b"contents":[{"parts":[{"text":%b}]}]}' % (more, text)


BODIES = {CHAT: chat, GEMINI: gemini}


def packed(size: int) -> tuple[bytes, bytes, bytes]:
    """So many blanks as gzip, with zlib's frame and without one."""
    packer, blanks, crc, adler = zlib.compressobj(9, wbits=-15), b" " * MIB, 0, 1
    pieces = []
    for _ in range(size // MIB):
        pieces.append(packer.compress(blanks))
        crc, adler = zlib.crc32(blanks, crc), zlib.adler32(blanks, adler)
    bare = b"".join([*pieces, packer.flush()])
    head = b"\x1f\x8b\x08" + bytes(7)
    return head + bare + struct.pack("<II", crc, size), b"\x78\xda" + bare + struct.pack(">I", adler), bare


BOMB, FRAMED_BOMB, BARE_BOMB = packed(96 * MIB)

BROKEN = {
    "nothing": b"",
    "blanks alone": b" " * MIB,
    "no JSON": b"hello",
    "two values": b"{} {}",
    "lists in lists": b"[" * MANY + b"]" * MANY,
    "lists that never end": b"[" * MANY,
    "objects in objects": b'{"a":' * MANY + b"1" + b"}" * MANY,
    "a text that never ends": b'{"model":"' + b"a" * MANY,
    "NaN": b'{"temperature":NaN}',
    "Infinity": b'{"temperature":-Infinity}',
    "1e999999": b'{"temperature":1e999999}',
    "a million digits": b'{"temperature":%b}' % DIGITS,
    "a million decimals and an exponent": b'{"temperature":0.%be999999}' % DIGITS,
    "leading zero": b'{"temperature":01}',
    "hexadecimal": b'{"temperature":0x10}',
    "comment": b"{} // yes",
    "single quotes": b"{'model':'m'}",
    "comma at the end": b'{"model":"m",}',
    "UTF-16": '{"model":"m"}'.encode("utf-16"),
    "UTF-32": '{"model":"m"}'.encode("utf-32"),
    "Latin-1": '{"model":"ä"}'.encode("latin-1"),
    "UTF-8 cut off": '{"model":"ä"}'.encode()[:-3] + b'"}',
    "overlong UTF-8": b'{"model":"\xc0\xaf"}',
    "UTF-8 beyond Unicode": b'{"model":"\xf5\x80\x80\x80"}',
    "a surrogate in UTF-8": b'{"model":"\xed\xa0\x80"}',
    "half of a pair": b'{"model":"\\ud800"}',
    "the wrong halves": b'{"model":"\\udc00\\ud800"}',
    "control characters": b'{"model":"a\x00b\x1b[31m"}',
    "an unknown escape": b'{"model":"\\x41"}',
    "a number": b"1",
    "a text": b'"hello"',
    "null": b"null",
    "a list": b"[]",
}


async def refusal(server: RunningServer, sent: bytes) -> Reply:
    """The one answer, after which the connection serves the next request or is closed."""
    told = await conversation(server.url, sent)
    assert [each.status for each in told[1:]] in ([200], [])
    assert 400 <= told[0].status < 500
    assert told[0].error
    return told[0]


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("name", BROKEN)
async def test_b013_what_is_no_json_is_refused(
    name: str, path: str, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    told = await refusal(server, post(path, BROKEN[name]))
    assert told.status == 400
    assert len(told.body) < 1000
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize(
    "more",
    [
        b'"seed":%b,' % DIGITS[:5000],
        b'"seed":1e308,',
        b'"max_tokens":%b,"generationConfig":{"maxOutputTokens":%b},' % (DIGITS[:20], DIGITS[:20]),
        b'"temperature":-1e308,"generationConfig":{"temperature":1e308},',
    ],
)
async def test_huge_numbers_are_never_a_defect(more: bytes, path: str, server: RunningServer) -> None:
    body = BODIES[path](b'"hi"', more)
    told, *_ = await conversation(server.url, post(path, body))
    assert told.status in {200, 400}


@pytest.mark.parametrize("path", KINDS)
async def test_of_equal_names_the_last_counts(path: str, server: RunningServer) -> None:
    more = b'"messages":1,"contents":1,"model":[],"model":"m",'
    told, *_ = await conversation(server.url, post(path, BODIES[path](b'"hi"', more)))
    assert told.status == 200


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("text", [b'"a\\u0000b"', b'"\\u001b[31m\\u202e\\u2028"', b'"\\ud83d\\ude00"'])
async def test_every_character_is_text(text: bytes, path: str, server: RunningServer) -> None:
    told, *_ = await conversation(server.url, post(path, BODIES[path](text)))
    assert told.status == 200


@pytest.mark.parametrize("path", KINDS)
async def test_a_hundred_thousand_names_are_read_at_once(path: str, server: RunningServer) -> None:
    names = b"".join(b'"k%d":1,' % number for number in range(MANY))
    told = await conversation(server.url, post(path, BODIES[path](b'"hi"', names)))
    assert told[0].status == (400 if path == CHAT else 200)
    assert told[-1].status == 200


def chunked(path: str, pieces: int, size: int) -> bytes:
    chunk = b"%x\r\n%b\r\n" % (size, b" " * size)
    head = post(path, b"", "Transfer-Encoding: chunked", "Connection: close", declared=False)
    return head + chunk * pieces + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, b" " * (64 * MIB + 1)),
        ("gzip", BOMB),
        ("gzip", gzip.compress(b"") * 50_000 + BOMB),
        ("deflate", FRAMED_BOMB),
        ("deflate", BARE_BOMB),
    ],
)
async def test_a_body_over_the_limit_is_refused_and_not_kept(
    encoding: str | None, body: bytes, server: RunningServer
) -> None:
    headers = [f"Content-Encoding: {encoding}"] if encoding else []
    process = psutil.Process()
    before = process.memory_info().rss
    (told, *_) = await replies(server.url, post(CHAT, body, "Connection: close", *headers))
    assert told.status == 413
    assert "67108864" in told.error
    assert process.memory_info().rss - before < 256 * MIB


async def test_a_body_in_chunks_over_the_limit_is_refused(server: RunningServer) -> None:
    (told, *_) = await replies(server.url, chunked(CHAT, 1025, 65_536))
    assert told.status == 413


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress", "gzip\x0b"])
@pytest.mark.parametrize("path", [*KINDS, "/v1/files", "/upload/v1beta/files"])
async def test_codings_that_are_not_known_are_refused(path: str, encoding: str, server: RunningServer) -> None:
    told = await replies(server.url, post(path, b"{}", f"Content-Encoding: {encoding}", "Connection: close"))
    assert [each.status for each in told] in ([415], [400])


async def test_a_packed_body_that_nobody_reads_is_not_unpacked(server: RunningServer) -> None:
    """Its path is not served, so what it would be is nobody's business: that it is no gzip goes unnoticed."""
    told = await conversation(server.url, post("/nothing", bytes(MIB), "Content-Encoding: gzip"))
    assert [each.status for each in told] == [404, 200]


async def test_others_are_served_while_a_bomb_is_read(server: RunningServer) -> None:
    bomb = asyncio.create_task(replies(server.url, post(CHAT, BOMB, "Content-Encoding: gzip", "Connection: close")))
    served = 0
    while not bomb.done():
        assert [each.status for each in await replies(server.url, PROBE)] == [200]
        served += 1
    assert (await bomb)[0].status == 413
    assert served >= 2


def image(data: bytes) -> bytes:
    url = b"data:image/png;base64," + base64.b64encode(data)
    return b'[{"type":"image_url","image_url":{"url":"%b"}}]' % url


@pytest.mark.parametrize(
    "header",
    ["X-Session-Id", "X-Client-Request-Id", "Origin", "Cookie", "traceparent", "X-Goog-Upload-Header-Content-Type"],
)
async def test_headers_that_are_no_text_are_no_defect(header: str, server: RunningServer) -> None:
    upload = "X-Goog-Upload-Protocol: resumable\r\nX-Goog-Upload-Command: start"
    for path in (CHAT, "/upload/v1beta/files"):
        sent = post(path, chat(), upload, f"{header}: \xff\xfe").decode().encode("latin-1")
        told, *_ = await conversation(server.url, sent)
        assert told.status < 500


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:1/",
        "file:///etc/passwd",
        "/etc/passwd",
        "gopher://127.0.0.1:25/",
        "http://user:secret@example.test/",
        "http://127.0.0.1:1/\\r\\nX-Injected: secret",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,",
        "data:,hello",
    ],
)
async def test_urls_in_requests_lead_nowhere(url: str, server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    """The rule of public addresses is off on this server: what is left are the forms of URLs."""
    content = b'[{"type":"image_url","image_url":{"url":"%b"}}]' % url.encode()
    told, *_ = await conversation(server.url, post(CHAT, chat(content)))
    assert told.status == 400
    assert "secret" not in told.body.decode()
    assert "secret" not in caplog.text


def form(name: bytes, file_name: bytes, content: bytes = b"hello", more: bytes = b"") -> tuple[bytes, str]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        b'--b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n%b\r\n%b\r\n--b--\r\n'
    ) % (name, file_name, more, content)
    return body, "Content-Type: multipart/form-data; boundary=b"


def upload(body: bytes, kind: str) -> bytes:
    head = f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "name",
    [
        b"../../../etc/passwd",
        b"..\\\\..\\\\windows\\\\win.ini",
        b"/etc/passwd",
        b"C:\\\\x.txt",
        b"a\0b.txt",
        b"a\x1b[31m.txt",
        b"\xe2\x80\xaetxt.exe",
        b".",
        b"..",
        b"a" * 5000,
        b"a%0d%0aX-Injected: yes.txt",
        b"con",
        b"\xff\xfe.txt",
    ],
)
async def test_names_of_uploaded_files_are_words_and_no_paths(name: bytes, server: RunningServer) -> None:
    told, *_ = await conversation(server.url, upload(*form(b"file", name)))
    assert told.status in {200, 400}
    if told.status == 400:
        assert told.error
        return
    file = told.json["id"]
    get = f"GET /v1/files/{file}/content HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    content, *_ = await conversation(server.url, get)
    assert (content.status, content.body) == (200, b"hello")
    assert "x-injected" not in content.headers
    delete = f"DELETE /v1/files/{file} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    assert (await conversation(server.url, delete))[0].status == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "Content-Type: multipart/form-data; boundary=b"),
        (b"--b\r\n", "Content-Type: multipart/form-data; boundary=b"),
        (b"--b\r\n\r\nhello\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=" + "b" * 5000),
        (b"--b\r\n\r\nhello", "Content-Type: multipart/form-data"),
        (b"--b\r\n" + b"X: y\r\n" * 5000 + b"\r\n\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b"),
        (b"--b\r\nX: " + b"y" * MIB + b"\r\n\r\n\r\n--b--\r\n", "Content-Type: multipart/form-data; boundary=b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 5000 + b"--b--\r\n", form(b"", b"")[1]),
        form(b"file", b"a.txt", more=b"Content-Type: multipart/mixed; boundary=c\r\n"),
        form(b"file", b"a.txt", more=b"Content-Transfer-Encoding: base64\r\n"),
        form(b"\0", b"a.txt"),
    ],
)
async def test_forms_that_are_none_are_refused(body: bytes, kind: str, server: RunningServer) -> None:
    told, *_ = await conversation(server.url, upload(body, kind))
    assert 400 <= told.status < 500
    assert told.error
