import base64

import pytest

from localaik.engine.launchers.base import StartError
from localaik.engine.upstream import Upstream, join, parse_auth_header, redact
from localaik.settings import Settings


@pytest.mark.parametrize(
    ("url", "base", "root"),
    [
        ("http://h:8080/v1", "http://h:8080/v1", "http://h:8080"),
        ("http://h:8080/v1/", "http://h:8080/v1", "http://h:8080"),
        ("http://h/openai/v1", "http://h/openai/v1", "http://h/openai"),
        ("http://h:8080", "http://h:8080", "http://h:8080"),
        ("http://h:8080/", "http://h:8080", "http://h:8080"),
        ("https://h/v1beta/openai/", "https://h/v1beta/openai", "https://h/v1beta/openai"),
        ("http://h/xv1", "http://h/xv1", "http://h/xv1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1", "http://[::1]:8080"),
        ("http://h/v1?a=b&c=%2F", "http://h/v1?a=b&c=/", "http://h/?a=b&c=/"),
        ("  http://h/v1  ", "http://h/v1", "http://h"),
        ("http://h/v1#part", "http://h/v1", "http://h"),
    ],
)
def test_b145_base_and_root(url: str, base: str, root: str) -> None:
    upstream = Upstream.parse(url)
    assert str(upstream.base).rstrip("/") == base.rstrip("/")
    assert str(upstream.root).rstrip("/") == root.rstrip("/")


def test_b145_urls_of_the_calls_keep_the_query() -> None:
    upstream = Upstream.parse("http://h/a/v1?key=1")
    assert str(join(upstream.base, "chat/completions")) == "http://h/a/v1/chat/completions?key=1"
    assert str(join(upstream.root, "tokenize")) == "http://h/a/tokenize?key=1"


def test_b127_health_urls() -> None:
    assert [str(url) for url in Upstream.parse("http://h/openai/v1").health_urls] == [
        "http://h/openai/health",
        "http://h/openai/v1/models",
    ]
    assert [str(url) for url in Upstream.parse("http://h:1").health_urls] == ["http://h:1/health", "http://h:1/models"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080/v1",
        "/v1",
        "http://",
        "http:///v1",
        "ftp://h/v1",
        "http:user:s3cret@h/v1",
        "http://[::1",
        "http://h:99999/v1",
        "http://h:s3cret/v1",
        "http://h/v1\r\nX: y",
        "http://user:s3cret\\@h/v1",
        "s3cret",
    ],
)
def test_b145_unusable_urls_are_start_errors_that_echo_nothing(url: str) -> None:
    with pytest.raises(StartError) as caught:
        Upstream.parse(url)
    assert "LOCALAIK_UPSTREAM" in caught.value.message
    assert "s3cret" not in caught.value.message
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@h:8080/v1", "http://h:8080/v1"),
        ("http://user@h/v1", "http://h/v1"),
        ("http://h/v1?api_key=s", "http://h/v1"),
        ("http://h/v1#t", "http://h/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http:user:secret@h/v1", "invalid"),
        ("http://[::1", "invalid"),
        ("http://user:sec/ret@h/v1", "invalid"),
        ("http://h/a b", "invalid"),
        ("http://h/\u2028x", "http://h/%E2%80%A8x"),
        ("", "invalid"),
    ],
)
def test_b143_redaction(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_b143_parse_redacts_and_turns_user_and_password_into_a_header() -> None:
    upstream = Upstream.parse("http://user:p%40ss%2Fword@h:8080/v1")
    assert upstream.redacted == "http://h:8080/v1"
    assert str(upstream.base) == "http://h:8080/v1"
    assert upstream.headers == {"Authorization": "Basic " + base64.b64encode(b"user:p@ss/word").decode()}


def test_b146_the_header_line_wins_over_the_password_in_the_url() -> None:
    upstream = Upstream.parse("http://user:pw@h/v1", "authorization: Bearer k")
    assert upstream.headers == {"authorization": "Bearer k"}


def test_b146_another_header_stands_beside_the_password_in_the_url() -> None:
    headers = Upstream.parse("http://user:pw@h/v1", "x-api-key: k").headers
    assert set(headers) == {"x-api-key", "Authorization"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Authorization: Bearer abc", ("Authorization", "Bearer abc")),
        ("  X-Key :  a:b  ", ("X-Key", "a:b")),
        ("X-Key:v", ("X-Key", "v")),
        ("no colon", None),
        (": value", None),
        ("Name:", None),
        ("Name:   ", None),
        ("A name: value", None),
        ("Name: a\r\nEvil: b", None),
        ("Name: a\n", None),
        ("Name: a\0b", None),
        ("Na(me): a", None),
        ("", None),
    ],
)
def test_b146_header_lines(line: str, expected: tuple[str, str] | None) -> None:
    assert parse_auth_header(line) == expected


def test_b146_a_bad_line_is_not_sent_and_gives_one_warning_without_its_value() -> None:
    upstream = Upstream.parse("http://h/v1", "Bearer s3cret")
    assert upstream.headers == {}
    assert len(upstream.warnings) == 1
    assert "LOCALAIK_UPSTREAM_AUTH_HEADER" in upstream.warnings[0]
    assert "s3cret" not in upstream.warnings[0]


@pytest.mark.parametrize("line", ["", "  "])
def test_b146_no_line_gives_no_warning(line: str) -> None:
    assert Upstream.parse("http://h/v1", line).warnings == ()


def test_from_settings() -> None:
    upstream = Upstream.from_settings(Settings(upstream="http://h/v1", upstream_auth_header="X-Key: v"))
    assert upstream.headers == {"X-Key": "v"}
    assert upstream.redacted == "http://h/v1"


def test_b144_hide_replaces_every_form_of_the_credential() -> None:
    upstream = Upstream.parse("http://h/v1?api_key=query-secret", "Authorization: Bearer header-secret")
    said = "got 'Bearer header-secret', key header-secret, at ?api_key=query-secret, good bye"
    assert upstream.hide(said) == "got '***', key ***, at ?api_key=***, good bye"


def test_b144_hide_knows_the_password_of_the_url() -> None:
    upstream = Upstream.parse("http://someone:p%40ssword@h/v1")
    encoded = base64.b64encode(b"someone:p@ssword").decode()
    assert upstream.hide(f"p@ssword p%40ssword {encoded} someone") == "*** *** *** someone"


def test_b144_hide_leaves_text_alone_where_there_is_no_credential() -> None:
    assert Upstream.parse("http://h/v1?a=1").hide("a=1 is one") == "a=1 is one"
