"""Sliding windows, the clients that they are for, and what their settings say."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.http.quota import Quota, Verdict, quota_headers
from localaik.server.rates import UNKNOWN_CLIENT, client_of
from localaik.server.windows import LocalRates, Windows
from localaik.settings import BUCKETS, Rate, Settings, SettingsError, load, read_proxies, read_rates

SECOND = 1_000_000_000
EGEMMA = {"embed": (5, 10), "summarize": (2, 60), "chat": (100, 60), "conversation": (100, 60)}


# Windows


def test_a_window_slides() -> None:
    windows = Windows({"chat": Rate(2, 10)})
    seen = [windows.take("chat", "a", at * SECOND) for at in (0, 4, 5, 9, 10, 13, 14)]
    assert [verdict.allowed for verdict in seen] == [True, True, False, False, True, False, True]
    assert [verdict.retry_after for verdict in seen] == [0, 0, 5, 1, 0, 1, 0]
    assert [verdict.remaining for verdict in seen] == [1, 0, 0, 0, 0, 0, 0]
    assert [verdict.reset_seconds for verdict in seen] == [10, 10, 9, 5, 10, 7, 10]
    assert {verdict.limit for verdict in seen} == {2}


def test_buckets_and_clients_do_not_see_each_other() -> None:
    windows = Windows({"embed": Rate(1, 10), "summarize": Rate(1, 60)})
    assert windows.take("embed", "a", 0).allowed
    assert [windows.take("summarize", "a", at * SECOND).allowed for at in (0, 30, 59, 60)] == [True, False, False, True]
    assert windows.take("embed", "a", 60 * SECOND).allowed
    assert not windows.take("embed", "a", 69 * SECOND).allowed
    assert windows.take("embed", "b", 69 * SECOND).allowed


@given(
    st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_no_period_ever_holds_more_and_waiting_as_told_always_helps(gaps: list[int], calls: int, seconds: int) -> None:
    windows = Windows({"chat": Rate(calls, seconds)})
    now, taken = 0, list[int]()
    for gap in gaps:
        now += gap
        verdict = windows.take("chat", "a", now)
        if not verdict.allowed:
            assert 1 <= verdict.retry_after <= seconds
            now += verdict.retry_after * SECOND
            verdict = windows.take("chat", "a", now)
            assert verdict.allowed
        taken.append(now)
        assert verdict.remaining == calls - sum(time + seconds * SECOND > now for time in taken)
    assert all(later - first >= seconds * SECOND for first, later in zip(taken, taken[calls:], strict=False))
    assert all(first <= later for first, later in pairwise(taken))


def test_a_wait_is_never_told_shorter_than_it_is() -> None:
    windows = Windows({"chat": Rate(1, 10)})
    windows.take("chat", "a", 0)
    assert windows.take("chat", "a", 1).retry_after == 10
    assert windows.take("chat", "a", 10 * SECOND - 1).retry_after == 1


def test_so_many_clients_are_remembered_and_the_oldest_goes() -> None:
    windows = Windows({"chat": Rate(1, 10)}, max_clients=3)
    for client in ("a", "b", "c"):
        windows.take("chat", client, 0)
    assert not windows.take("chat", "a", 1).allowed  # a refused call makes nobody younger
    windows.take("chat", "d", 2)
    assert len(windows) == 3
    assert windows.take("chat", "a", 3).allowed
    assert not windows.take("chat", "c", 4).allowed


def test_ten_thousand_clients_are_remembered() -> None:
    windows = Windows({"chat": Rate(1, 86_400)})
    for number in range(10_050):
        assert windows.take("chat", str(number), number).allowed
    assert len(windows) == 10_000
    assert not windows.take("chat", "50", SECOND).allowed
    assert windows.take("chat", "49", SECOND).allowed


def test_idle_clients_are_forgotten() -> None:
    windows = Windows({"chat": Rate(5, 10), "embed": Rate(5, 20)})
    windows.take("chat", "a", 0)
    windows.take("embed", "b", 5 * SECOND)
    windows.take("chat", "c", 20 * SECOND)
    assert len(windows) == 2
    windows.take("chat", "c", 25 * SECOND)
    assert len(windows) == 1


async def test_the_clock_is_asked_for_each_call() -> None:
    times = iter([0, SECOND, 3 * SECOND])
    rates = LocalRates({"chat": Rate(1, 3)}, lambda: next(times))
    assert [(await rates.take("chat", "a")).allowed for _ in range(3)] == [True, False, True]


# Headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"),
        (0.0000001, "1ms"),
        (0.9995, "1s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9991, "1m0s"),
        (360, "6m0s"),
        (3661.25, "1h1m1.25s"),
        (86_400, "24h0m0s"),
    ],
)
async def test_times_are_told_as_openai_does(seconds: float, text: str) -> None:
    class Fixed:
        async def take(self, bucket: str, client: str) -> Verdict:
            return Verdict(allowed=True, limit=5, remaining=4, reset_seconds=seconds, retry_after=0)

    quota = Quota(Fixed(), "chat", Rate(5, 60), "a")
    assert quota_headers(quota) == {}
    await quota.take()
    assert quota_headers(quota) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": text,
    }
    assert quota_headers(None) == {}


# Whose address


PROXIES = read_proxies("10.0.0.0/8, 192.0.2.1,2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not from a proxy that is trusted
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # the first one the caller has made up
        ("10.1.2.3", ["6.6.6.6, 198.51.100.1, 10.9.9.9,192.0.2.1"], "198.51.100.1"),
        ("10.1.2.3", ["6.6.6.6", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),  # several headers are one list
        ("10.1.2.3", ["10.0.0.7, 10.0.0.8"], "10.0.0.7"),  # nobody but proxies
        ("10.1.2.3", ["198.51.100.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1,"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.2.3", ["[2a00::5]:4711"], "2a00::5"),
        ("10.1.2.3", ["[2a00::5]"], "2a00::5"),
        ("::ffff:10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("2001:db8::1", ["2A00:0:0::5"], "2a00::5"),
        ("", ["198.51.100.1"], UNKNOWN_CLIENT),
        (None, [], UNKNOWN_CLIENT),
        ("/run/socket", [], UNKNOWN_CLIENT),
    ],
)
def test_whom_a_call_is_counted_for(peer: str | None, forwarded: list[str], client: str) -> None:
    assert client_of(peer, forwarded, PROXIES) == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert client_of("127.0.0.1", ["198.51.100.1"], ()) == "127.0.0.1"


def test_proxies_are_addresses_and_networks() -> None:
    assert read_proxies("") == ()
    assert read_proxies("10.0.0.1, 2001:db8::/32") == (
        ipaddress.ip_network("10.0.0.1/32"),
        ipaddress.ip_network("2001:db8::/32"),
    )
    assert read_proxies("::ffff:10.0.0.0/104") == (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize("text", ["proxy.test", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,", "*", "10.0.0.1:80"])
def test_what_is_no_proxy_ends_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--trusted-proxies must be addresses and networks such as `10.0.0.0/8`"):
        load({"trusted_proxies": text}, {})


# Settings


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", {}),
        ("off", {}),
        ("egemma", EGEMMA),
        (" EGemma ", EGEMMA),
        ("embed=5/10,chat=10/60", {"embed": (5, 10), "chat": (10, 60)}),
        ("egemma, chat=10/60", {**EGEMMA, "chat": (10, 60)}),
    ],
)
def test_rates_are_read(text: str, rates: dict[str, tuple[int, int]]) -> None:
    assert read_rates(text) == rates
    assert load({}, {"LOCALAIK_RATE_LIMITS": text}).settings.rate_limits == text


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "5/10",
        "embed",
        "embed=5",
        "embed=0/10",
        "embed=5/0",
        "embed=-5/10",
        "embed=5/1.5",
        "embed=1000001/10",
        "embed=5/86401",
        "embed=5/10,",
        "embed=5/10,embed=6/10",
        "embed=5/10,egemma",
        "egemma,off",
        "chats=5/10",
        "embed=٥/10",
    ],
)
def test_what_is_no_rate_ends_the_start(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"rate_limits": text}, {})
    (line,) = caught.value.lines
    assert line.startswith("--rate-limits must be `egemma`, or rates such as `embed=5/10` for some of `embed`, ")
    assert line.endswith(f"comma-separated, not {text!r}.")


@pytest.mark.parametrize(
    ("environ", "rates"),
    [
        ({"EMBED_RATE_LIMIT_CALLS": "7"}, {"embed": (7, 10)}),
        ({"EMBED_RATE_LIMIT_SECONDS": "7"}, {"embed": (5, 7)}),
        ({"CHAT_RATE_LIMIT_CALLS": " 9 ", "CHAT_RATE_LIMIT_SECONDS": "3"}, {"chat": (9, 3)}),
        (
            {"SUMMARIZE_RATE_LIMIT_SECONDS": "1", "CONVERSATION_RATE_LIMIT_CALLS": "2"},
            {"summarize": (2, 1), "conversation": (2, 60)},
        ),
        ({"EMBED_RATE_LIMIT_CALLS": "7", "LOCALAIK_RATE_LIMITS": "chat=1/2"}, {"chat": (1, 2)}),
        ({"EMBED_RATE_LIMIT_CALLS": "7", "LOCALAIK_RATE_LIMITS": "off"}, {}),
        ({"EMBED_RATE_LIMIT_CALLS": ""}, {}),
    ],
)
def test_a_pair_of_egemmas_variables_limits_its_bucket(
    environ: dict[str, str], rates: dict[str, tuple[int, int]]
) -> None:
    assert read_rates(load({}, environ).settings.rate_limits) == rates


def test_the_source_of_a_rate_and_its_disagreements_are_told() -> None:
    environ = {"EMBED_RATE_LIMIT_CALLS": "7"}
    assert load({}, environ).sources["rate_limits"] == "EMBED_RATE_LIMIT_CALLS"
    assert load({}, {**environ, "LOCALAIK_RATE_LIMITS": "embed=7/10"}).warnings == ()
    (line,) = load({}, {**environ, "LOCALAIK_RATE_LIMITS": "embed=7/11"}).warnings
    assert line.startswith("LOCALAIK_RATE_LIMITS and its alias EMBED_RATE_LIMIT_CALLS are set to different values")


def test_every_faulty_half_is_named() -> None:
    environ = {
        "EMBED_RATE_LIMIT_CALLS": "7",
        "EMBED_RATE_LIMIT_SECONDS": "0",
        "CHAT_RATE_LIMIT_CALLS": "5,chat=1/1",
        "CONVERSATION_RATE_LIMIT_SECONDS": "1 minute",
    }
    with pytest.raises(SettingsError) as caught:
        load({}, environ)
    assert caught.value.lines == (
        "EMBED_RATE_LIMIT_SECONDS must be a whole number from 1 to 86400, not '0'.",
        "CHAT_RATE_LIMIT_CALLS must be a whole number from 1 to 1000000, not '5,chat=1/1'.",
        "CONVERSATION_RATE_LIMIT_SECONDS must be a whole number from 1 to 86400, not '1 minute'.",
    )


def test_nothing_is_limited_by_default() -> None:
    assert read_rates(Settings().rate_limits) == {}
    assert tuple(EGEMMA) == BUCKETS
