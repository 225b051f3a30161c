"""Batches through the official Python SDK, against the real server and engines."""

import asyncio
import io
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_cli import banner, serving
from tests.fake_engine import Answer, Recorded, ScriptedEngine

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*create_embeddings.. is experimental"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

MODEL = "gemini-2.5-flash"
EMBEDDING_MODEL = "gemini-embedding-001"
GUARD_SECONDS = 120
POLL_SECONDS = 0.05
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
StartServer = Callable[[Settings], RunningServer]
LONG: dict[str, Any] = {
    "temperature": 0,
    "maxOutputTokens": 4000,
    "responseMimeType": "application/json",
    "responseSchema": {
        "type": "ARRAY",
        "minItems": 200,
        "maxItems": 200,
        "items": {"type": "STRING", "enum": ["abcdefghijklmnop"]},
    },
}


def client_of(url: str) -> genai.Client:
    return genai.Client(api_key="test-key", http_options=types.HttpOptions(base_url=url, timeout=120_000))


@pytest.fixture
def client(server: RunningServer) -> Iterator[genai.Client]:
    one = client_of(server.url)
    yield one
    one.close()


def request_of(text: str, **config: Any) -> dict[str, Any]:
    wire = {"temperature": 0, "maxOutputTokens": 24, **config}
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": wire}


def until(client: genai.Client, name: str | None, states: Collection[str]) -> types.BatchJob:
    """The job, once it is in one of `states`; the caller polls, as there is no other way."""
    end = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < end:
        job = client.batches.get(name=name or "")
        if job.state is not None and job.state.value in states:
            return job
        time.sleep(POLL_SECONDS)
    raise TimeoutError(name)


def ended(client: genai.Client, name: str | None) -> types.BatchJob:
    return until(client, name, ENDED)


def results_of(client: genai.Client, job: types.BatchJob) -> list[dict[str, Any]]:
    """The lines of the file of results."""
    assert job.dest is not None
    return [json.loads(line) for line in client.files.download(file=job.dest.file_name or "").splitlines()]


def text_of(line: dict[str, Any]) -> str:
    return str(line["response"]["candidates"][0]["content"]["parts"][0]["text"])


def asked_of(call: Recorded) -> str:
    """The caller's text in a request to the scripted engine."""
    messages: Any = call.body["messages"]
    content = messages[-1]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


@asynccontextmanager
async def scripted(start_server: StartServer, **fields: object) -> AsyncIterator[tuple[ScriptedEngine, genai.Client]]:
    """A server on an engine that answers when the test lets it, and a client."""
    async with asyncio.timeout(GUARD_SECONDS), ScriptedEngine() as engine:
        settings = Settings.model_validate({"port": 0, "state": "memory", "upstream": engine.url, **fields})
        server = await asyncio.to_thread(start_server, settings)
        with client_of(server.url) as client:
            yield engine, client
        await asyncio.to_thread(server.stop)


def upload(client: genai.Client, *lines: object) -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    config = types.UploadFileConfig(mime_type="jsonl")
    return client.files.upload(file=io.BytesIO(text.encode()), config=config).name or ""


def test_inline_requests_are_answered_as_alone(client: genai.Client) -> None:
    without_effect = types.ThinkingConfig(thinking_budget=9)  # which the SDK must be able to read past
    config = types.GenerateContentConfig(temperature=1.5, seed=7, max_output_tokens=16, thinking_config=without_effect)
    texts = ["Hi", "Tell me a story", "What is 2 + 2?"]
    requests = [
        types.InlinedRequest(contents=text, config=config, metadata={"key": str(place)})
        for place, text in enumerate(texts)
    ]
    job = client.batches.create(model=MODEL, src=requests, config={"display_name": "three"})
    assert job.name is not None
    assert job.name.startswith("batches/")
    assert (job.state, job.display_name) == (types.JobState.JOB_STATE_PENDING, "three")
    job = ended(client, job.name)
    assert (job.state, job.model) == (types.JobState.JOB_STATE_SUCCEEDED, f"models/{MODEL}")
    assert job.end_time is not None
    assert job.dest is not None
    responses = job.dest.inlined_responses or []
    assert [one.metadata for one in responses] == [{"key": "0"}, {"key": "1"}, {"key": "2"}]
    alone = [client.models.generate_content(model=MODEL, contents=text, config=config).text for text in texts]
    assert [one.response.text if one.response else None for one in responses] == alone


