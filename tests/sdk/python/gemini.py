"""Every case of the Gemini table through the Python SDK of whatever version runs this.

Usage: gemini.py BASE_URL FOLDER [fault]. The folder holds photo.png, photo.jpg and report.pdf. One JSON line per case
is printed: {"case": name, ...what was seen}, or {"case": name, "error": {...}} where the SDK raised. With `fault` one
long stream is read instead, which says when it has begun, so that it can be broken.
"""

import base64
import io
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash"
EMBEDDING_MODEL = "gemini-embedding-001"
LONG = {
    "max_output_tokens": 40,
    "response_mime_type": "application/json",
    "response_schema": {"type": "ARRAY", "items": {"type": "STRING"}, "min_items": 30},
}
WEATHER = {
    "name": "get_weather",
    "description": "Get the weather in a city",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING", "max_length": 40}, "days": {"type": "INTEGER", "maximum": 9}},
        "required": ["city", "days"],
    },
}
MUST_CALL = {
    "max_output_tokens": 200,
    "tools": [{"function_declarations": [WEATHER]}],
    "tool_config": {"function_calling_config": {"mode": "ANY"}},
}
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
POLL_SECONDS = 0.05

client: genai.Client
folder: Path


def ask(contents: Any, **config: Any) -> Any:
    return client.models.generate_content(model=MODEL, contents=contents, config=config)


def pieces(contents: Any, **config: Any) -> list[Any]:
    return list(client.models.generate_content_stream(model=MODEL, contents=contents, config=config))


def inline(name: str, mime: str) -> Any:
    return types.Part.from_bytes(data=(folder / name).read_bytes(), mime_type=mime)


def usage(answer: Any) -> dict[str, Any]:
    counts = answer.usage_metadata
    details = counts.prompt_tokens_details or []
    return {
        "prompt_tokens": counts.prompt_token_count,
        "output_tokens": counts.candidates_token_count,
        "total_tokens": counts.total_token_count,
        "prompt_details": {one.modality.value: one.token_count for one in details},
    }


def finish(answer: Any) -> str | None:
    reason = answer.candidates[0].finish_reason
    return reason.value if reason else None


def refusal(call: Callable[[], Any]) -> dict[str, Any]:
    try:
        call()
    except errors.APIError as error:
        return {"type": type(error).__name__, "code": error.code, "status": error.status, "message": error.message}
    return {}


def text() -> dict[str, Any]:
    answer = ask("Hello", temperature=0, max_output_tokens=60)
    return {
        "text": answer.text,
        "role": answer.candidates[0].content.role,
        "finish": finish(answer),
        "model": answer.model_version,
        "id": answer.response_id,
        **usage(answer),
    }


def stream() -> dict[str, Any]:
    chunks = pieces("List.", **LONG)
    return {
        "plain": ask("List.", **LONG).text,
        "chunks": [chunk.text for chunk in chunks],
        "finish": [finish(chunk) for chunk in chunks],
        "ids": [chunk.response_id for chunk in chunks],
        "output_tokens": [chunk.usage_metadata.candidates_token_count for chunk in chunks],
    }


def _chat(streamed: bool) -> dict[str, Any]:
    chat = client.chats.create(model=MODEL, config={"max_output_tokens": 16, "temperature": 0})
    seen: dict[str, Any] = {"texts": [], "prompt_tokens": []}
    for message in ("Hello", "Who are you?", "Bye"):
        answers = list(chat.send_message_stream(message)) if streamed else [chat.send_message(message)]
        seen["texts"].append("".join(answer.text or "" for answer in answers))
        seen["prompt_tokens"].append(answers[-1].usage_metadata.prompt_token_count)
    seen["users"] = sum(content.role == "user" for content in chat.get_history(curated=True))
    return seen


def chat() -> dict[str, Any]:
    return _chat(streamed=False)


def chat_stream() -> dict[str, Any]:
    return _chat(streamed=True)


def system() -> dict[str, Any]:
    config = {"temperature": 0, "max_output_tokens": 16}
    answer = ask("Hello", system_instruction="Answer in one short sentence.", **config)
    return {"text": answer.text, "with": usage(answer), "without": usage(ask("Hello", **config))}


