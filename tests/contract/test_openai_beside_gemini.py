"""The OpenAI API under Gemini's path, by the official SDK."""

import aiohttp
import openai
import pytest

from tests.contract.conftest import RunningServer

VERSIONS = ["v1beta", "v1", "v1alpha"]


@pytest.fixture(params=VERSIONS)
def client(server: RunningServer, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=f"{server.url}/{request.param}/openai/", max_retries=0)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "models/gemini-2.5-flash"])
def test_chat(client: openai.OpenAI, model: str) -> None:
    messages = [{"role": "user", "content": "Hello!"}]
    answer = client.chat.completions.create(model=model, messages=messages)  # type: ignore[arg-type]
    assert answer.model == "gemini-2.5-flash"
    assert answer.choices[0].message.content == "Hello! How can I help you?"
    chunks = list(client.chat.completions.create(model=model, messages=messages, stream=True))  # type: ignore[arg-type]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answer.choices[0].message.content


def test_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="models/gemini-embedding-001", input=["a", "b"], dimensions=128)
    assert [len(item.embedding) for item in answer.data] == [128, 128]


def test_models_have_geminis_names(client: openai.OpenAI) -> None:
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
async def test_errors_are_a_list_with_one_error_in_geminis_form(
    http: aiohttp.ClientSession, path: str, body: object, code: int, status: str
) -> None:
    async with http.post(f"/v1beta/openai/{path}", json=body) as answer:
        assert answer.status == code
        (entry,) = await answer.json()
    assert (entry["error"]["code"], entry["error"]["status"]) == (code, status)
    assert entry["error"]["message"]


async def test_googles_own_fields_are_taken_out_and_named(http: aiohttp.ClientSession) -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello!"}],
        "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}},
    }
    async with http.post("/v1beta/openai/chat/completions", json=body) as answer:
        assert answer.status == 200
        assert "google.thinking_config" in answer.headers["x-localaik-ignored"]