def test_a_request_at_fault_fails_alone(client: genai.Client) -> None:
    requests: list[Any] = [
        types.InlinedRequest(contents="Hi", config=types.GenerateContentConfig(max_output_tokens=4)),
        types.InlinedRequest(contents=types.Content(parts=[types.Part.from_uri(file_uri="gs://b/o", mime_type="a/b")])),
    ]
    job = ended(client, client.batches.create(model=MODEL, src=requests).name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    good, bad = job.dest.inlined_responses or []
    assert good.response is not None
    assert bad.error is not None
    assert bad.error.code == 3
    assert bad.error.message == "Only data:, http: and https: URLs can be read."


def test_a_file_of_requests_becomes_a_file_of_results(client: genai.Client) -> None:
    snake = {
        "service_tier": "flex",
        "contents": [{"parts": [{"text": "Hi"}]}],
        "generation_config": {"temperature": 0, "max_output_tokens": 24},
    }
    name = upload(
        client,
        {"key": "a", "request": request_of("Hi")},
        "",
        {"key": "b", "request": snake},
        "{not json",
        {"key": "d"},
        {"key": "e", "request": {"contents": []}},
    )
    job = ended(client, client.batches.create(model=MODEL, src=name).name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    assert job.dest.file_name is not None
    lines = [json.loads(line) for line in client.files.download(file=job.dest.file_name).splitlines()]
    assert [line.get("key") for line in lines] == ["a", "b", None, "d", "e"]
    alone = client.models.generate_content(
        model=MODEL, contents="Hi", config=types.GenerateContentConfig(temperature=0, max_output_tokens=24)
    ).text
    texts = [line["response"]["candidates"][0]["content"]["parts"][0]["text"] for line in lines[:2]]
    assert texts == [alone, alone]
    assert [line["response"].get("localaikIgnored") for line in lines[:2]] == [None, ["serviceTier"]]
    assert [(line["error"]["code"], line["error"]["status"]) for line in lines[2:]] == [(3, "INVALID_ARGUMENT")] * 3
    file = client.files.get(name=job.dest.file_name)
    assert (file.source, file.mime_type) == (types.FileSource.GENERATED, "application/jsonl")
    assert file.download_uri is not None


def test_embeddings_inline_and_from_a_file(client: genai.Client) -> None:
    config = types.EmbedContentConfig(output_dimensionality=64, task_type="RETRIEVAL_DOCUMENT")
    alone = client.models.embed_content(model=EMBEDDING_MODEL, contents=["a", "b"], config=config).embeddings or []
    inlined = types.EmbedContentBatch(contents=["a", "b"], config=config)
    job = client.batches.create_embeddings(model=EMBEDDING_MODEL, src={"inlined_requests": inlined})
    job = ended(client, job.name)
    assert job.dest is not None
    responses = job.dest.inlined_embed_content_responses or []
    vectors = [one.response.embedding.values for one in responses if one.response and one.response.embedding]
    assert vectors == [one.values for one in alone]

    item = {"content": {"parts": [{"text": "a"}]}, "output_dimensionality": 64, "task_type": "RETRIEVAL_DOCUMENT"}
    name = upload(client, {"key": "a", "request": item})
    job = client.batches.create_embeddings(model=EMBEDDING_MODEL, src={"file_name": name})
    job = ended(client, job.name)
    assert job.dest is not None
    line = json.loads(client.files.download(file=job.dest.file_name or ""))
    assert line["key"] == "a"
    assert line["response"]["embedding"]["values"] == pytest.approx(vectors[0])


async def test_cancel_keeps_what_is_done(start_server: StartServer) -> None:
    async with scripted(start_server) as (engine, client):
        engine.enqueue(Answer(tokens="Done."), Answer(first_byte=asyncio.Event()))
        lines = [{"key": "bad", "request": 1}, *({"key": key, "request": request_of(key)} for key in "abc")]
        job = await asyncio.to_thread(lambda: client.batches.create(model=MODEL, src=upload(client, *lines)))
        await engine.called(2)
        await asyncio.to_thread(client.batches.cancel, name=job.name or "")
        await engine.disconnected.wait()
        job = await asyncio.to_thread(ended, client, job.name)
        assert job.state == types.JobState.JOB_STATE_CANCELLED
        results = await asyncio.to_thread(results_of, client, job)
        assert [line["key"] for line in results] == ["bad", "a", "b", "c"]
        assert [line.get("error", {}).get("code") for line in results] == [3, None, 1, 1]
        assert text_of(results[1]) == "Done."
        await asyncio.to_thread(client.batches.cancel, name=job.name or "")
        assert await asyncio.to_thread(client.batches.get, name=job.name or "") == job
        assert len(engine.calls) == 2


async def test_delete_while_it_runs(start_server: StartServer) -> None:
    async with scripted(start_server) as (engine, client):
        engine.enqueue(Answer(first_byte=asyncio.Event()))
        sources = [types.InlinedRequest(contents=text) for text in ("a", "b")]
        job = await asyncio.to_thread(client.batches.create, model=MODEL, src=sources)
        await engine.called()
        await asyncio.to_thread(client.batches.delete, name=job.name or "")
        await engine.disconnected.wait()
        with pytest.raises(errors.ClientError) as caught:
            await asyncio.to_thread(client.batches.get, name=job.name or "")
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
        assert len(engine.calls) == 1


@pytest.mark.parametrize(("name", "code"), [("batches/unknown", 404), ("batches/_X", 400)])
def test_names_of_no_batch(client: genai.Client, name: str, code: int) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name=name)
    assert caught.value.code == code


@pytest.mark.parametrize(("source", "code"), [("files/unknown", 403), ("files/_", 400)])
def test_input_that_is_not_there(client: genai.Client, source: str, code: int) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src=source)
    assert caught.value.code == code


