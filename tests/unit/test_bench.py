"""The pure parts of the benchmarks: wrong arithmetic or a lenient parser there would make every figure a lie."""

import asyncio
import json
from typing import cast

import msgspec
import pytest

from bench.load import Load, Outcome, request_bytes, summarise
from bench.load import _Connection as Caller
from bench.load import _Run as Run
from bench.overhead import Series, rows
from bench.pdf import page_ranges
from bench.processes import Cores, environment, plan_cores
from bench.report import Bar, Report, added, parse_arguments, percentile, table
from bench.slowloris import Crowd
from bench.soak import KINDS, Soak, order_of
from bench.soak import _Caller as Soaking
from bench.stream import Relayed, row
from bench.upstream import Upstream, chunked, tokens
from bench.upstream import _Connection as Answering
from bench.wires import GEMINI, OPENAI
from bench.workers import Series as WorkersSeries
from bench.workers import rows as worker_rows
from localaik.engine.calls import EngineChunk
from localaik.engine.vectors import read_embeddings
from localaik.engine.wire import StreamReader


class Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def as_transport(transport: Transport) -> asyncio.Transport:
    return cast("asyncio.Transport", transport)


def outcome(per_second: float, p50: float, p99: float = 9.0, answers: int = 10) -> Outcome:
    return Outcome(answers, answers, 1.0, per_second, p50, p99, p99, 0, [])


# report


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_percentile_is_the_nearest_rank(fraction: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], fraction) == expected


def test_percentile_of_nothing_is_zero() -> None:
    assert percentile([], 0.5) == 0.0


def test_added_compares_within_rounds_before_it_takes_the_median() -> None:
    assert added([1.5, 20.0, 3.0], [1.0, 19.0, 1.0]) == 1.0


def test_added_refuses_series_of_different_length() -> None:
    with pytest.raises(ValueError, match="zip"):
        added([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("bar", "value", "passed"),
    [
        (Bar("latency", 0.5, "ms"), 0.49, True),
        (Bar("latency", 0.5, "ms"), 0.5, False),
        (Bar("rate", 4000, "req/s", "above"), 4001, True),
        (Bar("rate", 4000, "req/s", "above"), 4000, False),
    ],
)
def test_bar_verdict(bar: Bar, value: float, passed: bool) -> None:
    assert bar.passed(value) is passed
    assert bar.line(value).startswith("PASS" if passed else "MISS")


def test_table_aligns_text_left_and_numbers_right() -> None:
    text = table([{"case": "a", "req/s": 12345, "ms": 0.5}, {"case": "longer", "req/s": 1, "ms": 1234.5}])
    assert text.splitlines() == [
        "case     req/s     ms",
        "------  ------  -----",
        "a       12,345  0.500",
        "longer       1  1,234",
    ]


def test_report_ends_with_one_line_of_json() -> None:
    report = Report("overhead", quick=True, notes=["how"], rows=[{"target": "direct", "p50 ms": 0.123456789}])
    report.check(Bar("p50", 0.5, "ms"), 0.7)
    lines = report.text().splitlines()
    found = json.loads(lines[-1])
    assert found["rows"] == [{"target": "direct", "p50 ms": 0.1235}]
    assert found["bars"] == [{"figure": "p50", "value": 0.7, "unit": "ms", "below": 0.5, "passed": False}]
    assert found["quick"] is True
    assert lines[-2].startswith("MISS  p50")


def test_quick_is_the_only_option() -> None:
    assert parse_arguments("x", ["--quick"]) is True
    assert parse_arguments("x", []) is False


# processes


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        ([], Cores(frozenset(), frozenset())),
        ([3], Cores(frozenset(), frozenset())),
        ([0, 1], Cores(frozenset({1}), frozenset({0}))),
        ([4, 2, 9, 7], Cores(frozenset({9}), frozenset({2, 4}))),
    ],
)
def test_localaik_has_a_core_of_its_own_where_there_are_two(available: list[int], expected: Cores) -> None:
    assert plan_cores(available) == expected


