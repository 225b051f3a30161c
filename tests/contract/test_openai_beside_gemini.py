"""The OpenAI API under Gemini's path, by the official SDK."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import aiohttp
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from tests.contract.conftest import RunningServer

VERSIONS = ["v1beta", "v1", "v1alpha"]
MODEL = "gemini-2.5-flash"
QUESTION: list[Any] = [{"role": "user", "content": "Hello!"}]


@pytest.fixture(params=VERSIONS)
def client(server: RunningServer, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=f"{server.url}/{request.param}/openai/", max_retries=0)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
def test_g054_chat(client: openai.OpenAI, model: str) -> None:
    messages = [{"role": "user", "content": "Hello!"}]
    answer = client.chat.completions.create(model=model, messages=messages)  # type: ignore[arg-type]
    assert answer.model == "gemini-2.5-flash"
    assert answer.choices[0].message.content == "Hello! How can I help you?"
    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True))  # type: ignore[arg-type]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answer.choices[0].message.content


class Answered(BaseModel):
    """What the model must answer with."""

    language: Literal["English", "German"]
    words: int


def test_g054_a_typed_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=f"models/{MODEL}", messages=QUESTION, response_format=Answered, max_tokens=200, temperature=0
    )
    assert isinstance(answer.choices[0].message.parsed, Answered)


def test_g054_a_call_and_its_result(client: openai.OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "now", "description": "The time of day."}}]
    create = partial(client.chat.completions.create, model=MODEL, tools=tools)
    message = create(messages=QUESTION, tool_choice="required").choices[0].message
    calls = message.tool_calls or []
    assert {call.function.name for call in calls} == {"now"}
    results = [{"role": "tool", "tool_call_id": call.id, "content": "12:00"} for call in calls]
    answer = create(messages=[*QUESTION, message, *results], tool_choice="none")
    assert answer.choices[0].message.content


def test_g054_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="models/gemini-embedding-001", input=["a", "b"], dimensions=128)
    assert [len(item.embedding) for item in answer.data] == [128, 128]


def test_g054_models_have_geminis_names(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names
    assert all(name.startswith("models/") for name in names)
    assert client.models.retrieve(names[0]).id == names[0]
    assert client.models.retrieve("gemini-2.5-flash").id == "models/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("path", "body", "code", "status"),
    [
        ("chat/completions", {"model": "m", "messages": []}, 400, "INVALID_ARGUMENT"),
        ("chat/completions", {"model": "m", "messages": [], "stream": True}, 400, "INVALID_ARGUMENT"),
        ("responses", {"model": "m", "input": "Hi"}, 404, "NOT_FOUND"),
        ("files", {}, 404, "NOT_FOUND"),
        ("models", {}, 404, "NOT_FOUND"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": "Hi"}], "google": {"cached_content": "cachedContents/x"}},
            403,
            "PERMISSION_DENIED",
        ),
        (
            "chat/completions",
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "reasoning_effort": "low",
                "extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}},
            },
            400,
            "INVALID_ARGUMENT",
        ),
        ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "google": 1}, 400, "INVALID_ARGUMENT"),
    ],
)
async def test_g054_errors_are_a_list_with_one_error_in_geminis_form(
    http: aiohttp.ClientSession, path: str, body: object, code: int, status: str
) -> None:
    async with http.post(f"/v1beta/openai/{path}", json=body) as answer:
        assert answer.status == code
        (entry,) = await answer.json()
    assert (entry["error"]["code"], entry["error"]["status"]) == (code, status)
    assert entry["error"]["message"]


async def test_g054_googles_own_fields_without_effect_are_named(http: aiohttp.ClientSession) -> None:
    google = {"thinking_config": {"thinking_budget": 100}, "thought_tag_marker": "t", "other": 1}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}], "extra_body": {"google": google}}
    async with http.post("/v1beta/openai/chat/completions", json=body) as answer:
        assert answer.status == 200
        assert answer.headers["x-localaik-ignored"].split(", ") == [
            "google.other",
            "google.thinkingConfig.thinkingBudget",
            "google.thoughtTagMarker",
        ]


@pytest.mark.parametrize("stream", [False, True])
def test_g054_thoughts_are_shown_where_googles_field_asks_for_them(server: RunningServer, stream: bool) -> None:
    google = {"thinking_config": {"include_thoughts": True, "thinking_budget": 8}}
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1beta/openai/", max_retries=0) as client:
        asked = partial(client.chat.completions.create, model=MODEL, messages=QUESTION, extra_body={"google": google})
        if stream:
            deltas = [chunk.choices[0].delta for chunk in asked(stream=True)]
            said = "".join(delta.content or "" for delta in deltas)
            thoughts = "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas)
        else:
            message = asked().choices[0].message
            said, thoughts = message.content, (message.model_extra or {})["reasoning_content"]
    assert said
    assert thoughts


# Cached contents


@pytest.fixture
def cache(server: RunningServer) -> Iterator[str]:
    """Name of a cached content with a system instruction and a turn."""
    with genai_client(server) as client:
        config = types.CreateCachedContentConfig(system_instruction="Be brief.", contents=["My name is Ada."])
        yield client.caches.create(model=MODEL, config=config).name or ""


def genai_client(server: RunningServer) -> genai.Client:
    return genai.Client(api_key="any", http_options=types.HttpOptions(base_url=server.url, timeout=120_000))


@pytest.mark.parametrize("wrapped", [False, True])
def test_g054_a_cached_content_stands_in_front_of_the_messages(
    server: RunningServer, cache: str, wrapped: bool
) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1beta/openai/", max_retries=0) as client:
        create = partial(client.chat.completions.create, model=MODEL, temperature=0, max_tokens=24)
        whole = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "My name is Ada."},
            *QUESTION,
        ]
        plain = create(messages=whole)
        google = {"google": {"cached_content": cache}}
        extra = {"extra_body": google} if wrapped else google
        cached = create(messages=QUESTION, extra_body=extra)
        chunks = list(create(messages=QUESTION, extra_body=extra, stream=True, stream_options={"include_usage": True}))
    assert cached.choices[0].message.content == plain.choices[0].message.content
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == (
        cached.choices[0].message.content
    )
    usage = cached.usage
    assert plain.usage is not None
    assert usage is not None
    assert usage == chunks[-1].usage
    assert usage.prompt_tokens == plain.usage.prompt_tokens
    assert usage.prompt_tokens_details is not None
    assert 0 < (usage.prompt_tokens_details.cached_tokens or 0) < usage.prompt_tokens


def test_g054_cached_functions_are_called(server: RunningServer) -> None:
    function = types.FunctionDeclaration(name="now", description="The time of day.")
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.CreateCachedContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    with genai_client(server) as client:
        name = client.caches.create(model=MODEL, config=config).name
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1beta/openai/", max_retries=0) as client:
        google = {"google": {"cached_content": name}}
        answer = client.chat.completions.create(model=MODEL, messages=QUESTION, extra_body=google)
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert {call.function.name for call in choice.message.tool_calls or []} == {"now"}


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"model": "other"}, 400, "has to be the same"),
        ({"messages": [{"role": "system", "content": "Hi"}, *QUESTION]}, 400, "can not be used"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, "can not be used"),
        ({"google": {"cached_content": "cachedContents/unknown"}}, 403, "not found"),
        ({"google": {"cached_content": "projects/x"}}, 400, "cachedContents/ID"),
        ({"google": {"cached_content": 1}}, 400, "cached_content"),
        ({"google": {"thinking_config": {"thinking_budget": 1, "thinking_level": "low"}}}, 400, "only one of"),
    ],
)
async def test_g054_what_can_not_be_is_refused(
    http: aiohttp.ClientSession, cache: str, more: dict[str, object], code: int, words: str
) -> None:
    body = {"model": f"models/{MODEL}", "messages": QUESTION, "google": {"cached_content": cache}, **more}
    async with http.post("/v1beta/openai/chat/completions", json=body) as answer:
        (entry,) = await answer.json()
    assert (answer.status, entry["error"]["code"]) == (code, code)
    assert words in entry["error"]["message"]