def candidates() -> dict[str, Any]:
    config = {"candidate_count": 5, "max_output_tokens": 8, "temperature": 2.0}

    def texts(answers: list[Any]) -> list[str]:
        found: dict[int, str] = {}
        for answer in answers:
            for one in answer.candidates or []:
                parts = (one.content.parts if one.content else None) or []
                found[one.index or 0] = found.get(one.index or 0, "") + "".join(part.text or "" for part in parts)
        return [found[index] for index in sorted(found)]

    request = "Reverse the words: potato engine silver moon river table candle"
    return {
        "first": texts([ask(request, **config)]),
        "second": texts([ask(request, **config)]),
        "streamed": texts(pieces(request, **config)),
    }


def _media(name: str, mime: str) -> dict[str, Any]:
    contents = [inline(name, mime), "What is it?"]
    answer = ask(contents, max_output_tokens=4)
    counted = client.models.count_tokens(model=MODEL, contents=contents)
    return {"text": answer.text, "counted": counted.total_tokens, **usage(answer)}


def image_png() -> dict[str, Any]:
    return _media("photo.png", "image/png")


def image_jpeg() -> dict[str, Any]:
    return _media("photo.jpg", "image/jpeg")


def pdf() -> dict[str, Any]:
    return _media("report.pdf", "application/pdf")


def count() -> dict[str, Any]:
    return {"counted": client.models.count_tokens(model=MODEL, contents="Hello").total_tokens, **usage(ask("Hello"))}


def schema() -> dict[str, Any]:
    wanted = {
        "type": "OBJECT",
        "properties": {
            "title": {"type": "STRING", "max_length": "20"},
            "taste": {"type": "STRING", "enum": ["sweet", "sour"], "format": "enum"},
            "grams": {"type": "ARRAY", "items": {"type": "INTEGER", "maximum": 99}, "max_items": "2"},
            "note": {
                "any_of": [{"type": "STRING", "max_length": 5}, {"type": "INTEGER", "maximum": 9}],
                "nullable": True,
            },
        },
        "required": ["title", "taste", "grams", "note"],
        "property_ordering": ["title", "taste", "grams", "note"],
    }
    answer = ask("A recipe.", response_mime_type="application/json", response_schema=wanted, max_output_tokens=400)
    return {"text": answer.text, "finish": finish(answer)}


