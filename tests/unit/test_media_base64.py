"""Base64 and data URIs in every variant."""

import base64
import binascii
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.media import base64 as media_base64
from localaik.media.base64 import Base64, encode
from localaik.media.datauri import DataUri, is_data_uri, parse_data_uri
from localaik.media.faults import MediaError


def _broken(text: str, width: int) -> str:
    return "\r\n".join(text[at : at + width] for at in range(0, len(text), width))


@given(st.binary(), st.booleans(), st.booleans(), st.integers(1, 80))
def test_b022_every_variant_gives_the_bytes_and_the_standard_text(
    data: bytes, urlsafe: bool, padded: bool, width: int
) -> None:
    standard = base64.b64encode(data).decode()
    text = base64.urlsafe_b64encode(data).decode() if urlsafe else standard
    variant = Base64(_broken(text if padded else text.rstrip("="), width))
    assert variant.size == len(data)
    assert variant.decode() == (data, standard)
    assert data.startswith(variant.head(20))
    assert len(variant.head(20)) >= min(len(data) // 3 * 3, 9)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("__79----Pj__", b"\xff\xfe\xfd\xfb\xef\xbe>?\xff"),
        ("YQ", b"a"),
        ("YQ==", b"a"),
        ("YQ==\n", b"a"),
        ("+/8=", b"\xfb\xff"),
        ("-_8", b"\xfb\xff"),
    ],
)
def test_b022_the_examples_decode(text: str, data: bytes) -> None:
    assert Base64(text).decode()[0] == data


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "Q===", "QQ=", "QQ==QQ==", "AAAA====", "QQ==x", "Q=Q=", "ab!d", "äöüß", "é", "{}"]
)
def test_b022_other_text_is_refused(text: str) -> None:
    with pytest.raises(MediaError) as refused:
        Base64(text).decode()
    assert refused.value.reason == "invalid_base64"


@given(st.text())
def test_b022_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        data, standard = Base64(text).decode()
    except MediaError:
        return
    assert binascii.a2b_base64(standard, strict_mode=True) == data
    assert len(data) == Base64(text).size


def test_b121_standard_text_is_passed_on_and_not_copied() -> None:
    text = encode(b"x" * 1000)
    assert Base64(text).decode()[1] is text


def test_padding_inside_is_refused_at_a_step_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_base64, "_STEP_CHARACTERS", 4)
    assert Base64("QUJDREVG").decode()[0] == b"ABCDEF"
    with pytest.raises(MediaError):
        Base64("QQ==QUJD").decode()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("data:image/png;base64,QQ==", DataUri("image/png", Base64("QQ=="))),
        ("DATA:image/png;BASE64,QQ==", DataUri("image/png", Base64("QQ=="))),
        ("data:text/plain;base64;charset=utf-8,QQ", DataUri("text/plain;charset=utf-8", Base64("QQ"))),
        ("data:text/plain;charset=latin1;base64,QQ", DataUri("text/plain;charset=latin1", Base64("QQ"))),
        ("data:;base64,QQ==", DataUri("text/plain", Base64("QQ=="))),
        ("data:image/png;base64,QQ%3D%3D", DataUri("image/png", Base64("QQ=="))),
        ("data:,a+b%20c%2C,d", DataUri("text/plain", b"a+b c,,d")),
        ("data:;charset=latin1,%E9", DataUri("text/plain;charset=latin1", b"\xe9")),
        ("data:text/plain,é", DataUri("text/plain", "é".encode())),
        ("data:,", DataUri("text/plain", b"")),
    ],
)
def test_b125_data_uris_are_taken_apart(uri: str, expected: DataUri) -> None:
    assert is_data_uri(uri)
    assert parse_data_uri(uri) == expected


@given(st.binary())
def test_b125_percent_encoding_survives(data: bytes) -> None:
    assert parse_data_uri(f"data:text/plain,{quote(data, safe='+')}").content == data


@pytest.mark.parametrize(
    "uri", ["data:", "data:image/png;base64", "data:text/plain,%", "data:,%zz", "data:;base64,QQ%3"]
)
def test_b125_malformed_data_uris_are_refused(uri: str) -> None:
    with pytest.raises(MediaError) as refused:
        parse_data_uri(uri)
    assert refused.value.reason == "invalid_url"