def test_pinning_is_told() -> None:
    assert plan_cores([0, 1]).describe() == "localaik alone on core 1; upstream and load generator on 0"
    assert "no process is pinned" in plan_cores([0]).describe()


def test_settings_of_the_person_who_measures_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCALAIK_MODEL", "LK_LOG", "PORT", "LLAMA_SERVER_BIN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PORTABLE", "stays")
    made = environment({"port": 0, "access_log": "off"})
    assert {name: value for name, value in made.items() if name.startswith(("LOCALAIK_", "LK_", "LLAMA"))} == {
        "LOCALAIK_PORT": "0",
        "LOCALAIK_ACCESS_LOG": "off",
    }
    assert "PORT" not in made
    assert made["PORTABLE"] == "stays"


# load


def test_request_bytes_are_one_complete_request() -> None:
    assert request_bytes("http://127.0.0.1:80/v1/x?alt=sse", '{"a":"é"}') == (
        b"POST /v1/x?alt=sse HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Type: application/json\r\n"
        b'Content-Length: 10\r\n\r\n{"a":"\xc3\xa9"}'
    )


def test_summary_is_in_milliseconds_and_keeps_few_faults() -> None:
    found = summarise([0.003, 0.001, 0.002], 5, 2.0, ["bad"] * 9)
    assert (found.requests, found.answers, found.per_second) == (3, 5, 1.5)
    assert (found.p50_ms, found.p99_ms, found.worst_ms) == (2.0, 3.0, 3.0)
    assert (found.faulty, len(found.faults)) == (9, 5)


def test_loads_and_outcomes_survive_the_pipe() -> None:
    load = Load("http://h/", '{"a":"\n"}', 32, seconds=1.5, marker="m", markers=3)
    line = msgspec.json.encode(load)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Load) == load


def call(answer: bytes, *, pieces: int = 1, **load: object) -> tuple[Run, Transport]:
    """One caller who is given `answer` in that many pieces."""
    run = Run(Load("http://h/", "{}", 1, **load))  # type: ignore[arg-type]  # the test's own names of fields
    transport = Transport()
    caller = Caller(run)
    caller.connection_made(as_transport(transport))
    size = -(-len(answer) // pieces)
    for start in range(0, len(answer), size):
        caller.data_received(answer[start : start + size])
    return run, transport


def event_stream(*chunks: bytes) -> bytes:
    body = b"".join(chunked(chunk) for chunk in chunks) + b"0\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize("pieces", [1, 2, 7, 1000])
def test_caller_counts_markers_across_chunks_and_reads(pieces: int) -> None:
    run, transport = call(event_stream(b"data: x da", b"ta: y"), pieces=pieces, marker="data: ", markers=2)
    assert (run.answers, run.faults, len(run.latencies)) == (1, [], 1)
    assert transport.closed  # no time limit was given: one request each


def test_caller_waits_for_the_end_of_the_body() -> None:
    run, transport = call(event_stream(b"data: x\r\n0\r\n\r\n")[:-5], marker="data: ", markers=1)
    assert run.answers == 0
    assert not transport.closed


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (event_stream(b"data: x"), "1 instead of 2 events"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "status 503: busy"),
    ],
)
def test_a_wrong_answer_is_a_fault_and_has_no_latency(answer: bytes, fault: str) -> None:
    run, _ = call(answer, marker="data: ", markers=2)
    assert (run.answers, run.latencies, run.faults) == (0, [], [fault])


def test_caller_asks_again_until_the_time_is_over() -> None:
    run, transport = call(event_stream(b"data: x"), seconds=60)
    assert transport.written == 2 * run.message
    assert not transport.closed


