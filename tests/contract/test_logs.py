"""What a running server logs, as a process does: all of it in one form."""

import json
import re
import signal
from pathlib import Path
from urllib.request import Request, urlopen

from tests.contract.test_cli import HANG_SECONDS, localaik, serving

BODY = {"model": "any", "max_tokens": 3, "messages": [{"role": "user", "content": "Hello, secret!"}]}


def test_b139_b141_the_log_in_json_is_json_throughout() -> None:
    with serving("--port", "0", "--log-format", "json", "--state", "memory", LOCALAIK_STRANGE="1") as process:
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(json.loads(line))
            if "listening on" in told[-1]["message"]:
                break
        found = re.search(r"http://\S+", told[-1]["message"])
        assert found is not None
        url = found[0]
        headers = {"Content-Type": "application/json", "X-Client-Request-Id": "mine", "Authorization": "Bearer sk-1"}
        asked = Request(f"{url}/v1/chat/completions?key=sk-2", json.dumps(BODY | {"stream": True}).encode(), headers)
        with urlopen(asked, timeout=HANG_SECONDS) as response:
            assert b"[DONE]" in response.read()
        with urlopen(f"{url}/health", timeout=HANG_SECONDS) as response:
            assert response.status == 200
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=HANG_SECONDS)
    told += [json.loads(line) for line in errors.splitlines()]
    assert output == ""
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in told))
    assert any(line["level"] == "warning" and "LOCALAIK_STRANGE" in line["message"] for line in told)
    assert any("the engine is ready" in line["message"] for line in told)
    (line,) = [line for line in told if line["logger"] == "localaik.access"]
    assert (line["protocol"], line["method"], line["path"]) == ("openai", "POST", "/v1/chat/completions")
    assert (line["status"], line["tokens_out"], line["client_request_id"]) == (200, 3, "mine")
    assert line["tokens_in"] > 0
    assert 0 <= line["slot_wait_ms"] <= line["ttft_ms"] <= line["latency_ms"]
    assert 0 < line["engine_ms"] <= line["latency_ms"]
    assert "cut_short" not in line
    assert not re.search(r"sk-\d|secret", errors)


def test_a_start_that_fails_is_told_in_json_too(tmp_path: Path) -> None:
    variables = {"LOCALAIK_LOG_FORMAT": "JSON"}
    bad_setting = localaik("serve", "--port", "x", "--seed", "y", **variables)
    missing_model = localaik("serve", "--port", "0", "--model", str(tmp_path / "none.gguf"), **variables)
    for done, status, words in ((bad_setting, 2, ("--port", "--seed")), (missing_model, 1, ("none.gguf",))):
        told = [json.loads(line) for line in done.stderr.splitlines()]
        assert (done.returncode, done.stdout, {line["level"] for line in told}) == (status, "", {"error"})
        assert all(word in line["message"] for word, line in zip(words, told, strict=True))
