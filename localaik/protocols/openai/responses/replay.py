"""The events of a response that is over, made once more from the response itself. Pure: no I/O.

They follow the grammar of a live stream, with each text in one delta; their numbers may be others than those of the
live stream were.
"""

from typing import Final

from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.answering import Frame
from localaik.protocols.openai.responses.frames import EventWriter
from localaik.protocols.openai.responses.objects import with_output
from localaik.protocols.openai.responses.writers import (
    CallWriter,
    Ending,
    MessageWriter,
    Phase,
    ReasoningWriter,
    whole_item,
)

__all__ = ["replay"]

_TERMINAL: Final = {
    "completed": "completed",
    "incomplete": "incomplete",
    "failed": "failed",
    "cancelled": "incomplete",
}
"""Last event of each status. The API has none for cancelled responses."""
_UNFINISHED: Final = "in_progress"


def replay(response: Object) -> list[Frame]:
    """All events of `response`; of one that still runs, those of its finished items."""
    is_egemma = "modalities" in response
    events = EventWriter(more={"response_id": response["id"]} if is_egemma else {}, obfuscate=False)
    begun = with_output(response, []) | {
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "usage": None,
    }
    waited = response["background"] is True
    frames = [_frame(events, "created", begun | {"status": "queued" if waited else "in_progress"})]
    if waited:
        frames.append(_frame(events, "queued", begun | {"status": "queued"}))
    frames.append(_frame(events, "in_progress", begun | {"status": "in_progress"}))
    reasoning = response["reasoning"]
    with_summary = isinstance(reasoning, dict) and reasoning.get("summary") is not None
    finished = [item for item in _objects(response["output"]) if item.get("status") != _UNFINISHED]
    for index, item in enumerate(finished):
        frames += _item_frames(events, index, item, with_summary=with_summary, is_egemma=is_egemma)
    terminal = _TERMINAL.get(str(response["status"]))
    if terminal is not None:
        frames.append(_frame(events, terminal, response))
    return frames


def _item_frames(events: EventWriter, index: int, item: Object, *, with_summary: bool, is_egemma: bool) -> list[Frame]:
    kind, item_id = item["type"], str(item["id"])
    extra: Object = {"tool_calls": []} if is_egemma else {}
    ending: Ending = "incomplete" if item.get("status") == "incomplete" else "completed"
    if kind == "message":
        part = _objects(item["content"])[0]
        text, logprobs = str(part["text"]), _objects(part["logprobs"])
        phase: Phase = "commentary" if item["phase"] == "commentary" else "final_answer"
        message = MessageWriter(events, index, item_id, extra, phase=phase, with_logprobs=bool(logprobs))
        opened = message.open()
        said = message.say(text, logprobs) if text or logprobs else []
        return [*opened, *said, *message.close(ending)]
    if kind == "reasoning":
        thoughts = str(_objects(item["content"])[0]["text"])
        reasoning = ReasoningWriter(events, index, item_id, extra, summary=with_summary, egemma=is_egemma)
        opened = reasoning.open()
        reasoning.encrypted = _text(item["encrypted_content"])
        return [*opened, *reasoning.more(thoughts), *reasoning.close(ending)]
    if kind in {"function_call", "custom_tool_call"}:
        call = CallWriter(
            events,
            index,
            item_id,
            extra,
            call_type="function_call" if kind == "function_call" else "custom_tool_call",
            call_id=str(item["call_id"]),
            name=str(item["name"]),
            namespace=_text(item.get("namespace")),
        )
        arguments = str(item["arguments" if kind == "function_call" else "input"])
        opened = call.open()
        return [*opened, *(call.more(arguments) if arguments else []), *call.close(ending)]
    return whole_item(events, index, item)


def _frame(events: EventWriter, name: str, response: Object) -> Frame:
    return events.event(f"response.{name}", {"response": response})


def _objects(value: object) -> list[Object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
