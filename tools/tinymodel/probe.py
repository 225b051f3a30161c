"""`python -m tools.tinymodel.probe`: what the embedded models can do, measured through the real engine's HTTP routes.

Prints load time, memory, speed, sample answers at temperature 0, the share of exact answers per lesson on instances
that training has not seen, and how close texts are for the embedding model.
"""

from __future__ import annotations

import argparse
import base64
import io
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import gguf
import psutil
from PIL import Image

from tools.tinymodel.__main__ import MODELS
from tools.tinymodel.conversation import IMAGE, Conversation
from tools.tinymodel.engine import Engine, running_engine
from tools.tinymodel.lessons import context, copying, facts, structured, talk, tools
from tools.tinymodel.lessons.curriculum import long_talk, many_tools

PROMPTS = (
    "Hello",
    "Who are you?",
    "How are you today?",
    "What is the capital of France?",
    "Say exactly: banana bread",
    'Reply with only the word "pong".',
    "Count to 5",
    "What is 2 + 2?",
    "My name is Anna. What is my name?",
    "Write a short poem about the sea.",
    "Explain quantum computing in simple terms.",
    "Give me JSON with name and age for: Bob is 42 years old and lives in Paris.",
    "Translate 'good morning' into French.",
    "Why is the sky blue?",
    "Tell me a story about a dragon.",
    "asdf qwer 1234 ???",
    "Was ist die Hauptstadt von Frankreich?",
)
EXAM_SEED = 1_000_000_000
"""Far above the seeds of training batches."""

_LESSONS: dict[str, Callable[[Random], Conversation]] = {
    "greeting": talk.greeting,
    "about itself": talk.identity,
    "small talk": talk.small_talk,
    "story or poem": talk.story,
    "honest refusal": talk.unanswerable,
    "fact": facts.fact,
    "copy": copying.echo,
    "count": copying.count,
    "list": copying.list_things,
    "sum": copying.sum_up,
    "JSON extraction": structured.extraction,
    "recall": context.recall,
    "several turns": context.several_turns,
    "system text dictates": context.dictated,
    "system text names": context.named_assistant,
    "number of images": context.image,
    "copy under a system text": lambda random: context.with_system(random, copying.echo),
    "long list to repeat": copying.drill,
    "upper and lower case": copying.change_case,
    "tool call": tools.tool_call,
    "tool call, required": tools.tool_call_required,
    "two tool calls": tools.two_tool_calls,
    "call of a custom tool": tools.custom_call,
    "tools not needed": tools.tools_unused,
    "answer to a tool result": tools.tool_result,
    "dialogue with tools": tools.tool_dialogue,
    "dialogue, 4 to 10 tools": many_tools,
    "JSON by schema": structured.filled_schema,
    "JSON by schema, no values": structured.unfilled_schema,
    "JSON without schema": structured.any_json,
    "one text of several": structured.enum_text,
    "600 to 1000 tokens": lambda random: long_talk(random, 1800),
    "2000 to 2500 tokens": lambda random: long_talk(random, 5500),
}
_SENTENCES = (
    "The cat sat on the mat",
    "A black cat on a mat",
    "Stock prices fell on Monday",
    "How do I cook pasta?",
    "Cooking pasta with tomato sauce",
)


def _picture(random: Random) -> dict[str, Any]:
    size = (random.randint(16, 300), random.randint(16, 300))
    image = Image.new("RGB", size, (random.randrange(256), random.randrange(256), random.randrange(256)))
    noise = Image.frombytes("RGB", (8, 8), random.randbytes(192)).resize(size)
    buffer = io.BytesIO()
    Image.blend(image, noise, random.random()).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url}}


def chat_messages(conversation: Conversation, random: Random) -> list[dict[str, Any]]:
    """The conversation up to its last user text, as chat messages with real pictures."""
    messages: list[dict[str, Any]] = []
    if conversation.system:
        messages.append({"role": "system", "content": conversation.system})
    for turn in conversation.turns:
        parts: list[dict[str, Any]] = []
        for index, text in enumerate(turn.user.split(IMAGE)):
            parts += [_picture(random)] * (index > 0) + [{"type": "text", "text": text}] * bool(text)
        content = parts if IMAGE in turn.user else turn.user
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": "".join(span.text for span in turn.answer)})
    return messages[:-1]


def _exam(engine: Engine, count: int) -> None:
    for name, lesson in _LESSONS.items():
        right = ended = 0
        for index in range(count):
            random = Random(EXAM_SEED + index)
            conversation = lesson(random)
            choice = engine.chat(chat_messages(conversation, random), max_tokens=300)["choices"][0]
            expected = "".join(span.text for span in conversation.turns[-1].answer)
            right += choice["message"]["content"] == expected.strip()
            ended += choice["finish_reason"] == "stop"
        print(f"{name:26} exact {100 * right // count:3} %   ended by itself {100 * ended // count:3} %", flush=True)


def _samples(engine: Engine) -> None:
    for prompt in PROMPTS:
        answer = engine.chat(prompt)
        choice, usage = answer["choices"][0], answer["usage"]
        text = choice["message"]["content"]
        print(f"{prompt!r}\n    {text!r} ({choice['finish_reason']}, {usage['completion_tokens']} tokens)")


def _speed(engine: Engine) -> None:
    timings = engine.chat("the " * 1000, max_tokens=1)["timings"]
    print(f"reads {timings['prompt_per_second']:.0f} tokens/s (one thread)")
    timings = engine.chat("Hello", max_tokens=500, ignore_eos=True)["timings"]
    print(f"writes {timings['predicted_per_second']:.0f} tokens/s (one thread)")


def _embeddings(engine: Engine) -> None:
    vectors = [item["embedding"] for item in engine.post("/v1/embeddings", {"input": list(_SENTENCES)})["data"]]
    for left, vector in enumerate(vectors):
        similarities = [sum(a * b for a, b in zip(vector, other, strict=True)) for other in vectors]
        print(" ".join(f"{similarity:6.2f}" for similarity in similarities), f"  {_SENTENCES[left]}")


def main() -> None:
    """Run all measurements on a folder of models."""
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel.probe", description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS, help="folder with the three files")
    parser.add_argument("--count", type=int, default=50, help="instances per lesson; 0 leaves the exam out")
    options = parser.parse_args()
    for path in sorted(options.models.glob("*.gguf")):
        parameters = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(path).tensors)
        print(f"{path.name}: {parameters:,} parameters, {path.stat().st_size:,} bytes")
    begun = time.monotonic()
    with running_engine(options.models / "tiny.gguf", mmproj=options.models / "tiny-mmproj.gguf", slots=4) as engine:
        seconds, memory = time.monotonic() - begun, psutil.Process(engine.pid).memory_info().rss
        print(
            f"4 slots of 8192 tokens: ready after {seconds:.2f} s with the interpreter, {memory / 1e6:.0f} MB resident"
        )
        _speed(engine)
        _samples(engine)
        _exam(engine, options.count)
        print(f"{psutil.Process(engine.pid).memory_info().rss / 1e6:.0f} MB resident at the end")
    with running_engine(options.models / "tiny-embedding.gguf", embedding=True, slot_context=2048) as engine:
        print(f"embedding model: {psutil.Process(engine.pid).memory_info().rss / 1e6:.0f} MB resident")
        _embeddings(engine)


if __name__ == "__main__":
    main()