def test_a_file_without_requests_is_refused(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match="has no requests") as caught:
        client.batches.create(model=MODEL, src=upload(client, "", " "))
    assert caught.value.code == 400


def test_the_list_goes_over_all_pages(start_server: StartServer) -> None:
    client = client_of(start_server(Settings(port=0, state="memory")).url)
    assert [*client.batches.list()] == []
    made = [
        client.batches.create(
            model=MODEL, src=[types.InlinedRequest(contents="Hi")], config={"display_name": str(place)}
        )
        for place in range(5)
    ]
    listed = [*client.batches.list(config={"page_size": 2})]
    assert [job.name for job in listed] == [job.name for job in reversed(made)]
    client.close()


async def test_g050_a_batch_survives_kill_9_and_nothing_is_done_twice(
    start_server: StartServer, tmp_path: Path
) -> None:
    async with asyncio.timeout(GUARD_SECONDS), ScriptedEngine() as engine:
        engine.enqueue(Answer(tokens="first"), Answer(first_byte=asyncio.Event()))
        lines = [{"key": key, "request": request_of(key)} for key in "abc"]
        with serving("--port", "0", "--upstream", engine.url, "--data-dir", str(tmp_path)) as process:
            url, _ = await asyncio.to_thread(banner, process)
            with client_of(url) as client:
                job = await asyncio.to_thread(lambda: client.batches.create(model=MODEL, src=upload(client, *lines)))
                await engine.called(2)
                process.kill()
        assert [asked_of(call) for call in engine.calls] == ["a", "b"]

        engine.enqueue(Answer(tokens="second"), Answer(tokens="third"))
        again = await asyncio.to_thread(start_server, Settings(port=0, data_dir=str(tmp_path), upstream=engine.url))
        with client_of(again.url) as client:
            job = await asyncio.to_thread(ended, client, job.name)
            assert job.state == types.JobState.JOB_STATE_SUCCEEDED
            results = await asyncio.to_thread(results_of, client, job)
        assert [(line["key"], text_of(line)) for line in results] == [("a", "first"), ("b", "second"), ("c", "third")]
        assert [asked_of(call) for call in engine.calls] == ["a", "b", "b", "c"]
        await asyncio.to_thread(again.stop)


async def test_g050_as_many_requests_run_at_once_as_are_allowed(start_server: StartServer) -> None:
    async with scripted(start_server, batch_concurrency=3) as (engine, client):
        gate = asyncio.Event()
        engine.enqueue(*(Answer(tokens="Done.", first_byte=gate) for _ in range(3)))
        sources = [types.InlinedRequest(contents=text) for text in "abcde"]
        job = await asyncio.to_thread(client.batches.create, model=MODEL, src=sources)
        await engine.called(3)
        assert sorted(map(asked_of, engine.calls)) == ["a", "b", "c"]
        gate.set()
        job = await asyncio.to_thread(ended, client, job.name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED
        assert engine.peak == 3
        assert sorted(map(asked_of, engine.calls)) == ["a", "b", "c", "d", "e"]


def test_g050_several_requests_at_once_are_answered_as_alone(start_server: StartServer) -> None:
    with client_of(start_server(Settings(port=0, state="memory", batch_concurrency=3)).url) as client:
        config = types.GenerateContentConfig(temperature=1.5, seed=7, max_output_tokens=16)
        asked = ["Hi", "Tell me a story", "What is 2 + 2?", "Who are you?", "Thanks!"]
        requests = [types.InlinedRequest(contents=text, config=config) for text in asked]
        job = ended(client, client.batches.create(model=MODEL, src=requests).name)
        assert job.dest is not None
        texts = [one.response.text if one.response else None for one in job.dest.inlined_responses or []]
        alone = [client.models.generate_content(model=MODEL, contents=text, config=config).text for text in asked]
    assert len(set(texts)) > 1
    assert texts == alone


def test_g050_an_engine_that_is_killed_loses_no_request(start_server: StartServer) -> None:
    server = start_server(Settings(port=0, state="memory"))
    with client_of(server.url) as client:
        lines = [{"key": "long", "request": request_of("Count", **LONG)}, {"key": "b", "request": request_of("Hi")}]
        name = client.batches.create(model=MODEL, src=upload(client, *lines)).name
        until(client, name, {"JOB_STATE_RUNNING"})
        pid = server.server.engine.describe()["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        job = ended(client, name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED
        results = results_of(client, job)
        assert [(line["key"], "response" in line) for line in results] == [("long", True), ("b", True)]
        assert len(json.loads(text_of(results[0]))) == LONG["responseSchema"]["minItems"]
    assert server.server.engine.describe()["restarts"] == 1
    assert server.server.engine.describe()["pid"] != pid
