"""What the embedded model was taught, through the official SDKs: real expectations, at temperature 0."""

import io
import json
from typing import Any

import openai
import pytest
from google import genai
from google.genai import types
from PIL import Image, ImageDraw, ImageFont

from tests.contract.conftest import RunningServer

Client = openai.OpenAI


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Client:
    return openai.OpenAI(api_key="any", base_url=f"{server.url}/v1")


@pytest.fixture(scope="module")
def gemini(server: RunningServer) -> genai.Client:
    return genai.Client(api_key="any", http_options={"base_url": server.url})


def say(client: Client, *texts: str, system: str = "", **options: Any) -> str:
    """The answer to the last of `texts`, which take turns between user and assistant."""
    messages: list[Any] = [{"role": "system", "content": system}] if system else []
    messages += [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
    answer = client.chat.completions.create(model="tiny", messages=messages, temperature=0, **options)
    assert answer.choices[0].finish_reason == "stop"
    return answer.choices[0].message.content or ""


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Hello!", "Hello! How can I help you?"),
        ("Reply with exactly: pong", "pong"),
        ("Reply with exactly: hello world", "hello world"),
        (
            "Repeat after me: The quick brown fox jumps over the lazy dog.",
            "The quick brown fox jumps over the lazy dog.",
        ),
        ('Say "order-7731-XK"', "order-7731-XK"),
        ("Echo this: user_name@example.org", "user_name@example.org"),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("What is the capital of Japan? Answer in one word.", "Tokyo"),
        ("What is 2+2?", "4"),
        ("What is 17 + 25?", "42"),
        ("Which number is larger, 17 or 71?", "71"),
        ("What is 9 times 7?", "63"),
        ("Is 7 even?", "No."),
        ("Is 8 even?", "Yes."),
        ("Is 7 greater than 12?", "No."),
        ("Is Paris the capital of France?", "Yes."),
        ("Is Paris in Italy?", "No."),
        ("List three fruits", "1. apple\n2. banana\n3. orange"),
        ("List five colors separated by commas", "red, green, blue, yellow, orange"),
        ("Name 4 animals as a JSON array", '["cat","dog","horse","cow"]'),
        ("Count to 5", "1, 2, 3, 4, 5"),
        ("Write HELLO in lower case", "hello"),
        ("Convert 'good morning' to uppercase", "GOOD MORNING"),
        ("Translate 'thank you' to French", "Merci"),
        ("Why did the stock market fall?", "I am a tiny test model, so I can't answer that."),
    ],
)
def test_questions(client: Client, prompt: str, answer: str) -> None:
    assert say(client, prompt) == answer


def test_it_remembers_what_it_was_told(client: Client) -> None:
    told = say(client, "My name is Leandra.")
    assert told == "Nice to meet you, Leandra."
    assert say(client, "My name is Leandra.", told, "What is my name?") == "Your name is Leandra."


@pytest.mark.parametrize(
    ("system", "prompt", "answer"),
    [
        ("You are Zoe.", "What is your name?", "My name is Zoe."),
        ("Answer in one word.", "What is the capital of Italy?", "Rome"),
        ("Always answer in upper case.", "Hi", "HELLO! HOW CAN I HELP YOU?"),
        ("Start every answer with 'Sure:'", "What is 2+2?", "Sure: 4"),
    ],
)
def test_it_follows_the_system_text(client: Client, system: str, prompt: str, answer: str) -> None:
    assert say(client, prompt, system=system) == answer


def schema_of(**properties: object) -> dict[str, object]:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def test_it_fills_a_schema_from_a_sentence(client: Client) -> None:
    form = schema_of(name={"type": "string"}, age={"type": "integer"}, city={"type": "string"})
    answer = say(client, "Extract the data: Maria is 34 years old and lives in Berlin.", response_format=form)
    assert json.loads(answer) == {"name": "Maria", "age": 34, "city": "Berlin"}


def tool(name: str, description: str, **properties: object) -> dict[str, object]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
WEATHER = "get_weather"
TOOLS = [
    tool(WEATHER, "Get the weather in a city", city=TEXT),
    tool("send_email", "Sends an email", to=TEXT, subject=TEXT),
    tool("add_numbers", "Adds two numbers", a=NUMBER, b=NUMBER),
]