def test_a_connection_that_is_not_kept_is_a_fault() -> None:
    run, transport = call(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", seconds=60)
    assert run.faults == ["the server does not keep the connection"]
    assert transport.closed


def test_a_connection_lost_in_an_answer_is_a_fault() -> None:
    run = Run(Load("http://h/", "{}", 1))
    caller = Caller(run)
    caller.connection_made(as_transport(Transport()))
    caller.connection_lost(None)
    assert run.faults == ["the connection was closed in the middle of an answer"]
    assert run.finished.is_set()


async def test_a_caller_who_pauses_asks_later_and_must_not_be_cut_off_meanwhile() -> None:
    run = Run(Load("http://h/", "{}", 1, seconds=60, pause_seconds=3600))
    transport = Transport()
    caller = Caller(run)
    caller.connection_made(as_transport(transport))
    caller.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (run.answers, transport.written) == (1, run.message)
    caller.connection_lost(None)
    assert run.faults == ["the connection was closed between two requests"]


def test_warm_up_counts_as_answers_but_not_as_latencies() -> None:
    run, _ = call(event_stream(b"data: x"), seconds=60, warmup_seconds=60)
    assert (run.answers, run.latencies) == (1, [])


# upstream


def ask(upstream: Upstream, *requests: bytes) -> bytes:
    """What one connection is answered to these reads."""
    transport = Transport()
    connection = Answering(upstream)
    connection.connection_made(as_transport(transport))
    for request in requests:
        connection.data_received(request)
    return transport.written


def test_upstream_streams_events_that_the_engine_client_reads() -> None:
    written = ask(Upstream(20), request_bytes("http://h/v1/chat/completions", '{"stream":true}'))
    head, _, rest = written.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    reader = StreamReader()
    news = reader.feed(body)
    assert [item for item in news if isinstance(item, str)] == tokens(20)
    assert reader.done
    usage = [item.usage for item in news if isinstance(item, EngineChunk) and item.usage is not None]
    assert [(one.prompt_tokens, one.completion_tokens) for one in usage] == [(7, 20)]


def test_upstream_answers_requests_cut_anywhere_and_joined() -> None:
    upstream = Upstream(3)
    whole = request_bytes("http://h/v1/chat/completions", "{}")
    expected = ask(upstream, whole)
    assert json.loads(expected.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"] == "".join(tokens(3))
    assert ask(upstream, whole + whole) == 2 * expected
    for cut in range(1, len(whole)):
        assert ask(upstream, whole[:cut], whole[cut:]) == expected


def test_upstream_lists_its_model_and_has_no_other_routes() -> None:
    assert b'"id":"bench"' in ask(Upstream(1), b"GET /v1/models HTTP/1.1\r\n\r\n")
    assert ask(Upstream(1), b"GET /props HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(("texts", "count"), [("one", 1), (["one", "two"], 2)])
def test_upstream_gives_a_vector_for_each_text(texts: object, count: int) -> None:
    written = ask(Upstream(1), request_bytes("http://h/v1/embeddings", json.dumps({"input": texts})))
    answer = read_embeddings(json.loads(written.partition(b"\r\n\r\n")[2]), count)
    assert (len(answer.vectors), answer.prompt_tokens) == (count, 7 * count)


async def test_ticking_upstream_sends_one_event_per_tick() -> None:
    upstream = Upstream(2, tick_seconds=3600)
    transport = Transport()
    connection = Answering(upstream)
    connection.connection_made(as_transport(transport))
    connection.data_received(request_bytes("http://h/v1/chat/completions", '{"stream":true}'))
    assert transport.written.endswith(b"\r\n\r\n")  # the head alone
    sizes = []
    while not transport.written.endswith(b"\r\n0\r\n\r\n"):
        upstream.tick()
        sizes.append(transport.written.count(b"data: "))
    assert sizes == [1, 2, 3, 4, 5, 6, 6]  # role, two deltas, finish, usage, [DONE], end of the body
    before = transport.written
    upstream.tick()
    assert transport.written == before


# the benchmarks' own arithmetic


def test_overhead_rows_compare_with_the_direct_call_of_the_same_concurrency() -> None:
    direct = Series("direct", "-", 1, [outcome(1000, 0.1), outcome(800, 0.3)])
    through = Series("localaik OpenAI", "off", 1, [outcome(500, 0.4), outcome(400, 0.5)], cpu_seconds=[0.001, 0.003])
    other = Series("direct", "-", 32, [outcome(9000, 1.0)])
    found = list(rows([direct, through, other]))
    assert found[1]["of direct"] == 0.5
    assert found[1]["added p50 ms"] == pytest.approx(0.25)
    assert found[1]["CPU us/req"] == pytest.approx(200)
    assert found[2]["of direct"] == 1.0


def test_stream_row_divides_processor_time_by_chunks() -> None:
    relayed = Relayed(outcome(10, 5.0, answers=20), 500, cpu_seconds=0.03)
    found = row("burst", GEMINI, 32, [relayed])
    assert found["chunks/s"] == 5000
    assert found["CPU us/chunk"] == pytest.approx(3.0)


def test_worker_rows_compare_with_one_worker_of_the_same_kind() -> None:
    series = [
        WorkersSeries("whole", 1, [outcome(1000, 1.0, answers=100)], cpu_seconds=[0.05]),
        WorkersSeries("whole", 2, [outcome(1500, 1.0, answers=100)], cpu_seconds=[0.1]),
        WorkersSeries("stream", 1, [outcome(10, 1.0)], cpu_seconds=[1.0]),
    ]
    found = worker_rows(series)
    assert [row["gain"] for row in found] == [1.0, 1.5, 1.0]
    assert [row["req/CPU s"] for row in found] == [2000, 1000, 10]


def test_slow_callers_never_finish() -> None:
    crowd = Crowd("127.0.0.1", 1)
    callers = list(crowd.callers())
    assert (len(callers), sum(caller.sends_body for caller in callers)) == (1200, 200)
    assert b"\r\n\r\n" not in crowd.start_of(body=False)
    head, _, body = crowd.start_of(body=True).partition(b"\r\n\r\n")
    assert len(body) < int(head.rpartition(b": ")[2])


def test_a_soak_sends_every_kind_by_its_share_and_no_text_twice() -> None:
    order = order_of(KINDS)
    assert len(order) == 1000
    assert order == order_of(KINDS)
    soak = Soak("h", 1, order, limit=1000)
    sent = [soak.next() for _ in range(1001)]
    assert sent.pop() is None
    assert len({request for one in sent if one for request in [one[1]]}) == 1000 - 29  # unknown paths have no text
    for kind in KINDS:
        assert [one[0] for one in sent if one].count(kind) == kind.share


def test_a_soak_notes_wrong_answers() -> None:
    soak = Soak("h", 1, [])
    chat = KINDS[0]
    soak.judge(chat, 200, b'{"finish_reason": "stop"}')
    soak.judge(chat, 200, b"{}")
    soak.judge(chat, 503, b'{"finish_reason": "stop"}')
    assert (soak.done, len(soak.faults)) == (3, 2)


async def test_a_soaking_caller_leaves_when_the_answer_begins() -> None:
    leaving = next(kind for kind in KINDS if kind.leaves)
    soak = Soak("h", 1, [leaving], limit=1)
    transport = Transport()
    caller = Soaking(soak)
    caller.connection_made(as_transport(transport))
    assert transport.written.startswith(b"POST ")
    caller.data_received(b"HTTP/1.1 200 OK\r\n")
    caller.connection_lost(None)
    assert (transport.closed, soak.done, soak.faults, caller.ended.is_set()) == (True, 1, [], True)


@pytest.mark.parametrize(
    ("pages", "workers", "expected"),
    [(20, 2, [(1, 10), (11, 20)]), (5, 4, [(1, 1), (2, 2), (3, 3), (4, 5)]), (2, 4, [(1, 1), (2, 2)])],
)
def test_page_ranges_cover_every_page_once(pages: int, workers: int, expected: list[tuple[int, int]]) -> None:
    assert list(page_ranges(pages, workers)) == expected


def test_wires_send_valid_json() -> None:
    for wire in (OPENAI, GEMINI):
        assert json.loads(wire.body)
        assert json.loads(wire.stream_body)
    assert json.loads(OPENAI.stream_body)["stream"] is True
