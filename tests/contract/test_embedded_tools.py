"""What the embedded model does with functions, of its own accord: real expectations, at temperature 0."""

import json
from typing import Any

import openai
import pytest
from google import genai

from tests.contract.conftest import RunningServer

MODEL = "gemini-2.5-flash"
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def client(server: RunningServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="any", base_url=f"{server.url}/v1")


def ask(client: openai.OpenAI, text: str) -> Any:
    return client.chat.completions.create(
        model="any",
        messages=[{"role": "user", "content": text}],
        tools=[WEATHER],  # type: ignore[list-item]
        temperature=0,
    ).choices[0]


@pytest.mark.parametrize("city", ["Paris", "Rome", "Berlin"])
def test_a_question_for_a_function_is_a_call(client: openai.OpenAI, city: str) -> None:
    choice = ask(client, f"What is the weather in {city}?")
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": city})


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Hello!", "Hello! How can I help you?"), ("What is the capital of France?", "The capital of France is Paris.")],
)
def test_other_questions_are_answered(client: openai.OpenAI, text: str, answer: str) -> None:
    choice = ask(client, text)
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == (answer, None, "stop")


@pytest.mark.parametrize("streamed", [False, True])
def test_automatic_function_calling_comes_to_an_answer(server: RunningServer, streamed: bool) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> dict[str, object]:
        """Get the weather in a city"""
        asked.append(city)
        return {"temperature": 21, "conditions": "sunny"}

    gemini = genai.Client(api_key="any", http_options={"base_url": server.url})
    chat = gemini.chats.create(model=MODEL, config={"tools": [get_weather], "temperature": 0})
    question = "What is the weather in Paris?"
    if streamed:
        answer = "".join(chunk.text or "" for chunk in chat.send_message_stream(question))
    else:
        answer = chat.send_message(question).text or ""
    assert asked == ["Paris"]
    assert "21" in answer
    assert "sunny" in answer
