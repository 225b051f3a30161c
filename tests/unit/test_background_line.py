"""The line about work in the background, for people and for machines."""

from localaik.jobs.ended import EndedWork
from localaik.server.background import WorkLine
from localaik.server.metrics import Metrics

RESPONSE = EndedWork(
    "openai", "response", "resp_1", "completed", 1.23456, model='my "model"', tokens_in=12, tokens_out=0
)
BATCH = EndedWork("gemini", "batch", "abc", "succeeded", 60.0, requests=3, failed=0)


def test_the_line_for_people() -> None:
    assert WorkLine(RESPONSE).text() == (
        r'[openai] response completed 1234.6ms id=resp_1 model="my \"model\"" in=12 out=0'
    )
    assert WorkLine(BATCH).text() == "[gemini] batch succeeded 60000.0ms id=abc requests=3 failed=0"


def test_the_line_for_machines() -> None:
    failed = EndedWork("openai", "response", "resp_1", "failed", 0.5, fault="EngineUnreachable")
    assert WorkLine(failed).fields() == {
        "message": "response resp_1 failed",
        "protocol": "openai",
        "work": "response",
        "status": "failed",
        "latency_ms": 500.0,
        "id": "resp_1",
        "fault": "EngineUnreachable",
    }
    assert WorkLine(BATCH).fields()["requests"] == 3


def test_a_model_can_not_forge_a_line() -> None:
    forged = EndedWork("openai", "batch", "b", "failed", 0.0, model="a\n2026 INFO \x1b[31m" + "x" * 1000)
    text = WorkLine(forged).text(lambda text: text.replace("INFO", "***"))
    assert text.isprintable()
    assert len(text) < 250
    assert "INFO" not in text


def test_it_is_counted_in_one_process_and_in_several() -> None:
    one, other = Metrics(), Metrics()
    for metrics in (one, one, other):
        metrics.record_work(RESPONSE)
    other.record_work(BATCH)
    total, _ = one.of_all([one.dump([]), other.dump([])])
    lines = [line for line in total.render([]).decode().splitlines() if line.startswith("localaik_background")]
    assert lines == [
        'localaik_background_ended_total{protocol="gemini",work="batch",status="succeeded"} 1',
        'localaik_background_ended_total{protocol="openai",work="response",status="completed"} 3',
    ]
