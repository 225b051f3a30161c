"""LangChain's ChatOpenAI and OpenAIEmbeddings against the real server and engine, over both APIs.

The embedded model is small, so what it decides is never asserted: only what holds whatever it says.
"""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings, custom_tool
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import BaseModel, SecretStr

from tests.contract.conftest import RunningServer
from tests.media_samples import make_image

NAME = "gpt-4o-mini"
KEY = SecretStr("any")
APIS = ["chat", "responses"]
MakeModel = Callable[..., ChatOpenAI]


class Weather(BaseModel):
    """The weather of a city."""

    city: Literal["Rome", "Oslo"]
    sunny: bool


@tool
def get_weather(city: Literal["Rome", "Oslo"]) -> str:
    """Tells the weather of a city."""
    return f"It is 18 degrees in {city}."


@pytest.fixture
def client() -> Iterator[DefaultHttpxClient]:
    """Closes its connections, which the framework's own client never does."""
    with DefaultHttpxClient() as one:
        yield one


@pytest.fixture
def make_model(server: RunningServer, client: DefaultHttpxClient) -> MakeModel:
    def make(api: str, **options: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=NAME,
            base_url=f"{server.url}/v1",
            api_key=KEY,
            temperature=0,
            max_completion_tokens=48,
            max_retries=0,
            http_client=client,
            use_responses_api=api == "responses",
            **options,
        )

    return make


@pytest.mark.parametrize("api", APIS)
def test_text_with_its_usage(make_model: MakeModel, api: str) -> None:
    answer = make_model(api).invoke([SystemMessage("Be brief."), HumanMessage("Say hello.")])

    assert answer.text
    assert answer.usage_metadata is not None
    usage = answer.usage_metadata
    assert usage["input_tokens"] > 5
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert answer.response_metadata["model_name"] == NAME


@pytest.mark.parametrize("api", APIS)
def test_a_stream_adds_up_to_the_whole_answer(make_model: MakeModel, api: str) -> None:
    model = make_model(api, stream_usage=True)

    whole = model.invoke("Say good morning.")
    chunks = list(model.stream("Say good morning."))

    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    assert len(chunks) > 2
    assert total.text == whole.text
    assert total.usage_metadata == whole.usage_metadata


@pytest.mark.parametrize("api", APIS)
async def test_an_asynchronous_stream_tells_the_same(make_model: MakeModel, api: str) -> None:
    async with DefaultAsyncHttpxClient() as one:
        model = make_model(api, http_async_client=one)
        text = "".join([chunk.text async for chunk in model.astream("Say good morning.")])
        whole = await model.ainvoke("Say good morning.")

    assert text == whole.text


@pytest.mark.parametrize("choice", ["any", "get_weather"])
@pytest.mark.parametrize("api", APIS)
def test_a_call_and_the_answer_to_its_result(make_model: MakeModel, api: str, choice: str) -> None:
    model = make_model(api)
    asked = HumanMessage("What is the weather in Rome?")

    call = model.bind_tools([get_weather], tool_choice=choice, parallel_tool_calls=False).invoke([asked])
    result = get_weather.invoke(call.tool_calls[0])
    answer = model.bind_tools([get_weather], tool_choice="none").invoke([asked, call, result])

    assert [made["name"] for made in call.tool_calls] == ["get_weather"]
    assert not call.invalid_tool_calls
    assert isinstance(result, ToolMessage)
    assert answer.text
    assert not answer.tool_calls


@pytest.mark.parametrize("api", APIS)
def test_a_streamed_call_adds_up(make_model: MakeModel, api: str) -> None:
    model = make_model(api).bind_tools([get_weather], tool_choice="any", parallel_tool_calls=False)

    total: Any = None
    for chunk in model.stream("What is the weather in Oslo?"):
        total = chunk if total is None else total + chunk

    whole = model.invoke("What is the weather in Oslo?")
    assert isinstance(whole, AIMessage)
    assert [(made["name"], made["args"]) for made in total.tool_calls] == [
        (made["name"], made["args"]) for made in whole.tool_calls
    ]
    assert not total.invalid_tool_calls


@pytest.mark.parametrize("strict", [None, True])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("api", APIS)
def test_a_typed_answer_has_its_type(make_model: MakeModel, api: str, method: Any, strict: bool | None) -> None:
    model = make_model(api).with_structured_output(Weather, method=method, strict=strict)

    assert isinstance(model.invoke("Is it sunny in Rome?"), Weather)


@pytest.mark.parametrize("api", APIS)
def test_json_mode_gives_an_object(make_model: MakeModel, api: str) -> None:
    model = make_model(api).with_structured_output(method="json_mode", include_raw=True)

    answer = model.invoke("Answer in JSON: is it sunny in Rome?")

    assert isinstance(answer, dict)
    assert str(answer["raw"].text).startswith("{")


