"""Batches through the official Python SDK, against the real server and engines."""

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*create_embeddings.. is experimental"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

MODEL = "gemini-2.5-flash"
EMBEDDING_MODEL = "gemini-embedding-001"
GUARD_SECONDS = 120
POLL_SECONDS = 0.05
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
LONG = {
    "temperature": 0,
    "maxOutputTokens": 4000,
    "responseMimeType": "application/json",
    "responseSchema": {"type": "ARRAY", "minItems": "600", "items": {"type": "STRING", "enum": ["abcdefghijklmnop"]}},
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


def ended(client: genai.Client, name: str | None) -> types.BatchJob:
    """The job, once it has ended; the caller polls, as there is no other way."""
    until = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < until:
        job = client.batches.get(name=name or "")
        if job.state is not None and job.state.value in ENDED:
            return job
        time.sleep(POLL_SECONDS)
    raise TimeoutError(name)


def upload(client: genai.Client, *lines: object) -> str:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    config = types.UploadFileConfig(mime_type="jsonl")
    return client.files.upload(file=io.BytesIO(text.encode()), config=config).name or ""


def test_inline_requests_are_answered_as_alone(client: genai.Client) -> None:
    config = types.GenerateContentConfig(temperature=1.5, seed=7, max_output_tokens=16)
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


def test_cancel_keeps_what_is_done(client: genai.Client) -> None:
    name = upload(
        client,
        {"key": "bad", "request": 1},
        {"key": "long", "request": request_of("Count", **LONG)},
        {"key": "never", "request": request_of("Hi")},
    )
    job = client.batches.create(model=MODEL, src=name)
    assert job.name is not None
    client.batches.cancel(name=job.name)
    job = ended(client, job.name)
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    assert job.dest is not None
    lines = [json.loads(line) for line in client.files.download(file=job.dest.file_name or "").splitlines()]
    assert [line["error"]["code"] for line in lines] == [3, 1, 1]
    client.batches.cancel(name=job.name or "")
    assert client.batches.get(name=job.name or "") == job


def test_delete_while_it_runs_and_unknown_names(client: genai.Client) -> None:
    job = client.batches.create(model=MODEL, src=upload(client, {"request": request_of("Count", **LONG)}))
    client.batches.delete(name=job.name or "")
    for name, code, status in ((job.name, 404, "NOT_FOUND"), ("batches/_X", 400, "INVALID_ARGUMENT")):
        with pytest.raises(errors.ClientError) as caught:
            client.batches.get(name=name or "")
        assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(("source", "code"), [("files/unknown", 403), ("files/_", 400)])
def test_input_that_is_not_there(client: genai.Client, source: str, code: int) -> None:
    with pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src=source)
    assert caught.value.code == code


def test_a_file_without_requests_is_refused(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match="has no requests") as caught:
        client.batches.create(model=MODEL, src=upload(client, "", " "))
    assert caught.value.code == 400


def test_the_list_goes_over_all_pages(start_server: Callable[[Settings], RunningServer]) -> None:
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


def test_a_restart_goes_on_and_does_nothing_twice(
    start_server: Callable[[Settings], RunningServer], tmp_path: Path
) -> None:
    settings = Settings(port=0, data_dir=str(tmp_path / "data"))
    first = start_server(settings)
    client = client_of(first.url)
    hot = {"temperature": 1.8, "maxOutputTokens": 24}
    lines = [{"key": "short", "request": request_of("Hi", **hot)}, {"key": "long", "request": request_of("x", **LONG)}]
    name = client.batches.create(
        model=MODEL,
        src=upload(client, *lines, {"key": "last", "request": request_of("Hi", **hot)}),
    ).name
    done = first_response(client, name)
    client.close()
    first.stop()

    client = client_of(start_server(settings).url)
    job = ended(client, name)
    assert job.state == types.JobState.JOB_STATE_SUCCEEDED
    assert job.dest is not None
    results = [json.loads(line) for line in client.files.download(file=job.dest.file_name or "").splitlines()]
    client.close()
    assert [line["key"] for line in results] == ["short", "long", "last"]
    assert all("response" in line for line in results)
    assert done == 1


def first_response(client: genai.Client, name: str | None) -> int:
    """Wait until the first request is done, and tell how many are."""
    until = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < until:
        told = client._api_client.request("get", name or "", {}, None)
        stats = json.loads(told.body or "{}")["metadata"]["batchStats"]
        if "successfulRequestCount" in stats:
            return int(stats["successfulRequestCount"])
        time.sleep(POLL_SECONDS)
    raise TimeoutError(name)
