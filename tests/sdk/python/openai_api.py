"""Every case of the OpenAI table through the Python SDK.

Usage: openai_api.py BASE_URL FOLDER [fault]. The folder holds photo.png, photo.jpg and report.pdf. One JSON line per
case is printed: {"case": name, ...what was seen}, or {"case": name, "error": {...}} where the SDK raised. With `fault`
one long stream is read instead, which says when it has begun, so that it can be broken.
"""

import base64
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import openai
from openai_state import cases, refusal
from pydantic import BaseModel

MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER_QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 40}, "days": {"type": "integer", "maximum": 9}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
MUST_CALL = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 200}
RECIPE = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 20},
        "taste": {"type": "string", "enum": ["sweet", "sour"]},
        "grams": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}, "maxItems": 2},
        "note": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}]},
    },
    "required": ["title", "taste", "grams", "note"],
    "additionalProperties": False,
}

client: openai.OpenAI
folder: Path


class Answer(BaseModel):
    taste: Literal["sweet", "sour"]
    large: bool
    grams: int | None


def ask(messages: Any, **body: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=messages, **body)


def usage(answer: Any) -> dict[str, Any]:
    counts = answer.usage
    return {
        "prompt_tokens": counts.prompt_tokens,
        "output_tokens": counts.completion_tokens,
        "total_tokens": counts.total_tokens,
    }


def calls_of(message: Any) -> list[dict[str, Any]]:
    return [
        {"id": one.id, "name": one.function.name, "args": json.loads(one.function.arguments)}
        for one in message.tool_calls or []
    ]


def text() -> dict[str, Any]:
    answer = ask(HELLO, temperature=0, max_tokens=60)
    (choice,) = answer.choices
    return {
        "text": choice.message.content,
        "role": choice.message.role,
        "finish": choice.finish_reason,
        "model": answer.model,
        "object": answer.object,
        "id": answer.id,
        "fingerprint": answer.system_fingerprint,
        **usage(answer),
    }


