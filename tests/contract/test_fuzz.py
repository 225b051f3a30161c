"""Mutated valid bodies at both protocols: always the protocol's own answer, never a 500, a hang or a traceback."""

import asyncio
import copy

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import RunningServer

GEMINI_BODY: dict[str, object] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "text/plain", "data": "SGk="}}]},
        {"role": "model", "parts": [{"text": "Hello"}]},
        {"role": "user", "parts": [{"text": "Bye"}]},
    ],
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 5,
        "candidateCount": 1,
        "maxOutputTokens": 2,
        "stopSequences": ["x"],
        "seed": 1,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}, "required": ["a"]},
        "thinkingConfig": {"includeThoughts": False},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "labels": {"a": "b"},
}
OPENAI_BODY: dict[str, object] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye", "name": "n"},
    ],
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 1,
    "max_tokens": 2,
    "stop": ["x"],
    "seed": 1,
    "logprobs": True,
    "top_logprobs": 1,
    "logit_bias": {"5": 1},
    "stream_options": {"include_usage": True},
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    },
    "metadata": {"a": "b"},
}
COMPLETION_BODY: dict[str, object] = {"model": "m", "prompt": ["a", "b"], "max_tokens": 2, "echo": True, "logprobs": 1}
RESPONSE_BODY: dict[str, object] = {
    "model": "m",
    "input": [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}], "id": "msg_1"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "4"}]},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "c", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "y"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"role": "user", "content": "Bye"},
    ],
    "instructions": "Answer.",
    "max_output_tokens": 16,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 1,
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}},
        {"type": "web_search"},
    ],
    "tool_choice": "none",
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {}}}},
    "reasoning": {"effort": "low"},
    "include": ["message.output_text.logprobs"],
    "truncation": "auto",
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "stream_options": {"include_obfuscation": True},
    "metadata": {"a": "b"},
    "store": True,
}
ITEMS_BODY: dict[str, object] = {"items": RESPONSE_BODY["input"], "metadata": {"a": "b"}}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["user", "OBJECT", "\u2028", "<end_of_turn>", "data:image/png;base64,AAAA", "0", "-1", "1e9"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Paths of all values inside a body, the body itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, child in items:
        found += [(*path, key), *places(child, (*path, key))]
    return found


@st.composite
def mutated(draw: st.DrawFn, body: dict[str, object]) -> dict[str, object]:
    """The body with one to three values replaced, removed, doubled, or joined by an unknown neighbour."""
    result = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        if not result:
            break  # everything was removed
        *path, last = draw(st.sampled_from(places(result)))
        parent: object = result
        for key in path:
            parent = parent[key]  # type: ignore[index]
        match draw(st.sampled_from(["replace", "remove", "wrap", "neighbour"])):
            case "replace":
                parent[last] = draw(VALUES)  # type: ignore[index]
            case "remove":
                del parent[last]  # type: ignore[attr-defined]
            case "wrap":
                parent[last] = [parent[last], parent[last]]  # type: ignore[index]
            case "neighbour" if isinstance(parent, dict):
                parent[draw(st.text(max_size=6))] = draw(VALUES)
    return result


TARGETS = [
    ("/v1beta/models/m:generateContent", GEMINI_BODY),
    ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_BODY),
    ("/v1/models/m:streamGenerateContent", GEMINI_BODY),
    ("/v1beta/models/m:countTokens", {"contents": GEMINI_BODY["contents"]}),
    ("/v1/chat/completions", OPENAI_BODY),
    ("/v1/chat/completions", {**OPENAI_BODY, "stream": True, "store": True, "include_thinking": False}),
    ("/v1/completions", COMPLETION_BODY),
    ("/v1/responses", RESPONSE_BODY),
    ("/v1/responses", {**RESPONSE_BODY, "stream": True, "tool_choice": "auto", "text": None}),
    ("/v1/responses/input_tokens", {name: RESPONSE_BODY[name] for name in ("model", "input", "tools", "text")}),
    ("/v1/responses/compact", {name: RESPONSE_BODY[name] for name in ("model", "input", "instructions")}),
    ("/v1/conversations", ITEMS_BODY),
    ("/v1/sessions/count-tokens", {"messages": OPENAI_BODY["messages"], "model": "m"}),
]
EXAMPLES = {"/v1/responses": 30, "/v1/responses/input_tokens": 30, "/v1/responses/compact": 30, "/v1/conversations": 30}


@pytest.mark.parametrize(("path", "body"), TARGETS, ids=[f"{place}{path}" for place, (path, _) in enumerate(TARGETS)])
def test_g055_mutated_bodies_get_an_answer_or_a_clear_refusal(
    server: RunningServer, path: str, body: dict[str, object]
) -> None:
    with asyncio.Runner() as runner:
        assert runner.run(send(server.url + path, body))[0] == 200

        @settings(
            max_examples=EXAMPLES.get(path, 60),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(mutated(body))
        def check(mutation: dict[str, object]) -> None:
            # A removed limit would let the model write until the context is full; that is valid, and slow.
            status, text = runner.run(send(server.url + path, mutation))
            assert status in {200, 400, 404, 422}, (mutation, text)
            assert b"Traceback" not in text
            if status != 200:
                error = orjson.loads(text)
                error = error[0] if isinstance(error, list) else error
                assert error["error"]["message"], mutation

        check()


async def send(url: str, body: object) -> tuple[int, bytes]:
    limit = aiohttp.ClientTimeout(total=60)  # a guard against hangs, far above any answer
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(timeout=limit, headers=headers) as http,
        http.post(url, data=orjson.dumps(body)) as answer,
    ):
        return answer.status, await answer.read()