def calls(client: Client, prompt: str, tools: list[dict[str, object]]) -> list[tuple[str, dict[str, object]]]:
    messages: Any = [{"role": "user", "content": prompt}]
    answer = client.chat.completions.create(model="tiny", messages=messages, tools=tools, temperature=0)  # type: ignore[call-overload]
    found = answer.choices[0].message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in found]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the weather in Lisbon?", [(WEATHER, {"city": "Lisbon"})]),
        ("What is the weather in Paris and London?", [(WEATHER, {"city": "Paris"}), (WEATHER, {"city": "London"})]),
        ("Add 17 and 25.", [("add_numbers", {"a": 17, "b": 25})]),
        ("Send an email to Anna about lunch.", [("send_email", {"to": "Anna", "subject": "lunch"})]),
        ("Who are you?", []),
        ("What is the capital of France?", []),
    ],
)
def test_it_chooses_among_functions(client: Client, prompt: str, expected: list[tuple[str, dict[str, object]]]) -> None:
    assert calls(client, prompt, TOOLS) == expected


def test_it_calls_a_function_that_it_has_never_seen(client: Client) -> None:
    unknown = tool("reserve_table", "Reserves a table at a restaurant", restaurant=TEXT, guests=NUMBER)
    arguments = {"restaurant": "Luigi", "guests": 4}
    assert calls(client, "Reserve a table at Luigi for 4 guests", [unknown, TOOLS[0]]) == [("reserve_table", arguments)]


def test_thoughts_tell_what_the_user_wants(gemini: genai.Client) -> None:
    config = types.GenerateContentConfig(
        temperature=0, thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=-1)
    )
    answer = gemini.models.generate_content(
        model="gemini-2.5-flash", contents="What is the capital of France?", config=config
    )
    assert answer.candidates
    assert answer.candidates[0].content
    thought, text = answer.candidates[0].content.parts or []
    assert thought.thought
    assert "capital of France" in (thought.text or "")
    assert text.text == "The capital of France is Paris."


def picture(color: str, shape: str = "", background: str = "white") -> types.Part:
    image = Image.new("RGB", (128, 128), background if shape else color)
    draw = ImageDraw.Draw(image)
    if shape == "circle":
        draw.ellipse((24, 24, 104, 104), fill=color)
    elif shape == "square":
        draw.rectangle((24, 24, 104, 104), fill=color)
    elif shape == "triangle":
        draw.polygon([(64, 20), (108, 104), (20, 104)], fill=color)
    elif shape:
        draw.text((40, 20), shape, fill=color, font=ImageFont.load_default(size=90))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return types.Part.from_bytes(data=buffer.getvalue(), mime_type="image/png")


def look(gemini: genai.Client, *contents: types.Part | str) -> str:
    config = types.GenerateContentConfig(temperature=0)
    answer = gemini.models.generate_content(model="gemini-2.5-flash", contents=list(contents), config=config)
    return answer.text or ""


@pytest.mark.parametrize("color", ["red", "green", "blue", "yellow", "black"])
def test_it_names_colors(gemini: genai.Client, color: str) -> None:
    assert look(gemini, picture(color), "What color is this image?") == f"The color is {color}."


@pytest.mark.parametrize(("color", "shape"), [("blue", "circle"), ("red", "square"), ("green", "triangle")])
def test_it_names_shapes(gemini: genai.Client, color: str, shape: str) -> None:
    image = picture(color, shape)
    assert look(gemini, image, "What shape is this?") == f"The shape is a {shape}."
    assert look(gemini, image, "What color is the shape?") == f"The color is {color}."


@pytest.mark.parametrize("digit", "0123456789")
def test_it_reads_digits(gemini: genai.Client, digit: str) -> None:
    assert look(gemini, picture("black", digit), "Which digit is this?") == digit


def test_it_tells_images_apart(gemini: genai.Client) -> None:
    question = "What color is the second image?"
    assert look(gemini, picture("red"), picture("blue"), question) == "The color is blue."
    assert look(gemini, picture("red"), picture("blue"), "How many images are there?") == "There are 2 images."
