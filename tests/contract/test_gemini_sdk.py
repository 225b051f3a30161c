"""The official Python SDK of the Gemini API against the real server and engine."""

import asyncio
import base64
import enum
import io
import json
from collections.abc import Callable, Iterator

import aiohttp
import orjson
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image
from pydantic import BaseModel

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

# What the SDK does inside its own asynchronous client is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "gemini-2.5-flash"
Generate = Callable[..., types.GenerateContentResponse]


def client_of(url: str, version: str | None) -> genai.Client:
    options = types.HttpOptions(base_url=url, api_version=version, timeout=120_000)
    return genai.Client(api_key="test-key", http_options=options)


@pytest.fixture(params=[None, "v1beta"], ids=["default-version", "v1beta"])
def client(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    one = client_of(server.url, request.param)
    yield one
    one.close()


@pytest.fixture
def default_client(server: RunningServer) -> Iterator[genai.Client]:
    one = client_of(server.url, None)
    yield one
    one.close()


def fold_chunks(chunks: list[types.GenerateContentResponse]) -> types.GenerateContentResponse:
    """The last chunk with the text of all chunks, for answers of one candidate."""
    whole = chunks[-1].model_copy(deep=True)
    text = "".join(chunk.text or "" for chunk in chunks)
    whole.candidates[0].content = types.Content(role="model", parts=[types.Part(text=text)])  # type: ignore[index]
    return whole


def generate_whole(client: genai.Client, **request: object) -> types.GenerateContentResponse:
    return client.models.generate_content(model=MODEL, **request)  # type: ignore[arg-type]


def generate_streamed(client: genai.Client, **request: object) -> types.GenerateContentResponse:
    return fold_chunks(list(client.models.generate_content_stream(model=MODEL, **request)))  # type: ignore[arg-type]


def generate_async(client: genai.Client, **request: object) -> types.GenerateContentResponse:
    async def run() -> types.GenerateContentResponse:
        try:
            return await client.aio.models.generate_content(model=MODEL, **request)  # type: ignore[arg-type]
        finally:
            await client.aio.aclose()

    return asyncio.run(run())


def generate_async_streamed(client: genai.Client, **request: object) -> types.GenerateContentResponse:
    async def run() -> types.GenerateContentResponse:
        try:
            stream = await client.aio.models.generate_content_stream(model=MODEL, **request)  # type: ignore[arg-type]
            return fold_chunks([chunk async for chunk in stream])
        finally:
            await client.aio.aclose()

    return asyncio.run(run())


ALL_WAYS = [generate_whole, generate_streamed, generate_async, generate_async_streamed]


@pytest.fixture(params=ALL_WAYS, ids=lambda way: way.__name__.removeprefix("generate_"))
def generate(request: pytest.FixtureRequest) -> Generate:
    return request.param  # type: ignore[no-any-return]


# Text


def test_g009_text_with_all_fields_of_an_answer(client: genai.Client, generate: Generate) -> None:
    answer = generate(client, contents="Hello", config={"temperature": 0, "max_output_tokens": 60})
    (candidate,) = answer.candidates or []
    usage = answer.usage_metadata
    assert answer.text
    assert candidate.content is not None
    assert candidate.content.role == "model"
    assert candidate.finish_reason in {types.FinishReason.STOP, types.FinishReason.MAX_TOKENS}
    assert usage is not None
    assert usage.prompt_token_count
    assert usage.candidates_token_count
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert [(one.modality, one.token_count) for one in usage.prompt_tokens_details or []] == [
        (types.MediaModality.TEXT, usage.prompt_token_count)
    ]
    assert answer.model_version == MODEL
    assert len(answer.response_id or "") == 22


def test_g012_g036_the_same_request_gives_the_same_text_in_every_way(server: RunningServer) -> None:
    config = {"max_output_tokens": 24, "system_instruction": "Be brief."}
    answers = []
    for way in ALL_WAYS:
        client = client_of(server.url, None)
        answers.append(way(client, contents="Tell me a story.", config=config))
        client.close()
    assert len({answer.text for answer in answers}) == 1
    assert len({str(answer.usage_metadata) for answer in answers}) == 1
    assert len({str((answer.candidates or [])[0].finish_reason) for answer in answers}) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_g009_a_chat_of_three_turns_keeps_its_history(default_client: genai.Client, streamed: bool) -> None:
    chat = default_client.chats.create(model=MODEL, config={"max_output_tokens": 16, "temperature": 0})
    prompts = []
    for message in ("Hello", "Who are you?", "Bye"):
        answers = list(chat.send_message_stream(message)) if streamed else [chat.send_message(message)]
        prompts.append(answers[-1].usage_metadata.prompt_token_count)  # type: ignore[union-attr]
    assert prompts == sorted(set(prompts)), "the history grows"
    assert [content.role for content in chat.get_history(curated=True) if content.role == "user"] == ["user"] * 3


def test_g035_a_stream_has_several_chunks_and_its_last_has_everything(default_client: genai.Client) -> None:
    # A schema makes the answer long, whatever the model has to say.
    config = {"max_output_tokens": 40, "response_schema": types.Schema(type=types.Type.ARRAY, min_items=30)}
    chunks = list(default_client.models.generate_content_stream(model=MODEL, contents="List.", config=config))  # type: ignore[arg-type]
    assert len(chunks) >= 3
    assert all((chunk.candidates or [])[0].finish_reason is None for chunk in chunks[:-1])
    last = chunks[-1]
    assert last.text
    assert (last.candidates or [])[0].finish_reason is not None
    assert {chunk.response_id for chunk in chunks} == {last.response_id}
    counts = [chunk.usage_metadata.candidates_token_count for chunk in chunks]  # type: ignore[union-attr]
    assert counts == sorted(counts)


def test_g012_candidates_differ_and_come_back_the_same(default_client: genai.Client) -> None:
    config = {"candidate_count": 8, "max_output_tokens": 8, "temperature": 2.0}
    order = "Reverse the words: potato engine silver moon river table candle"

    def texts() -> list[str]:
        answer = default_client.models.generate_content(model=MODEL, contents=order, config=config)  # type: ignore[arg-type]
        assert [one.index for one in answer.candidates or []] == list(range(8))
        return ["".join(part.text or "" for part in one.content.parts or []) for one in answer.candidates or []]  # type: ignore[union-attr]

    first = texts()
    assert first == texts()
    assert len(set(first)) > 1


def test_g013_the_token_limit_ends_with_max_tokens(default_client: genai.Client, generate: Generate) -> None:
    config = {"max_output_tokens": 3, "response_schema": types.Schema(type=types.Type.ARRAY, min_items=30)}
    answer = generate(default_client, contents="List.", config=config)
    assert (answer.candidates or [])[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata.candidates_token_count == 3  # type: ignore[union-attr]


# Logprobs


@pytest.mark.parametrize("alternatives", [None, 3])
def test_g014_logprobs_join_to_the_text(default_client: genai.Client, alternatives: int | None) -> None:
    config = {"max_output_tokens": 8, "temperature": 0, "response_logprobs": True, "logprobs": alternatives}
    whole = generate_whole(default_client, contents="Hello", config=config)
    (candidate,) = whole.candidates or []
    result = candidate.logprobs_result
    assert result is not None
    chosen = result.chosen_candidates or []
    total = sum(token.log_probability or 0 for token in chosen)
    assert "".join(token.token or "" for token in chosen).startswith(whole.text or "?")
    assert all((token.log_probability or 0) <= 0 for token in chosen)
    assert candidate.avg_logprobs == pytest.approx(total / len(chosen))
    top = result.top_candidates
    if alternatives is None:
        assert top is None
    else:
        assert [len(one.candidates or []) for one in top or []] == [alternatives] * len(chosen)
    chunks = list(default_client.models.generate_content_stream(model=MODEL, contents="Hello", config=config))  # type: ignore[arg-type]
    streamed = [
        token
        for chunk in chunks
        for one in chunk.candidates or []
        if one.logprobs_result
        for token in one.logprobs_result.chosen_candidates or []
    ]
    assert [(token.token, token.token_id) for token in streamed] == [(token.token, token.token_id) for token in chosen]


# Schemas


class Flavour(enum.Enum):
    SWEET = "sweet"
    SOUR = "sour"


class Ingredient(BaseModel):
    name: str
    grams: int
    note: str | None = None


class Recipe(BaseModel):
    title: str
    flavour: Flavour
    ingredients: list[Ingredient]


def test_g021_answers_are_parsed_into_the_callers_type(default_client: genai.Client, generate: Generate) -> None:
    config = {"response_mime_type": "application/json", "response_schema": Recipe, "max_output_tokens": 400}
    answer = generate(default_client, contents="A recipe.", config=config)
    text = answer.text or ""
    if (answer.candidates or [])[0].finish_reason == types.FinishReason.MAX_TOKENS:
        assert text.startswith("{")
        return
    assert list(json.loads(text)) == ["title", "flavour", "ingredients"]
    Recipe.model_validate_json(text)


def test_g022_an_enum_is_one_bare_value(default_client: genai.Client, generate: Generate) -> None:
    config = {"response_mime_type": "text/x.enum", "response_schema": Flavour}
    assert generate(default_client, contents="Lemon?", config=config).text in {"sweet", "sour"}
    quoted = {"response_mime_type": "application/json", "response_schema": Flavour}
    assert generate(default_client, contents="Lemon?", config=quoted).text in {'"sweet"', '"sour"'}


def test_g023_json_schema_as_it_is(default_client: genai.Client) -> None:
    schema = {
        "$defs": {"Leaf": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "type": "object",
        "properties": {"leaf": {"$ref": "#/$defs/Leaf"}, "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
        "required": ["leaf", "maybe"],
        "additionalProperties": False,
    }
    answer = generate_whole(default_client, contents="Go.", config={"response_json_schema": schema, "temperature": 0})
    value = json.loads(answer.text or "")
    assert isinstance(value["leaf"]["n"], int)
    assert value["maybe"] in {True, False, None}


# Media


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(buffer, "PNG")
    return buffer.getvalue()


def test_g016_g017_an_image_is_counted_apart(client: genai.Client, generate: Generate) -> None:
    contents = [types.Part.from_bytes(data=png(), mime_type="image/png"), "What is it?"]
    answer = generate(client, contents=contents, config={"max_output_tokens": 4})
    details = {one.modality: one.token_count for one in answer.usage_metadata.prompt_tokens_details or []}  # type: ignore[union-attr]
    assert set(details) == {types.MediaModality.TEXT, types.MediaModality.IMAGE}
    assert sum(details.values()) == answer.usage_metadata.prompt_token_count  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize(
    ("data", "mime", "words"),
    [
        (b"no image", "image/png", "contents[0].parts[0].inlineData"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav", "unsupported mime type: audio/wav"),
    ],
)
def test_g016_media_that_can_not_be_used_are_named(
    default_client: genai.Client, data: bytes, mime: str, words: str
) -> None:
    with pytest.raises(errors.ClientError) as raised:
        generate_whole(default_client, contents=[types.Part.from_bytes(data=data, mime_type=mime), "x"])
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert words in str(raised.value)


# countTokens, models


def test_g038_counts_equal_those_of_generation(client: genai.Client) -> None:
    for contents in ("Hello there", ["Look:", types.Part.from_bytes(data=png(), mime_type="image/png")]):
        counted = client.models.count_tokens(model=MODEL, contents=contents)  # type: ignore[arg-type]
        answer = generate_whole(client, contents=contents, config={"max_output_tokens": 1})
        assert counted.total_tokens == answer.usage_metadata.prompt_token_count  # type: ignore[union-attr]


async def test_g038_both_bodies_give_one_number(http: aiohttp.ClientSession) -> None:
    contents = [{"parts": [{"text": "Hello there"}]}]
    totals = []
    for body in (
        {"contents": contents},
        {"generateContentRequest": {"model": f"models/{MODEL}", "contents": contents}},
    ):
        async with http.post(f"/v1beta/models/{MODEL}:countTokens", json=body) as answer:
            totals.append((await answer.json())["totalTokens"])
    assert totals[0] == totals[1] > 0


def test_g040_models_are_listed_and_looked_up(client: genai.Client) -> None:
    names = [model.name for model in client.models.list(config={"page_size": 1})]
    assert "models/tiny" in names
    model = client.models.get(model=MODEL)
    assert (model.name, model.input_token_limit) == (f"models/{MODEL}", 8192)
    assert model.supported_actions == ["generateContent", "streamGenerateContent", "countTokens", "createCachedContent"]


# Errors


@pytest.mark.parametrize("way", ALL_WAYS)
def test_g051_errors_are_raised_with_code_and_status(server: RunningServer, way: Generate) -> None:
    cases = [
        ({"contents": "Hi", "config": {"candidate_count": 9}}, 400, "INVALID_ARGUMENT"),
        ({"contents": "Hi", "config": {"cached_content": "cachedContents/x"}}, 403, "PERMISSION_DENIED"),
        ({"contents": "Hi " * 9000}, 400, "INVALID_ARGUMENT"),
    ]
    for request, code, status in cases:
        client = client_of(server.url, None)
        with pytest.raises(errors.ClientError) as raised:
            way(client, **request)
        client.close()
        # The SDK's asynchronous stream reads the error of an event stream as text; it is in the exception all the same.
        assert raised.value.code == code
        assert status in str(raised.value)


def test_g051_a_prompt_that_is_too_long_names_both_numbers(default_client: genai.Client) -> None:
    with pytest.raises(errors.ClientError, match=r"The input token count \(\d+\) exceeds .* allowed \(8192\)\."):
        generate_whole(default_client, contents="Hi " * 9000)


def test_g019_names_that_are_no_models(default_client: genai.Client) -> None:
    for name in ("publishers/google/models/x", "2171259487439028224", "gemini-embedding-001"):
        with pytest.raises(errors.ClientError) as raised:
            default_client.models.generate_content(model=name, contents="Hi")
        assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


async def test_g037_the_array_form_is_valid_json(http: aiohttp.ClientSession) -> None:
    body = {"contents": [{"parts": [{"text": "Hello"}]}], "generationConfig": {"maxOutputTokens": 5}}
    async with http.post(f"/v1beta/models/{MODEL}:streamGenerateContent", json=body) as answer:
        chunks = orjson.loads(await answer.read())
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert chunks[-1]["candidates"][0]["finishReason"] in {"STOP", "MAX_TOKENS"}


async def test_b022_every_variant_of_base64_is_the_same_image(http: aiohttp.ClientSession) -> None:
    standard = base64.b64encode(png()).decode()
    url_safe = base64.urlsafe_b64encode(png()).decode()
    answers = set()
    for data in (standard, standard.rstrip("="), url_safe, url_safe.rstrip("="), base64.encodebytes(png()).decode()):
        part = {"inlineData": {"mimeType": "image/png", "data": data}}
        body = {"contents": [{"parts": [part, {"text": "?"}]}], "generationConfig": {"maxOutputTokens": 4}}
        async with http.post(f"/v1/models/{MODEL}:generateContent", json=body) as answer:
            assert answer.status == 200, await answer.text()
            answers.add(str((await answer.json())["candidates"]))
    assert len(answers) == 1


def test_b006_strict_names(start_server: Callable[[Settings], RunningServer]) -> None:
    running = start_server(Settings(port=0, strict_models=True))
    client = client_of(running.url, None)
    with pytest.raises(errors.ClientError) as raised:
        client.models.generate_content(model=MODEL, contents="Hi")
    assert raised.value.code == 404
    config = types.GenerateContentConfig(max_output_tokens=2)
    assert client.models.generate_content(model="tiny", contents="Hi", config=config).candidates
    client.close()