def test_a_stored_response_is_continued(make_model: MakeModel) -> None:
    model = make_model("responses")

    first = model.invoke("Say hello.")
    alone = model.invoke("Again.")
    second = model.invoke("Again.", previous_response_id=first.response_metadata["id"])

    assert first.usage_metadata is not None
    assert alone.usage_metadata is not None
    assert second.usage_metadata is not None
    assert second.usage_metadata["input_tokens"] > alone.usage_metadata["input_tokens"]


def test_histories_of_messages_can_be_told_by_response_ids(make_model: MakeModel) -> None:
    model = make_model("responses", use_previous_response_id=True)
    asked = HumanMessage("Say hello.")

    first = model.invoke([asked])
    second = model.invoke([asked, first, HumanMessage("Again.")])

    assert second.text
    assert second.response_metadata["id"] != first.response_metadata["id"]


@pytest.mark.parametrize("version", ["v0", "responses/v1", "v1"])
@pytest.mark.parametrize("api", APIS)
def test_answers_of_every_form_go_back_as_history(make_model: MakeModel, api: str, version: str) -> None:
    thinking: dict[str, Any] = {"reasoning": {"effort": "low", "summary": "auto"}} if api == "responses" else {}
    model = make_model(api, output_version=version, **thinking)
    asked = HumanMessage("Say hello.")

    whole = model.invoke([asked])
    total: Any = None
    for chunk in model.stream([asked]):
        total = chunk if total is None else total + chunk
    answers = [model.invoke([asked, answer, HumanMessage("Again.")]) for answer in (whole, total)]

    assert total.text == whole.text
    assert answers[0].text == answers[1].text != ""


@pytest.mark.parametrize("api", APIS)
def test_images_and_files_are_seen(make_model: MakeModel, api: str) -> None:
    image = {"type": "image", "base64": base64.b64encode(make_image("PNG")).decode(), "mime_type": "image/png"}
    note = {"type": "file", "base64": "aGVsbG8=", "mime_type": "text/plain", "filename": "note.txt"}
    model = make_model(api)

    plain = model.invoke([HumanMessage([{"type": "text", "text": "What is it?"}])])
    seen = model.invoke([HumanMessage([{"type": "text", "text": "What is it?"}, image, note])])

    assert plain.usage_metadata is not None
    assert seen.usage_metadata is not None
    assert seen.usage_metadata["input_tokens"] > plain.usage_metadata["input_tokens"] + 16


def test_a_custom_tool_is_called_and_answered(make_model: MakeModel) -> None:
    @custom_tool(format={"type": "grammar", "syntax": "regex", "definition": "[A-C]{2}"})
    def code(text: str) -> str:
        """Runs code."""
        return f"ran {text}"

    model = make_model("responses")
    asked = HumanMessage("Run AB.")

    call = model.bind_tools([code], tool_choice={"type": "custom", "name": "code"}).invoke([asked])
    result = code.invoke(call.tool_calls[0])
    answer = model.bind_tools([code], tool_choice="none").invoke([asked, call, result])

    assert re.fullmatch("[A-C]{2}", call.tool_calls[0]["args"]["__arg1"])
    assert answer.text


def test_a_long_history_is_compacted(make_model: MakeModel) -> None:
    model = make_model("responses", context_management=[{"type": "compaction", "compact_threshold": 30}])
    talk = [HumanMessage("My name is Ada."), AIMessage("Hello Ada. " * 20), HumanMessage("Say hello.")]

    answer = model.invoke(talk)
    after = model.invoke([*talk, answer, HumanMessage("Again.")])

    assert isinstance(answer.content, list)
    assert [block["type"] for block in answer.content if isinstance(block, dict)] == ["compaction", "text"]
    assert after.content


@pytest.mark.parametrize("tokens", [True, False])
def test_embeddings_of_texts_and_of_tokens(
    server: RunningServer, client: DefaultHttpxClient, monkeypatch: pytest.MonkeyPatch, *, tokens: bool
) -> None:
    """The framework sends token ids by its own tokenizer, or texts; `""` stands for an empty text in either case."""
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small",
        base_url=f"{server.url}/v1",
        api_key=KEY,
        dimensions=256,
        check_embedding_ctx_length=tokens,
        max_retries=0,
        http_client=client,
    )
    if tokens:
        monkeypatch.setattr("langchain_openai.embeddings.base.tiktoken.encoding_for_model", lambda _name: _Letters())

    vectors = embeddings.embed_documents(["hello", ""])
    query = embeddings.embed_query("hello")

    assert [len(vector) for vector in vectors] == [256, 256]
    assert query == pytest.approx(vectors[0], abs=1e-4)


class _Letters:
    """A tokenizer that needs no download: a token for each letter."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def encode(self, text: str, **_options: object) -> list[int]:
        return self.encode_ordinary(text)