def json_schema() -> dict[str, Any]:
    wanted = {
        "$defs": {"Leaf": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "type": "object",
        "properties": {"leaf": {"$ref": "#/$defs/Leaf"}, "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}]}},
        "required": ["leaf", "maybe"],
        "additionalProperties": False,
    }
    config = {"response_mime_type": "application/json", "response_json_schema": wanted, "max_output_tokens": 200}
    answer = ask("Go.", **config)
    return {"text": answer.text, "finish": finish(answer)}


def enumeration() -> dict[str, Any]:
    wanted = {"type": "STRING", "enum": ["sweet", "sour"]}
    bare = ask("Lemon?", response_mime_type="text/x.enum", response_schema=wanted)
    quoted = ask("Lemon?", response_mime_type="application/json", response_schema=wanted)
    return {"bare": bare.text, "quoted": quoted.text}


def function_call() -> dict[str, Any]:
    answer = ask("What is the weather in Paris?", **MUST_CALL)
    calls = [{"name": one.name, "args": one.args} for one in answer.function_calls or []]
    return {"calls": calls, "finish": finish(answer)}


def function_stream() -> dict[str, Any]:
    chunks = pieces("What is the weather in Paris?", **MUST_CALL)
    calls = [{"name": one.name, "args": one.args} for chunk in chunks for one in chunk.function_calls or []]
    return {"calls": calls, "finish": finish(chunks[-1])}


def function_result() -> dict[str, Any]:
    question = types.Content(role="user", parts=[types.Part(text="What is the weather in Paris?")])
    asked = ask([question], **MUST_CALL)
    results = [
        types.Part(function_response=types.FunctionResponse(id=one.id, name=one.name, response={"sky": "clear"}))
        for one in asked.function_calls or []
    ]
    history = [question, asked.candidates[0].content, types.Content(role="user", parts=results)]
    tools = {"tools": MUST_CALL["tools"], "tool_config": {"function_calling_config": {"mode": "NONE"}}}
    told = ask(history, max_output_tokens=30, **tools)
    return {
        "text": told.text,
        "finish": finish(told),
        "prompt_tokens": [usage(asked)["prompt_tokens"], usage(told)["prompt_tokens"]],
    }


def automatic_function() -> dict[str, Any]:
    seen: list[str] = []

    def get_weather(city: str) -> dict[str, str]:
        """Get the weather in a city"""
        seen.append(city)
        return {"sky": "clear"}

    config = {"tools": [get_weather], "temperature": 0, "max_output_tokens": 60}
    answer = client.chats.create(model=MODEL, config=config).send_message("What is the weather in Paris?")
    return {"called": seen, "text": answer.text, "finish": finish(answer)}


def thoughts() -> dict[str, Any]:
    answer = ask(
        "Hello",
        max_output_tokens=60,
        temperature=0,
        thinking_config={"include_thoughts": True, "thinking_budget": 16},
    )
    parts = answer.candidates[0].content.parts
    return {
        "thoughts": "".join(part.text or "" for part in parts if part.thought),
        "text": "".join(part.text or "" for part in parts if not part.thought),
        "thought_tokens": answer.usage_metadata.thoughts_token_count,
        **usage(answer),
    }


def logprobs() -> dict[str, Any]:
    answer = ask("Hello", temperature=0, max_output_tokens=8, response_logprobs=True, logprobs=3)
    result = answer.candidates[0].logprobs_result
    return {
        "text": answer.text,
        "tokens": [one.token for one in result.chosen_candidates],
        "logprobs": [one.log_probability for one in result.chosen_candidates],
        "alternatives": [len(one.candidates) for one in result.top_candidates],
    }


def embed() -> dict[str, Any]:
    config = {"output_dimensionality": 64, "task_type": "RETRIEVAL_DOCUMENT"}

    def vectors(contents: Any) -> list[list[float]]:
        answer = client.models.embed_content(model=EMBEDDING_MODEL, contents=contents, config=config)
        return [one.values for one in answer.embeddings or []]

    return {"one": vectors("A red apple"), "many": vectors(["A red apple", "Three green pears", "A stone"])}


def files() -> dict[str, Any]:
    made = client.files.upload(
        file=io.BytesIO(b"The sky is green today."), config={"mime_type": "text/plain", "display_name": "sky"}
    )
    from_path = client.files.upload(file=folder / "report.pdf")
    got = client.files.get(name=made.name)
    inlined = types.Part.from_bytes(data=b"The sky is green today.", mime_type="text/plain")
    answers = [ask([part, "Sum."], max_output_tokens=8) for part in (made, inlined)]
    seen = {
        "name": made.name,
        "same": [got.name == made.name, got.uri == made.uri, got.sha256_hash == made.sha256_hash],
        "mime": [got.mime_type, from_path.mime_type],
        "size": [got.size_bytes, from_path.size_bytes],
        # The SDK has decoded what the service encodes once; the other SDKs leave it as it came.
        "sha256": base64.b64decode(got.sha256_hash or "").decode(),
        "display_name": got.display_name,
        "state": got.state.value if got.state else None,
        "hours": (got.expiration_time - got.create_time).total_seconds() / 3600,
        "listed": made.name in {file.name for file in client.files.list(config={"page_size": 1})},
        "by_file": {"text": answers[0].text, **usage(answers[0])},
        "inline": {"text": answers[1].text, **usage(answers[1])},
    }
    client.files.delete(name=made.name)
    client.files.delete(name=from_path.name)
    return {**seen, "gone": refusal(lambda: client.files.get(name=made.name))}


def cache() -> dict[str, Any]:
    history = [
        types.Content(role="user", parts=[types.Part(text="My name is Ada. Say hello.")]),
        types.Content(role="model", parts=[types.Part(text="Hello Ada!")]),
    ]
    question = types.Content(role="user", parts=[types.Part(text="Hello again.")])
    system_instruction = "Be brief."
    made = client.caches.create(
        model=MODEL,
        config={
            "contents": history,
            "system_instruction": system_instruction,
            "ttl": "600s",
            "display_name": "mine",
        },
    )
    got = client.caches.get(name=made.name)
    changed = client.caches.update(name=made.name, config={"ttl": "7200s"})
    config = {"temperature": 0, "max_output_tokens": 12}
    cached = ask([question], cached_content=made.name, **config)
    plain = ask([*history, question], system_instruction=system_instruction, **config)
    seen = {
        "name": made.name,
        "same": got.name == made.name,
        "model": got.model,
        "display_name": got.display_name,
        "tokens": got.usage_metadata.total_token_count,
        "seconds": [
            (got.expire_time - got.create_time).total_seconds(),
            (changed.expire_time - changed.update_time).total_seconds(),
        ],
        "cached": {"text": cached.text, **usage(cached)},
        "cached_tokens": cached.usage_metadata.cached_content_token_count,
        "plain": {"text": plain.text, **usage(plain)},
        "listed": made.name in {one.name for one in client.caches.list(config={"page_size": 1})},
    }
    client.caches.delete(name=made.name)
    return {**seen, "gone": refusal(lambda: client.caches.get(name=made.name))}


def batch() -> dict[str, Any]:
    texts = ["Hi", "Who are you?"]
    config = {"temperature": 0, "max_output_tokens": 8}
    requests = [{"contents": [{"role": "user", "parts": [{"text": one}]}], "config": config} for one in texts]
    job = client.batches.create(model=MODEL, src=requests, config={"display_name": "two"})
    name, first = job.name, job.state.value
    while job.state.value not in ENDED:
        time.sleep(POLL_SECONDS)
        job = client.batches.get(name=name)
    seen = {
        "name": name,
        "states": [first, job.state.value],
        "model": job.model,
        "display_name": job.display_name,
        "texts": [one.response.text for one in job.dest.inlined_responses],
        "alone": [ask(one, **config).text for one in texts],
        "listed": name in {one.name for one in client.batches.list(config={"page_size": 1})},
    }
    client.batches.delete(name=name)
    return {**seen, "gone": refusal(lambda: client.batches.get(name=name))}


def models() -> dict[str, Any]:
    names = [one.name for one in client.models.list(config={"page_size": 2})]
    got = client.models.get(model=MODEL)
    return {"names": names, "name": got.name, "input_limit": got.input_token_limit, "actions": got.supported_actions}


def error_400() -> dict[str, Any]:
    return {"refused": refusal(lambda: ask("Hi", temperature=3))}


def error_400_stream() -> dict[str, Any]:
    return {"refused": refusal(lambda: pieces("Hi", temperature=3))}


def error_404() -> dict[str, Any]:
    call = client.models.generate_content
    return {"refused": refusal(lambda: call(model="google/x", contents="Hi"))}


def error_media() -> dict[str, Any]:
    wave = types.Part.from_bytes(data=b"RIFF\x24\x00\x00\x00WAVEfmt ", mime_type="audio/wav")
    return {"refused": refusal(lambda: ask([wave, "What is it?"]))}


def fault() -> dict[str, Any]:
    words = {"type": "ARRAY", "items": {"type": "STRING", "enum": ["abcdefghijklmnop"]}, "min_items": 2000}
    config = {"max_output_tokens": 8000, "response_mime_type": "application/json", "response_schema": words}
    received = []

    def run() -> None:
        for chunk in client.models.generate_content_stream(model=MODEL, contents="List.", config=config):
            if not received:
                print(json.dumps({"case": "begun"}), flush=True)
            received.append(finish(chunk))

    return {"refused": refusal(run), "ended": any(received)}


CASES: list[Callable[[], dict[str, Any]]] = [
    text,
    stream,
    chat,
    chat_stream,
    system,
    candidates,
    image_png,
    image_jpeg,
    pdf,
    count,
    schema,
    json_schema,
    enumeration,
    function_call,
    function_stream,
    function_result,
    automatic_function,
    thoughts,
    logprobs,
    embed,
    files,
    cache,
    batch,
    models,
    error_400,
    error_400_stream,
    error_404,
    error_media,
]


def main() -> None:
    global client, folder  # noqa: PLW0603 - a script of one run, whose cases all share them
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[2])
    options = types.HttpOptions(base_url=sys.argv[1], timeout=120_000)
    client = genai.Client(api_key="test-key", http_options=options)
    for case in [fault] if "fault" in sys.argv else CASES:
        try:
            seen = case()
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is what was seen
            seen = {"error": {"type": type(error).__name__, "message": str(error)}}
        print(json.dumps({"case": case.__name__, **seen}), flush=True)
    client.close()


if __name__ == "__main__":
    main()
