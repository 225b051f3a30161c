"""Files, uploads, batches and moderations through the official Python SDK, against the real server and engine."""

import hashlib
import io
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Batch, FileObject

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.media_samples import make_image, make_pdf, pages_of_text

MODEL = "gpt-4o-mini"
CHAT = "/v1/chat/completions"
GUARD_SECONDS = 120
POLL_SECONDS = 0.02
WORDS = {"type": "array", "minItems": 600, "items": {"type": "string", "enum": ["abcdefghijklmnop"]}}
LONG = {"type": "json_schema", "json_schema": {"name": "words", "schema": WORDS}}
"""An answer of thousands of tokens, whatever the model would rather say."""


def client_of(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


@pytest.fixture
def client(server: RunningServer) -> Iterator[OpenAI]:
    with client_of(server.url) as one:
        yield one


def test_files(client: OpenAI) -> None:
    made = client.files.create(
        file=("notes.txt", b"some notes"),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert isinstance(made, FileObject)
    assert (made.filename, made.bytes, made.purpose, made.status) == ("notes.txt", 10, "user_data", "processed")
    assert made.expires_at == made.created_at + 3600
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == b"some notes"
    assert client.files.wait_for_processing(made.id) == made
    assert made in client.files.list(purpose="user_data").data
    assert made not in client.files.list(purpose="evals", limit=10000, order="asc").data
    gone = client.files.delete(made.id)
    assert (gone.id, gone.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError) as caught:
        client.files.retrieve(made.id)
    assert (caught.value.code, caught.value.type) == (None, "invalid_request_error")
    assert f"No such File object: {made.id}" in caught.value.message


def test_the_sdk_goes_over_all_pages(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{place}", b"x"), purpose="evals").id for place in range(5)]
    assert [file.id for file in client.files.list(purpose="evals", limit=2)] == made[::-1]
    assert [file.id for file in client.files.list(purpose="evals", limit=2, order="asc")] == made


def test_what_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=b"x", purpose="other")  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.param) == ("invalid_value", "purpose")


def test_an_upload_in_chunks(client: OpenAI, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    path = tmp_path / "large.bin"
    path.write_bytes(data)
    done = client.uploads.upload_file_chunked(
        file=path,
        mime_type="application/octet-stream",
        purpose="assistants",
        part_size=300_000,
        md5=hashlib.md5(data).hexdigest(),
    )
    assert (done.status, done.bytes) == ("completed", len(data))
    assert done.file is not None
    assert (done.file.filename, done.file.bytes, done.file.purpose) == ("large.bin", len(data), "assistants")
    assert client.files.content(done.file.id).read() == data


def test_an_upload_by_hand(client: OpenAI) -> None:
    upload = client.uploads.create(bytes=4, filename="a.txt", mime_type="text/plain", purpose="batch")
    assert (upload.status, upload.file, upload.expires_at - upload.created_at) == ("pending", None, 3600)
    last, first = (client.uploads.parts.create(upload.id, data=data) for data in (b"cd", b"ab"))
    with pytest.raises(openai.BadRequestError, match="have 2 bytes together, but 4 were declared"):
        client.uploads.complete(upload.id, part_ids=[first.id])
    done = client.uploads.complete(upload.id, part_ids=[first.id, last.id])
    assert done.file is not None
    assert client.files.content(done.file.id).read() == b"abcd"
    with pytest.raises(openai.BadRequestError, match="takes nothing more"):
        client.uploads.parts.create(upload.id, data=b"x")
    other = client.uploads.create(bytes=4, filename="a.txt", mime_type="text/plain", purpose="batch")
    assert client.uploads.cancel(other.id).status == "cancelled"


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.txt", b"Blue is a colour."), ("a.pdf", None), ("a.png", None)],
    ids=["text", "pdf", "image"],
)
def test_a_stored_file_in_a_chat_is_as_its_bytes(client: OpenAI, name: str, data: bytes | None) -> None:
    if data is None:
        data = make_pdf(pages_of_text(1)) if name.endswith("pdf") else make_image("PNG")
    file_id = client.files.create(file=(name, data), purpose="user_data").id

    def ask(**file: str) -> tuple[str | None, int]:
        content: Any = [{"type": "text", "text": "What is this?"}, {"type": "file", "file": file}]
        completion = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": content}], max_tokens=4, temperature=0
        )
        assert completion.usage is not None
        return completion.choices[0].message.content, completion.usage.prompt_tokens

    encoded = {"a.txt": "text/plain", "a.pdf": "application/pdf", "a.png": "image/png"}[name]
    url = f"data:{encoded};base64,{b64encode(data).decode()}"
    assert ask(file_id=file_id, filename=name) == ask(file_data=url, filename=name)


