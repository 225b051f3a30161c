"""Several workers are one server: whichever of them a caller comes to, the answer is the same."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import openai
import psutil
import pytest
import pytest_asyncio
from google import genai
from openai import AsyncOpenAI

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import HANG_SECONDS, banner, serving
from tests.contract.test_engine_death import OPENAI_BODY, read_until
from tests.fake_engine import Answer, ScriptedEngine
from tests.responses_grammar import check_stream, events_of_sse

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="there are no workers on Windows"),
    pytest.mark.asyncio(loop_scope="module"),
]

GUARD_SECONDS = 60
TIMES = 12
"""So many callers come to both workers, but for one time in 2,048."""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
StartServer = Callable[[Settings], RunningServer]
Event = dict[str, Any]
T = TypeVar("T")


class Scripted:
    """Two workers on an engine that says what it is told to."""

    def __init__(self, engine: ScriptedEngine, running: RunningServer) -> None:
        self.engine = engine
        self.running = running
        self.url = running.url

    def caller(self) -> aiohttp.ClientSession:
        """A caller that has no connection yet, so that chance decides which worker it comes to."""
        return aiohttp.ClientSession(self.url, timeout=aiohttp.ClientTimeout(total=GUARD_SECONDS))

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any, Any]:
        """Status, JSON and headers of one call by a new caller."""
        async with self.caller() as http, http.request(method, path, json=body) as answer:
            return answer.status, await answer.json(), answer.headers

    async def times(self, ask: Callable[[], Awaitable[T]], count: int = TIMES) -> list[T]:
        """What new callers get, one after the other."""
        return [await ask() for _ in range(count)]

    @property
    def pids(self) -> list[int]:
        pids: list[int] = self.running.server.pids
        return pids


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with ScriptedEngine(llamacpp=False) as engine:
        yield engine


def of_two(engine: ScriptedEngine, **settings: Any) -> Settings:
    return Settings(**{"port": 0, "workers": 2, "state": "memory", "upstream": engine.url, **settings})


@pytest_asyncio.fixture(loop_scope="module")
async def scripted(
    engine: ScriptedEngine, start_server: StartServer
) -> AsyncIterator[Callable[..., Awaitable[Scripted]]]:
    async def start(**settings: Any) -> Scripted:
        return Scripted(engine, await asyncio.to_thread(start_server, of_two(engine, **settings)))

    engine.requests.clear()
    yield start
    engine.default = Answer()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(engine: ScriptedEngine) -> AsyncIterator[RunningServer]:
    running = RunningServer(of_two(engine))
    await asyncio.to_thread(running.start)
    yield running
    await asyncio.to_thread(running.stop)


@pytest_asyncio.fixture(loop_scope="module")
async def two(engine: ScriptedEngine, shared: RunningServer) -> AsyncIterator[Scripted]:
    engine.requests.clear()
    yield Scripted(engine, shared)
    engine.default = Answer()


@pytest.fixture(scope="module")
def real() -> Any:
    """Two workers on the real engine."""
    running = RunningServer(Settings(port=0, workers=2, state="memory", rate_limits="chat=1000/60")).start()
    yield running
    running.stop()


async def test_both_workers_answer_alike_with_the_real_engine(real: RunningServer) -> None:
    answers = set()
    for _ in range(TIMES):
        async with AsyncOpenAI(base_url=f"{real.url}/v1", api_key="any") as client:
            answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
        answers.add(answer.choices[0].message.content)
    assert len(answers) == 1
    gemini = genai.Client(api_key="any", http_options={"base_url": real.url})
    told = await asyncio.to_thread(
        lambda: [chunk.text for chunk in gemini.models.generate_content_stream(model="m", contents="Hello")]
    )
    assert "".join(filter(None, told)) in answers
    for process in map(psutil.Process, real.server.pids):
        assert process.cpu_times().user > 0
    async with aiohttp.ClientSession(real.url) as http:
        async with http.get("/health") as answer_of_health:
            health = await answer_of_health.json()
        assert (health["status"], health["engine"]["state"], health["slots"]) == ("ok", "ready", 4)
        async with http.post("/v1/embeddings", json={"model": "m", "input": "Hello"}) as embedded:
            assert len((await embedded.json())["data"][0]["embedding"]) == 768
    for _ in range(TIMES):
        async with aiohttp.ClientSession(real.url) as http, http.get("/health") as answer_of_health:
            engine = (await answer_of_health.json())["embeddings"]["engine"]
        assert (engine["name"], engine["state"]) == ("xllamacpp", "ready")


async def test_an_engine_that_dies_comes_back_for_all_workers(real: RunningServer) -> None:
    async with aiohttp.ClientSession(real.url) as http:
        async with http.get("/health") as answer:
            pid = (await answer.json())["engine"]["pid"]
        os.kill(pid, signal.SIGKILL)
        async with http.post("/v1/chat/completions", json=CHAT) as answer:
            assert answer.status == 200, await answer.text()
    for _ in range(TIMES):
        async with aiohttp.ClientSession(real.url) as http, http.post("/v1/chat/completions", json=CHAT) as answer:
            assert answer.status == 200, await answer.text()
    async with aiohttp.ClientSession(real.url) as http, http.get("/health") as answer:
        engine = (await answer.json())["engine"]
        assert (engine["restarts"], engine["state"]) == (1, "ready")
        assert engine["pid"] != pid


async def counted(two: Scripted) -> int:
    """Calls of the chat route that ended well, as any worker tells them."""
    async with two.caller() as http, http.get("/metrics") as answer:
        page = await answer.text()
    assert 'localaik_slots{engine="generation"} 32\n' in page
    found = re.search(r'route="/v1/chat/completions",status="2xx"} ([0-9]+)', page)
    return 0 if found is None else int(found[1])


async def test_metrics_are_those_of_all_workers(two: Scripted) -> None:
    before = await counted(two)
    await two.times(lambda: two.call("POST", "/v1/chat/completions", CHAT))
    assert set(await two.times(lambda: counted(two))) == {before + TIMES}


async def test_a_response_in_the_background_is_watched_continued_and_cancelled_from_any_worker(two: Scripted) -> None:
    never = asyncio.Event()
    two.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: never}))
    _, response, _ = await two.call("POST", "/v1/responses", {"model": "m", "input": "Hi", "background": True})
    path = f"/v1/responses/{response['id']}"
    await two.engine.called()

    async def watched() -> bytes:
        async with two.caller() as http, http.get(path, params={"stream": "true"}) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            return await read_until(answer, b"output_text.delta")

    for text in await two.times(watched):
        assert b"Hel" in text
    assert {found[1]["status"] for found in await two.times(lambda: two.call("GET", path))} == {"in_progress"}
    next_one = {"model": "m", "input": "Hi", "previous_response_id": response["id"]}
    refused = await two.times(lambda: two.call("POST", "/v1/responses", next_one))
    assert {status for status, _, _ in refused} == {400}

    async def follow() -> list[Event]:
        async with two.caller() as http, http.get(path, params={"stream": "true"}) as answer:
            return events_of_sse(await answer.read())

    following = [asyncio.create_task(follow()) for _ in range(4)]
    status, cancelled, headers = await two.call("POST", f"{path}/cancel")
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert headers["x-request-id"].startswith("req_")
    for events in await asyncio.gather(*following):
        check_stream(events)
        assert events[-1]["response"]["status"] == "cancelled"
    assert {found[1]["status"] for found in await two.times(lambda: two.call("GET", path))} == {"cancelled"}
    assert {found[0] for found in await two.times(lambda: two.call("DELETE", path), 1)} == {200}
    assert {found[0] for found in await two.times(lambda: two.call("GET", path))} == {404}


async def test_a_body_that_a_request_needs_not_is_not_waited_for_in_any_worker(two: Scripted) -> None:
    never = asyncio.Event()
    two.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: never}))
    _, response, _ = await two.call("POST", "/v1/responses", {"model": "m", "input": "Hi", "background": True})
    await two.engine.called()
    host, port = two.url.removeprefix("http://").split(":")
    head = f"POST /v1/responses/{response['id']}/cancel HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n"

    async def cancel() -> bytes:
        async with asyncio.timeout(GUARD_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode())
            told = await reader.readline()
            writer.close()
            return told

    assert set(await two.times(cancel)) == {b"HTTP/1.1 200 OK\r\n"}


async def test_what_a_response_works_with_is_locked_in_all_workers(two: Scripted) -> None:
    gate = asyncio.Event()
    _, talk, _ = await two.call("POST", "/v1/conversations", {})
    two.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: gate}))
    asked = {"model": "m", "input": "Hi", "conversation": talk["id"]}
    async with two.caller() as http, http.post("/v1/responses", json={**asked, "stream": True}) as answer:
        begun = await read_until(answer, b"output_text.delta")
        locked = await two.times(lambda: two.call("POST", "/v1/responses", asked))
        running = re.search(rb"resp_[0-9a-f]+", begun)
        assert running is not None
        next_one = {"model": "m", "input": "Hi", "previous_response_id": running[0].decode()}
        refused = await two.times(lambda: two.call("POST", "/v1/responses", next_one))
        assert {(status, body["error"]["code"]) for status, body, _ in refused} == {(400, "invalid_value")}
        assert {(status, body["error"]["code"]) for status, body, _ in locked} == {(409, "conversation_locked")}
        gate.set()
        await answer.read()
    assert {status for status, _, _ in await two.times(lambda: two.call("POST", "/v1/responses", asked))} == {200}


async def test_turns_of_a_session_wait_for_each_other_in_all_workers(two: Scripted) -> None:
    _, session, _ = await two.call("POST", "/v1/sessions")
    headers = {"X-Session-Id": session["session_id"]}

    async def chat(number: int) -> int:
        body = {**CHAT, "messages": [{"role": "user", "content": str(number)}]}
        async with two.caller() as http, http.post("/v1/chat/completions", json=body, headers=headers) as answer:
            return answer.status

    assert set(await asyncio.gather(*map(chat, range(TIMES)))) == {200}
    _, told, _ = await two.call("GET", f"/v1/sessions/{session['session_id']}/messages")
    roles = [message["role"] for message in told["messages"]]
    assert roles == ["user", "assistant"] * TIMES
    asked = [message["content"] for message in told["messages"] if message["role"] == "user"]
    assert sorted(asked, key=int) == [str(number) for number in range(TIMES)]


async def test_limits_hold_for_all_workers_together(scripted: Callable[..., Awaitable[Scripted]]) -> None:
    two = await scripted(rate_limits="chat=5/600")
    answers = await two.times(lambda: two.call("POST", "/v1/chat/completions", CHAT))
    assert [status for status, _, _ in answers] == [200] * 5 + [429] * (TIMES - 5)
    assert answers[0][2]["x-ratelimit-remaining-requests"] == "4"


async def test_slots_and_queue_are_those_of_all_workers(scripted: Callable[..., Awaitable[Scripted]]) -> None:
    two = await scripted(max_concurrent=2, queue_size=3)
    gate = asyncio.Event()
    two.engine.default = Answer(first_byte=gate)
    calls = [asyncio.create_task(two.call("POST", "/v1/chat/completions", CHAT)) for _ in range(TIMES)]
    done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < TIMES - 5:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    assert {call.result()[0] for call in done} == {503}
    assert len(await two.engine.called(2)) == 2
    _, health, _ = await two.call("GET", "/health?verbose")
    assert (health["limits"]["max_concurrent"], health["limits"]["queue_size"]) == (2, 3)
    gate.set()
    assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 5


async def test_a_worker_that_is_killed_takes_nothing_with_it(scripted: Callable[..., Awaitable[Scripted]]) -> None:
    two = await scripted(max_concurrent=1)
    never = asyncio.Event()
    _, talk, _ = await two.call("POST", "/v1/conversations", {})
    two.engine.enqueue(Answer(tokens=("Hel", "lo"), gates={1: never}))
    asked = {"model": "m", "input": "Hi", "conversation": talk["id"], "background": True}
    _, response, _ = await two.call("POST", "/v1/responses", asked)
    await two.engine.called()
    for pid in two.pids:
        os.kill(pid, signal.SIGKILL)
    # Its slot and its conversation are free; who comes meanwhile waits in the port.
    _, next_one, _ = await two.call("POST", "/v1/responses", {**asked, "background": False})
    assert next_one["status"] == "completed"
    found = await two.times(lambda: two.call("GET", f"/v1/responses/{response['id']}"))
    assert {body["status"] for _, body, _ in found} == {"failed"}


async def test_an_upload_goes_on_in_another_worker(two: Scripted) -> None:
    start = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    async with two.caller() as http, http.post("/upload/v1beta/files", headers=start, json={"file": {}}) as answer:
        url = answer.headers["X-Goog-Upload-URL"]
    for offset in range(TIMES):
        command = "upload, finalize" if offset == TIMES - 1 else "upload"
        headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset * 3)}
        async with aiohttp.ClientSession() as http, http.post(url, headers=headers, data=b"abc") as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.text()
    assert f'"{3 * TIMES}"' in told


async def test_parts_become_a_file_once_though_several_workers_are_asked_to_put_them_together(two: Scripted) -> None:
    new = {"filename": "f.txt", "purpose": "user_data", "bytes": 6, "mime_type": "text/plain"}
    _, upload, _ = await two.call("POST", "/v1/uploads", new)
    parts = []
    for _ in range(2):
        form = aiohttp.FormData()
        form.add_field("data", b"abc", filename="part")
        async with two.caller() as http, http.post(f"/v1/uploads/{upload['id']}/parts", data=form) as answer:
            assert answer.status == 200, await answer.text()
            parts.append((await answer.json())["id"])
    path, order = f"/v1/uploads/{upload['id']}/complete", {"part_ids": parts}
    answers = await asyncio.gather(*(two.call("POST", path, order) for _ in range(TIMES)))
    assert sorted(status for status, _, _ in answers) == [200] + [400] * (TIMES - 1), answers
    assert {body["status"] for status, body, _ in answers if status == 200} == {"completed"}


async def test_a_batch_made_anywhere_is_worked_on_and_cancelled_from_anywhere(two: Scripted) -> None:
    never = asyncio.Event()
    two.engine.default = Answer(first_byte=never)
    request = {"request": {"contents": [{"parts": [{"text": "Hi"}]}]}}
    body = {"batch": {"display_name": "b", "input_config": {"requests": {"requests": [request] * 3}}}}
    for number in range(1, 5):
        status, batch, _ = await two.call("POST", "/v1beta/models/m:batchGenerateContent", body)
        assert status == 200, batch
        await two.engine.called(number)
        status, _, _ = await two.call("POST", f"/v1beta/{batch['name']}:cancel", {})
        assert status == 200
        _, told, _ = await two.call("GET", f"/v1beta/{batch['name']}")
        assert told["metadata"]["state"] == "BATCH_STATE_CANCELLED"


async def test_openai_errors_are_raised_by_the_sdk_whatever_worker_tells_them(two: Scripted) -> None:
    for _ in range(TIMES):
        async with AsyncOpenAI(base_url=f"{two.url}/v1", api_key="any", max_retries=0) as client:
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve("resp_unknown")


async def test_a_signal_ends_all_workers_with_the_error_of_the_protocol_and_status_0() -> None:
    with serving("--port", "0", "--workers", "2", "--state", "memory", "--shutdown-grace-seconds", "0.05") as process:
        url, lines = await asyncio.to_thread(banner, process)
        assert "  workers 2" in lines
        callers = [aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(HANG_SECONDS)) for _ in range(4)]
        answers = [await http.post("/v1/chat/completions", json={**OPENAI_BODY, "stream": True}) for http in callers]
        for answer in answers:
            await read_until(answer, b'"content":"a"')
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        for answer in answers:
            rest = await answer.read()
            assert b'"error":{' in rest
            assert b"[DONE]" not in rest
        for http in callers:
            await http.close()
        _, errors = await asyncio.to_thread(process.communicate)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert len(children) >= 3  # two workers and the engine
    assert not any(child.is_running() for child in children)


async def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    with serving("--port", "0", "--workers", "2", "--state", "memory", TMPDIR=str(tmp_path)) as process:
        await asyncio.to_thread(banner, process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 3
        process.kill()
        gone, alive = await asyncio.to_thread(psutil.wait_procs, children, HANG_SECONDS)
    assert (len(gone), alive) == (len(children), [])
    left = await asyncio.to_thread(os.listdir, tmp_path)
    assert not [name for name in left if name.startswith("localaik-")]


async def test_a_fault_at_the_start_is_told_once_and_nothing_stays_behind() -> None:
    with serving("--port", "0", "--workers", "2", "--model", "missing.gguf") as process:
        out, errors = await asyncio.to_thread(process.communicate)
    assert process.returncode == 1
    assert (out, errors.count("missing.gguf")) == ("", 1), errors
