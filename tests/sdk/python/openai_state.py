"""The cases of the OpenAI table that leave something on the server: responses, conversations, files, batches."""

import io
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

MODEL = "gpt-4o-mini"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 40}, "days": {"type": "integer", "maximum": 9}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "strict": True,
}
MUST_CALL = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "max_output_tokens": 200}
ENDED = {"completed", "failed", "expired", "cancelled"}
POLL_SECONDS = 0.05

Seen = dict[str, Any]


def refusal(call: Callable[[], Any]) -> Seen:
    """What the SDK raised, in the words that all SDKs share."""
    try:
        call()
    except openai.APIStatusError as error:
        return {
            "type": type(error).__name__,
            "code": error.status_code,
            "reason": error.code,
            "param": error.param,
            "message": error.message,
            "request_id": error.request_id,
        }
    return {}


class StateCases:
    """Each public method is a case."""

    def __init__(self, client: openai.OpenAI, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def _ask(self, prompt: Any, **body: Any) -> Any:
        return self._client.responses.create(model=MODEL, input=prompt, **{"temperature": 0, **body})

    def response(self) -> Seen:
        answer = self._ask("Hello", max_output_tokens=60)
        return {
            "text": answer.output_text,
            "id": answer.id,
            "model": answer.model,
            "object": answer.object,
            "status": answer.status,
            "output": [one.type for one in answer.output],
            "tokens": [answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens],
        }

    def response_stream(self) -> Seen:
        events = list(self._ask("Hello", max_output_tokens=60, stream=True))
        return {
            "plain": self._ask("Hello", max_output_tokens=60).output_text,
            "kinds": [kind for kind, _ in itertools.groupby(event.type for event in events)],
            "numbers": [event.sequence_number for event in events],
            "deltas": "".join(event.delta for event in events if event.type == "response.output_text.delta"),
            "last": events[-1].response.output_text,
            "status": events[-1].response.status,
        }

    def response_incomplete(self) -> Seen:
        answer = self._ask("Hello", max_output_tokens=16, text={"format": self._list()})
        return {"status": answer.status, "reason": answer.incomplete_details.reason, "text": answer.output_text}

    @staticmethod
    def _list() -> Seen:
        words = {"type": "array", "items": {"type": "string"}, "minItems": 30}
        return {"type": "json_schema", "name": "words", "schema": words}

    def response_image(self) -> Seen:
        files = self._client.files
        photo = files.create(file=self._folder / "photo.png", purpose="vision")
        question = {"type": "input_text", "text": "What is it?"}
        shown = {"type": "input_image", "file_id": photo.id, "detail": "auto"}
        answers = [
            self._ask([{"role": "user", "content": parts}], max_output_tokens=16)
            for parts in ([question, shown], [question])
        ]
        files.delete(photo.id)
        return {"text": answers[0].output_text, "tokens": [answer.usage.input_tokens for answer in answers]}

    def response_function(self) -> Seen:
        asked = self._ask("What is the weather in Paris?", **MUST_CALL)
        (call,) = [one for one in asked.output if one.type == "function_call"]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"sky": "clear"}'}
        told = self._ask(
            [result], previous_response_id=asked.id, tools=[WEATHER], tool_choice="none", max_output_tokens=30
        )
        return {
            "id": call.id,
            "call_id": call.call_id,
            "name": call.name,
            "args": json.loads(call.arguments),
            "output": [one.type for one in asked.output],
            "text": told.output_text,
            "chained": told.previous_response_id == asked.id,
            "tokens": [asked.usage.input_tokens, told.usage.input_tokens],
        }

    def response_stored(self) -> Seen:
        made = self._ask("Hello", max_output_tokens=16, metadata={"mine": "yes"})
        responses = self._client.responses
        got = responses.retrieve(made.id)
        items = list(responses.input_items.list(made.id, limit=1))
        responses.delete(made.id)
        return {
            "same": [got.id == made.id, got.output_text == made.output_text, got.created_at == made.created_at],
            "metadata": got.metadata,
            "input": [[one.type, one.role, one.content[0].text] for one in items],
            "gone": refusal(lambda: responses.retrieve(made.id)),
        }

    def response_refused(self) -> Seen:
        return {"refused": refusal(lambda: self._ask("Hello", temperature=3))}

    def conversation(self) -> Seen:
        conversations = self._client.conversations
        first = {"type": "message", "role": "user", "content": "My name is Ada."}
        made = conversations.create(items=[first], metadata={"mine": "yes"})
        answer = self._ask("Hello", conversation=made.id, max_output_tokens=16)
        second = {"type": "message", "role": "user", "content": "Who are you?"}
        added = conversations.items.create(made.id, items=[second])
        items = list(conversations.items.list(made.id, order="asc", limit=2))
        conversations.items.delete(items[0].id, conversation_id=made.id)
        left = list(conversations.items.list(made.id, order="asc"))
        changed = conversations.update(made.id, metadata={"mine": "no"})
        got = conversations.retrieve(made.id)
        conversations.delete(made.id)
        return {
            "id": made.id,
            "metadata": [made.metadata, changed.metadata, got.metadata],
            "of_answer": answer.conversation.id == made.id,
            "added": [one.id for one in added.data] == [items[-1].id],
            "items": [[one.type, one.role, one.content[0].text] for one in items],
            "left": [one.id for one in left] == [one.id for one in items[1:]],
            "gone": refusal(lambda: conversations.retrieve(made.id)),
        }

    def files(self) -> Seen:
        files = self._client.files
        made = files.create(file=("sky.txt", b"The sky is green today."), purpose="user_data")
        got = files.retrieve(made.id)
        content = files.content(made.id).read().decode()
        listed = made.id in {one.id for one in files.list(limit=1)}
        deleted = files.delete(made.id)
        return {
            "id": made.id,
            "same": got == made,
            "bytes": got.bytes,
            "filename": got.filename,
            "purpose": got.purpose,
            "object": got.object,
            "content": content,
            "listed": listed,
            "deleted": deleted.deleted,
            "gone": refusal(lambda: files.retrieve(made.id)),
        }

    def batch(self) -> Seen:
        texts = ["Hi", "Who are you?"]
        bodies = [
            {"model": MODEL, "messages": [{"role": "user", "content": one}], "temperature": 0, "max_tokens": 8}
            for one in texts
        ]
        lines = [
            {"custom_id": f"line-{place}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            for place, body in enumerate(bodies)
        ]
        data = "\n".join(json.dumps(line) for line in lines)
        file = self._client.files.create(file=("lines.jsonl", io.BytesIO(data.encode())), purpose="batch")
        batches = self._client.batches
        job = batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        while job.status not in ENDED:
            time.sleep(POLL_SECONDS)
            job = batches.retrieve(job.id)
        output = self._client.files.content(job.output_file_id or "").text
        results = [json.loads(line) for line in output.splitlines()]
        alone = [self._client.chat.completions.create(**body) for body in bodies]
        return {
            "id": job.id,
            "status": job.status,
            "object": job.object,
            "counts": [job.request_counts.total, job.request_counts.completed, job.request_counts.failed],
            "lines": [[one["custom_id"], one["response"]["status_code"], one["error"]] for one in results],
            "texts": [one["response"]["body"]["choices"][0]["message"]["content"] for one in results],
            "alone": [one.choices[0].message.content for one in alone],
            "listed": job.id in {one.id for one in batches.list(limit=1)},
        }

    def moderation(self) -> Seen:
        answer = self._client.moderations.create(input="Hello")
        return {"flagged": [one.flagged for one in answer.results]}


def cases(client: openai.OpenAI, folder: Path) -> dict[str, Callable[[], Seen]]:
    """The cases by name."""
    made = StateCases(client, folder)
    return {name: getattr(made, name) for name in vars(StateCases) if not name.startswith("_")}