def stream() -> dict[str, Any]:
    wanted = {
        "max_tokens": 40,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "words",
                "schema": {"type": "array", "items": {"type": "string"}, "minItems": 30},
            },
        },
    }
    whole = ask(HELLO, **wanted)
    chunks = list(ask(HELLO, **wanted, stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return {
        "plain": whole.choices[0].message.content,
        "chunks": [piece.delta.content or "" for piece in pieces],
        "finish": [piece.finish_reason for piece in pieces],
        "ids": [chunk.id for chunk in chunks],
        "usage": usage(chunks[-1]),
        "plain_usage": usage(whole),
    }


def chat() -> dict[str, Any]:
    history: list[Any] = []
    seen: dict[str, Any] = {"texts": [], "prompt_tokens": []}
    for message in ("Hello", "Who are you?", "Bye"):
        history.append({"role": "user", "content": message})
        answer = ask(history, temperature=0, max_tokens=16)
        history.append(answer.choices[0].message)
        seen["texts"].append(answer.choices[0].message.content)
        seen["prompt_tokens"].append(answer.usage.prompt_tokens)
    return seen


def system() -> dict[str, Any]:
    config = {"temperature": 0, "max_tokens": 16}
    answer = ask([{"role": "system", "content": "Answer in one short sentence."}, *HELLO], **config)
    return {"text": answer.choices[0].message.content, "with": usage(answer), "without": usage(ask(HELLO, **config))}


def choices() -> dict[str, Any]:
    config = {"n": 5, "max_tokens": 8, "temperature": 2.0}
    request = [{"role": "user", "content": "Reverse the words: potato engine silver moon river table candle"}]
    streamed = [""] * 5
    for chunk in ask(request, **config, stream=True):
        for piece in chunk.choices:
            streamed[piece.index] += piece.delta.content or ""
    texts = [[one.message.content for one in ask(request, **config).choices] for _ in range(2)]
    return {"first": texts[0], "second": texts[1], "streamed": streamed}


def image() -> dict[str, Any]:
    data = base64.b64encode((folder / "photo.png").read_bytes()).decode()
    shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    question = {"type": "text", "text": "What is it?"}
    answer = ask([{"role": "user", "content": [question, shown]}], max_tokens=4)
    return {
        "text": answer.choices[0].message.content,
        "with": usage(answer),
        "without": usage(ask([{"role": "user", "content": [question]}], max_tokens=4)),
    }


def pdf() -> dict[str, Any]:
    data = base64.b64encode((folder / "report.pdf").read_bytes()).decode()
    file = {"filename": "report.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    question = {"type": "text", "text": "What is it?"}
    answer = ask([{"role": "user", "content": [question, {"type": "file", "file": file}]}], max_tokens=4)
    return {
        "text": answer.choices[0].message.content,
        "with": usage(answer),
        "without": usage(ask([{"role": "user", "content": [question]}], max_tokens=4)),
    }


def schema() -> dict[str, Any]:
    wanted = {"type": "json_schema", "json_schema": {"name": "recipe", "schema": RECIPE, "strict": True}}
    answer = ask(HELLO, response_format=wanted, max_tokens=400)
    return {"text": answer.choices[0].message.content, "finish": answer.choices[0].finish_reason}


def parsed() -> dict[str, Any]:
    answer = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Answer, max_tokens=400)
    value = answer.choices[0].message.parsed
    return {"parsed": value.model_dump() if value else None, "finish": answer.choices[0].finish_reason}


def tools() -> dict[str, Any]:
    answer = ask(WEATHER_QUESTION, **MUST_CALL)
    (choice,) = answer.choices
    return {"calls": calls_of(choice.message), "finish": choice.finish_reason, "text": choice.message.content}


def tools_stream() -> dict[str, Any]:
    with client.chat.completions.stream(model=MODEL, messages=WEATHER_QUESTION, **MUST_CALL) as events:
        finished = sum(event.type == "tool_calls.function.arguments.done" for event in events)
        (choice,) = events.get_final_completion().choices
    return {
        "calls": calls_of(choice.message),
        "finish": choice.finish_reason,
        "text": choice.message.content,
        "finished": finished,
    }


def tool_result() -> dict[str, Any]:
    asked = ask(WEATHER_QUESTION, **MUST_CALL)
    message = asked.choices[0].message
    results = [{"role": "tool", "tool_call_id": one.id, "content": '{"sky": "clear"}'} for one in message.tool_calls]
    told = ask([*WEATHER_QUESTION, message, *results], tools=[WEATHER], tool_choice="none", max_tokens=30)
    return {
        "text": told.choices[0].message.content,
        "finish": told.choices[0].finish_reason,
        "prompt_tokens": [asked.usage.prompt_tokens, told.usage.prompt_tokens],
    }


def logprobs() -> dict[str, Any]:
    answer = ask(HELLO, temperature=0, max_tokens=8, logprobs=True, top_logprobs=3)
    (choice,) = answer.choices
    return {
        "text": choice.message.content,
        "tokens": [one.token for one in choice.logprobs.content],
        "logprobs": [one.logprob for one in choice.logprobs.content],
        "alternatives": [len(one.top_logprobs) for one in choice.logprobs.content],
    }


def embed() -> dict[str, Any]:
    def vectors(texts: Any) -> list[list[float]]:
        answer = client.embeddings.create(model=EMBEDDING_MODEL, input=texts, dimensions=64)
        assert [one.index for one in answer.data] == list(range(len(answer.data)))
        return [one.embedding for one in answer.data]

    return {"one": vectors("A red apple"), "many": vectors(["A red apple", "Three green pears", "A stone"])}


def models() -> dict[str, Any]:
    return {"names": [one.id for one in client.models.list()], "name": client.models.retrieve(MODEL).id}


def error_400() -> dict[str, Any]:
    return {"refused": refusal(lambda: ask(HELLO, temperature=3))}


def error_400_stream() -> dict[str, Any]:
    return {"refused": refusal(lambda: list(ask(HELLO, temperature=3, stream=True)))}


def error_404() -> dict[str, Any]:
    return {"refused": refusal(lambda: client.models.delete("another"))}


def fault() -> dict[str, Any]:
    words = {"type": "array", "items": {"type": "string", "enum": ["abcdefghijklmnop"]}, "minItems": 2000}
    wanted = {"type": "json_schema", "json_schema": {"name": "words", "schema": words}}
    received = []
    try:
        for chunk in ask(HELLO, response_format=wanted, max_tokens=8000, stream=True):
            if not received:
                print(json.dumps({"case": "begun"}), flush=True)
            received.append(chunk.choices[0].finish_reason)
    except openai.APIError as error:
        told = {"type": type(error).__name__, "kind": error.type, "message": error.message}
        return {"refused": told, "ended": any(received)}
    return {"refused": {}, "ended": any(received)}


CASES: list[Callable[[], dict[str, Any]]] = [
    text,
    stream,
    chat,
    system,
    choices,
    image,
    pdf,
    schema,
    parsed,
    tools,
    tools_stream,
    tool_result,
    logprobs,
    embed,
    models,
    error_400,
    error_400_stream,
    error_404,
]


def main() -> None:
    global client, folder  # noqa: PLW0603 - a script of one run, whose cases all share them
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[2])
    client = openai.OpenAI(api_key="any", base_url=f"{sys.argv[1]}/v1", max_retries=0, timeout=120)
    chosen = {one.__name__: one for one in CASES} | cases(client, folder)
    for name, case in ({"fault": fault} if "fault" in sys.argv else chosen).items():
        try:
            seen = case()
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is what was seen
            seen = {"error": {"type": type(error).__name__, "message": str(error)}}
        print(json.dumps({"case": name, **seen}), flush=True)
    client.close()


if __name__ == "__main__":
    main()
