"""Cached contents through the official Python SDK, against the real server and engine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.contract.test_wire_gemini import CAPTURES, send

MODEL = "gemini-2.5-flash"
GONE = r"CachedContent not found \(or permission denied\)"
HISTORY = [
    types.Content(role="user", parts=[types.Part(text="My name is Ada. Say hello.")]),
    types.Content(role="model", parts=[types.Part(text="Hello Ada!")]),
]
QUESTION = types.Content(role="user", parts=[types.Part(text="Hello again.")])
SAMPLING = {"temperature": 0.0, "seed": 3, "max_output_tokens": 24}


def client_of(url: str, version: str | None = None) -> genai.Client:
    options = types.HttpOptions(base_url=url, api_version=version, timeout=120_000)
    return genai.Client(api_key="test-key", http_options=options)


@pytest.fixture(params=[None, "v1beta"], ids=["default-version", "v1beta"])
def client(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    one = client_of(server.url, request.param)
    yield one
    one.close()


def create(client: genai.Client, **config: object) -> types.CachedContent:
    whole = {"contents": HISTORY, "system_instruction": "Be brief.", "ttl": "600s", **config}
    return client.caches.create(model=MODEL, config=types.CreateCachedContentConfig.model_validate(whole))


def config_of(**fields: object) -> types.GenerateContentConfig:
    return types.GenerateContentConfig.model_validate({**SAMPLING, **fields})


def uncached(client: genai.Client) -> types.GenerateContentResponse:
    return client.models.generate_content(
        model=MODEL, contents=[*HISTORY, QUESTION], config=config_of(system_instruction="Be brief.")
    )


def test_g048_create_get_list_update_delete(client: genai.Client) -> None:
    cache = create(client, display_name="mine")
    assert cache.name is not None
    assert (cache.model, cache.display_name) == (f"models/{MODEL}", "mine")
    assert cache.create_time is not None
    assert cache.expire_time is not None
    assert (cache.expire_time - cache.create_time).total_seconds() == 600
    assert cache.usage_metadata is not None
    assert (cache.usage_metadata.total_token_count or 0) > 10
    assert client.caches.get(name=cache.name) == cache
    assert cache in list(client.caches.list(config={"page_size": 1}))
    changed = client.caches.update(name=cache.name, config={"ttl": "7200s"})
    assert changed.expire_time is not None
    assert changed.update_time is not None
    assert (changed.expire_time - changed.update_time).total_seconds() == 7200
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError, match=GONE) as caught:
        client.caches.get(name=cache.name)
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")


def test_g048_the_answer_is_that_of_the_uncached_request(client: genai.Client) -> None:
    cache = create(client)
    plain = uncached(client)
    assert plain.text
    config = config_of(cached_content=cache.name)
    answer = client.models.generate_content(model=MODEL, contents=[QUESTION], config=config)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=[QUESTION], config=config))
    assert answer.text == plain.text == "".join(chunk.text or "" for chunk in chunks)
    assert cache.usage_metadata is not None
    for usage in (answer.usage_metadata, chunks[-1].usage_metadata):
        assert usage is not None
        assert plain.usage_metadata is not None
        assert usage.prompt_token_count == plain.usage_metadata.prompt_token_count
        assert usage.cached_content_token_count == cache.usage_metadata.total_token_count
        assert (usage.cached_content_token_count or 0) < (usage.prompt_token_count or 0)


def test_g048_a_system_instruction_alone(client: genai.Client) -> None:
    cache = create(client, contents=None)
    config = config_of(cached_content=cache.name)
    answer = client.models.generate_content(model=MODEL, contents="Hello", config=config)
    plain = client.models.generate_content(
        model=MODEL, contents="Hello", config=config_of(system_instruction="Be brief.")
    )
    assert answer.text == plain.text


def test_g048_cached_functions_are_called(client: genai.Client) -> None:
    function = {"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    calling = {"function_calling_config": {"mode": "ANY"}}
    cache = create(client, contents=None, tools=[{"function_declarations": [function]}], tool_config=calling)
    config = config_of(cached_content=cache.name, max_output_tokens=200)
    answer = client.models.generate_content(model=MODEL, contents="Weather in Paris?", config=config)
    assert [call.name for call in answer.function_calls or ()][:1] == ["get_weather"]


def test_g048_files_must_resolve(client: genai.Client) -> None:
    for uri, code in (("gs://bucket/x", 400), ("https://generativelanguage.googleapis.com/v1beta/files/nothing", 403)):
        part = types.Part(file_data=types.FileData(file_uri=uri, mime_type="text/plain"))
        with pytest.raises(errors.ClientError) as caught:
            create(client, contents=[types.Content(role="user", parts=[part])])
        assert caught.value.code == code, uri


def test_g048_it_survives_a_restart(start_server: Callable[[Settings], RunningServer], tmp_path: Path) -> None:
    settings = Settings(port=0, data_dir=str(tmp_path))
    first = start_server(settings)
    cache = create(client_of(first.url))
    first.stop()
    client = client_of(start_server(settings).url)
    assert client.caches.get(name=cache.name or "") == cache
    config = config_of(cached_content=cache.name)
    answer = client.models.generate_content(model=MODEL, contents=[QUESTION], config=config)
    assert answer.text == uncached(client).text
    client.close()


@pytest.mark.parametrize("name", ["py_caches", "js_caches"])
def test_g048_captured_requests_on_what_they_created(server: RunningServer, name: str) -> None:
    """The capture's id is that of another service; here it is the one that the first answer gives."""
    made = "c1"
    for captured in json.loads((CAPTURES / f"{name}.json").read_text()):
        text = json.dumps(captured).replace("cachedContents/c1", f"cachedContents/{made}")
        record = json.loads(text)
        body = None if record["body"] is None else json.dumps(record["body"]).encode()
        record["headers"] = {key: value for key, value in record["headers"].items() if key != "Accept-Encoding"}
        if body is not None:
            record["headers"]["Content-Length"] = str(len(body))
        status, _, data = send(server.url, record, body)
        assert status == 200, data
        answer = json.loads(data)
        if made == "c1":
            made = answer["name"].removeprefix("cachedContents/")
        if ":generateContent" in record["path"]:
            assert answer["usageMetadata"]["cachedContentTokenCount"] > 0