@pytest.mark.parametrize(
    ("file_id", "status", "words"),
    [
        ("file-aaaaaaaaaaaaaaaaaaaaaaaa", 404, "No such File object: file-aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("../../x", 404, "No such File object: ../../x"),
        ("", 400, "unsupported mime type: audio/mpeg"),
    ],
)
def test_stored_files_that_no_chat_can_have(client: OpenAI, file_id: str, status: int, words: str) -> None:
    file_id = file_id or client.files.create(file=("a.mp3", b"ID3", "audio/mpeg"), purpose="user_data").id
    content: Any = [{"type": "file", "file": {"file_id": file_id}}]
    with pytest.raises(openai.APIStatusError, match=words) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert caught.value.status_code == status


def test_moderations(client: OpenAI) -> None:
    answer = client.moderations.create(input=["fine", "LOCALAIK_FLAG:violence/graphic"])
    assert answer.model == "omni-moderation-latest"
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.results[1].categories.violence_graphic is True
    assert answer.results[1].categories.violence is False
    assert answer.results[1].category_scores.violence_graphic == 1.0
    assert answer.results[1].category_applied_input_types.violence_graphic == ["text"]
    mixed = client.moderations.create(
        model="omni-moderation-2024-09-26",
        input=[
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ],
    )
    assert (len(mixed.results), mixed.model) == (1, "omni-moderation-2024-09-26")


def line(custom_id: str, url: str = CHAT, **body: object) -> dict[str, object]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": MODEL, **body}}


def chat(text: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 8, **fields}


def create(client: OpenAI, *lines: object, endpoint: Any = CHAT) -> Batch:
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("in.jsonl", io.BytesIO(data)), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"name": "test"}
    )


def ended(client: OpenAI, batch: Batch) -> Batch:
    """The batch, once it has ended; the caller polls, as there is no other way."""
    until = time.monotonic() + GUARD_SECONDS
    while time.monotonic() < until:
        batch = client.batches.retrieve(batch.id)
        if batch.status in {"completed", "failed", "cancelled", "expired"}:
            return batch
        time.sleep(POLL_SECONDS)
    raise TimeoutError(batch.id)


def results(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(one) for one in client.files.content(file_id).text.splitlines()]


def test_a_batch_of_chats(client: OpenAI) -> None:
    made = create(client, line("b", **chat("Hi")), line("a", **chat("Hi", top_p=2)), line("c", **chat("What is 2+2?")))
    assert (made.status, made.object, made.metadata) == ("validating", "batch", {"name": "test"})
    batch = ended(client, made)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    good = results(client, batch.output_file_id)
    assert [one["custom_id"] for one in good] == ["b", "c"]
    texts = [one["response"]["body"]["choices"][0]["message"]["content"] for one in good]
    alone = [
        client.chat.completions.create(model=MODEL, **chat(text)).choices[0].message.content  # type: ignore[call-overload]
        for text in ("Hi", "What is 2+2?")
    ]
    assert texts == alone
    (bad,) = results(client, batch.error_file_id)
    assert (bad["custom_id"], bad["response"]["status_code"]) == ("a", 400)
    assert bad["response"]["body"]["error"]["param"] == "top_p"
    assert batch.usage is not None
    assert batch.usage.total_tokens == sum(one["response"]["body"]["usage"]["total_tokens"] for one in good)
    output = client.files.retrieve(batch.output_file_id or "")
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")
    assert batch.id in [one.id for one in client.batches.list(limit=1)]


def test_batches_of_other_endpoints(client: OpenAI) -> None:
    made = {
        "/v1/completions": line("x", "/v1/completions", prompt="Once", max_tokens=4),
        "/v1/responses": line("x", "/v1/responses", input="Hi", max_output_tokens=16),
        "/v1/embeddings": line("x", "/v1/embeddings", input=["a", "b"], dimensions=64),
        "/v1/moderations": line("x", "/v1/moderations", input="a"),
    }
    jobs = {endpoint: create(client, one, endpoint=endpoint) for endpoint, one in made.items()}
    bodies = {}
    for endpoint, job in jobs.items():
        (one,) = results(client, ended(client, job).output_file_id)
        bodies[endpoint] = one["response"]["body"]
    assert bodies["/v1/completions"]["object"] == "text_completion"
    assert (bodies["/v1/responses"]["object"], bodies["/v1/responses"]["model"]) == ("response", MODEL)
    vectors = client.embeddings.create(model=MODEL, input=["a", "b"], dimensions=64, encoding_format="float").data
    told = [one["embedding"] for one in bodies["/v1/embeddings"]["data"]]
    assert told[0] == pytest.approx(vectors[0].embedding, abs=1e-4)
    assert bodies["/v1/moderations"]["results"][0]["flagged"] is False


def test_a_batch_at_fault(client: OpenAI) -> None:
    batch = ended(client, create(client, line("a", **chat("Hi")), line("a", **chat("Hi"))))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert [(one.code, one.line) for one in batch.errors.data or []] == [("duplicate_custom_id", 2)]
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_x'"):
        client.batches.retrieve("batch_x")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a batch with status 'failed'"):
        client.batches.cancel(batch.id)


def test_a_cancelled_batch(client: OpenAI) -> None:
    made = create(
        client, *(line(str(place), **chat("Count", max_tokens=4000, response_format=LONG)) for place in range(3))
    )
    assert client.batches.cancel(made.id).status in {"cancelling", "cancelled"}
    batch = ended(client, made)
    assert batch.status == "cancelled"
    assert batch.cancelled_at is not None


def test_a_batch_survives_a_restart(start_server: Callable[[Settings], RunningServer], tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=str(tmp_path / "data"))
    first = start_server(settings)
    with client_of(first.url) as client:
        made = create(client, *(line(str(place), **chat(f"Say {place}")) for place in range(3)))
    first.stop()
    with client_of(start_server(settings).url) as client:
        batch = ended(client, made)
        assert (batch.status, batch.created_at) == ("completed", made.created_at)
        good = results(client, batch.output_file_id)
        assert [one["custom_id"] for one in good] == ["0", "1", "2"]
