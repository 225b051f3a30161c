"""The official SDKs against a container, told of it by the environment alone."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import types
from openai import OpenAI
from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionToolParam

from tests.integration.docker_machine import Box
from tests.media_samples import PdfPage, make_image, make_pdf

PNG = make_image("PNG", 32, 24)
PDF = make_pdf([PdfPage(["One page of text."])])
MODEL = "gemini-2.5-flash"
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


def data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.fixture
def openai(tiny: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{tiny.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    with OpenAI(max_retries=0) as client:
        yield client


@pytest.fixture(params=[None, "v1beta"], ids=["default-version", "v1beta"])
def gemini(tiny: Box, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", tiny.url)
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    options = None if request.param is None else types.HttpOptions(api_version=request.param)
    client = genai.Client(http_options=options)
    yield client
    client.close()


def test_c12_gemini_text(gemini: genai.Client) -> None:
    answer = gemini.models.generate_content(model=MODEL, contents="Hello!")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count


def test_c12_gemini_stream(gemini: genai.Client) -> None:
    chunks = list(gemini.models.generate_content_stream(model=MODEL, contents="Hello!"))
    assert len(chunks) > 1
    assert "".join(chunk.text or "" for chunk in chunks)


@pytest.mark.parametrize(("kind", "data"), [("image/png", PNG), ("application/pdf", PDF)], ids=["image", "pdf"])
def test_c12_gemini_media(gemini: genai.Client, kind: str, data: bytes) -> None:
    def tokens(*parts: types.Part) -> int:
        content = types.Content(role="user", parts=[*parts, types.Part(text="What is this?")])
        usage = gemini.models.generate_content(model=MODEL, contents=content).usage_metadata
        assert usage is not None
        return usage.prompt_token_count or 0

    assert tokens(types.Part.from_bytes(data=data, mime_type=kind)) > tokens() + 10


def test_c12_gemini_tool(gemini: genai.Client) -> None:
    function = types.FunctionDeclaration(name="get_weather", parameters_json_schema=WEATHER)
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    answer = gemini.models.generate_content(model=MODEL, contents="What is the weather in Paris?", config=config)
    (call,) = answer.function_calls or []
    assert call.name == "get_weather"
    assert set(call.args or {}) == {"city"}


def test_c12_openai_text(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}])
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens


def test_c12_openai_stream(openai: OpenAI) -> None:
    chunks = list(
        openai.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}], stream=True
        )
    )
    assert len(chunks) > 1
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("kind", ["image", "pdf"])
def test_c12_openai_media(openai: OpenAI, kind: str) -> None:
    media: dict[str, ChatCompletionContentPartParam] = {
        "image": {"type": "image_url", "image_url": {"url": data_url("image/png", PNG)}},
        "pdf": {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}},
    }

    def tokens(*parts: ChatCompletionContentPartParam) -> int:
        content: list[ChatCompletionContentPartParam] = [*parts, {"type": "text", "text": "What is this?"}]
        answer = openai.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": content}])
        assert answer.usage is not None
        return answer.usage.prompt_tokens

    assert tokens(media[kind]) > tokens() + 10


def test_c12_openai_tool(openai: OpenAI) -> None:
    tool: ChatCompletionToolParam = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
    answer = openai.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[tool],
        tool_choice="required",
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"


def test_c12_openai_responses(openai: OpenAI) -> None:
    assert openai.responses.create(model="gpt-4o-mini", input="Hello!").output_text


def test_embeddings_come_from_the_embedded_model(openai: OpenAI) -> None:
    found = openai.embeddings.create(model="text-embedding-3-small", input="Hello!")
    assert len(found.data[0].embedding) == 768
