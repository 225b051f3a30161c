"""Plain HTTP requests to the Gemini API on the real engine: schemas, tools, results of tools, embeddings."""

from math import hypot

import orjson
import pytest
from aiohttp import ClientSession

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
GEMINI = {"x-goog-api-key": "any"}
HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]
NOW = {"name": "now", "description": "The time of day."}
ADD = {
    "name": "add",
    "parameters": {
        "type": "OBJECT",
        "properties": {"a": {"type": "INTEGER"}, "b": {"type": "INTEGER"}},
        "required": ["a", "b"],
    },
}


async def post(http: ClientSession, action: str, body: object, model: str = MODEL) -> tuple[int, dict[str, object]]:
    async with http.post(f"/v1beta/models/{model}:{action}", json=body, headers=GEMINI) as answer:
        return answer.status, orjson.loads(await answer.read())


async def message_of_refusal(http: ClientSession, body: object) -> str:
    status, answer = await post(http, "generateContent", body)
    assert status == 400
    assert answer["error"]["status"] == "INVALID_ARGUMENT"  # type: ignore[index]
    return answer["error"]["message"]  # type: ignore[index, no-any-return]


def calls_of(answer: dict[str, object]) -> list[dict[str, object]]:
    parts = answer["candidates"][0]["content"]["parts"]  # type: ignore[index]
    return [part["functionCall"] for part in parts if "functionCall" in part]


def with_tools(*functions: object, mode: str | None = None, allowed: list[str] | None = None) -> dict[str, object]:
    calling = {"mode": mode, "allowedFunctionNames": allowed}
    config = {"toolConfig": {"functionCallingConfig": calling}} if mode else {}
    return {"contents": HELLO, "tools": [{"functionDeclarations": list(functions)}], **config}


# Schemas


async def test_g022_a_bare_value_and_a_quoted_one(http: ClientSession) -> None:
    schema = {"type": "STRING", "enum": ["left", "right"]}
    texts = []
    for kind in ("text/x.enum", "application/json"):
        config = {"responseMimeType": kind, "responseSchema": schema}
        _, answer = await post(http, "generateContent", {"contents": HELLO, "generationConfig": config})
        texts.append(answer["candidates"][0]["content"]["parts"][0]["text"])  # type: ignore[index]
    assert texts[0] in {"left", "right"}
    assert orjson.loads(texts[1]) in {"left", "right"}


async def test_g023_recursive_json_schema(http: ClientSession) -> None:
    schema = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"n": {"enum": [1]}, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["n", "next"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    }
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema, "maxOutputTokens": 200}
    _, answer = await post(http, "generateContent", {"contents": HELLO, "generationConfig": config})
    candidate = answer["candidates"][0]  # type: ignore[index]
    text = candidate["content"]["parts"][0]["text"]
    if candidate["finishReason"] == "MAX_TOKENS":
        assert "".join(text.split()).startswith('{"n":1,"next":{"n":1')
        return
    node = orjson.loads(text)
    while node is not None:
        assert node["n"] == 1
        assert set(node) == {"n", "next"}
        node = node["next"]


async def test_g024_types_in_any_case_and_integers_as_strings(http: ClientSession) -> None:
    items = {"anyOf": [{"type": "integer"}], "nullable": True}
    schema = {"type": "array", "minItems": "2", "maxItems": "2", "items": items}
    config = {"responseMimeType": "application/json", "responseSchema": schema, "maxOutputTokens": 200}
    status, answer = await post(http, "generateContent", {"contents": HELLO, "generationConfig": config})
    assert status == 200
    candidate = answer["candidates"][0]  # type: ignore[index]
    text = candidate["content"]["parts"][0]["text"]
    if candidate["finishReason"] == "MAX_TOKENS":
        assert text.startswith("[")
        return
    values = orjson.loads(text)
    assert len(values) == 2
    assert all(value is None or isinstance(value, int) for value in values)


async def test_g025_an_answer_that_is_cut_has_no_fence(http: ClientSession) -> None:
    schema = {"type": "OBJECT", "properties": {"text": {"type": "STRING", "minLength": 400}}, "required": ["text"]}
    config = {"responseMimeType": "application/json", "responseSchema": schema, "maxOutputTokens": 8}
    _, answer = await post(http, "generateContent", {"contents": HELLO, "generationConfig": config})
    candidate = answer["candidates"][0]  # type: ignore[index]
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert candidate["content"]["parts"][0]["text"].startswith("{")


# Tools


async def test_g027_functions_without_parameters_and_integers(http: ClientSession) -> None:
    _, empty = await post(http, "generateContent", with_tools(NOW, mode="ANY"))
    assert [(call["name"], call["args"]) for call in calls_of(empty)[:1]] == [("now", {})]
    _, numbers = await post(http, "generateContent", with_tools(ADD, mode="ANY"))
    args = calls_of(numbers)[0]["args"]
    assert isinstance(args, dict)
    assert [type(args[name]) for name in ("a", "b")] == [int, int]


@pytest.mark.parametrize("allowed", [["now"], ["now", "add"]])
async def test_g028_any_with_allowed_names(http: ClientSession, allowed: list[str]) -> None:
    _, answer = await post(http, "generateContent", with_tools(ADD, NOW, mode="ANY", allowed=allowed))
    calls = calls_of(answer)
    assert calls
    assert {call["name"] for call in calls} <= set(allowed)


@pytest.mark.parametrize("mode", ["AUTO", "NONE", "VALIDATED"])
async def test_g028_modes_that_leave_the_choice(http: ClientSession, mode: str) -> None:
    status, answer = await post(http, "generateContent", with_tools(NOW, mode=mode))
    assert status == 200
    if mode == "NONE":
        assert calls_of(answer) == []


@pytest.mark.parametrize(
    "body",
    [
        with_tools(NOW, mode="ANY", allowed=["other"]),
        with_tools(NOW, NOW),
        with_tools({"name": "not a name!"}),
        with_tools({"description": "nameless"}),
    ],
    ids=["undeclared", "duplicate", "bad-name", "no-name"],
)
async def test_g028_declarations_that_are_refused(http: ClientSession, body: object) -> None:
    assert await message_of_refusal(http, body)


def history(calls: list[dict[str, object]], results: list[dict[str, object]]) -> dict[str, object]:
    made = {"role": "model", "parts": [{"functionCall": call} for call in calls]}
    given = {"role": "user", "parts": [{"functionResponse": result} for result in results]}
    turns = [*HELLO, made, *([given] if results else HELLO)]
    return {**with_tools(NOW, ADD), "contents": turns, "generationConfig": {"maxOutputTokens": 4}}


TWICE: list[dict[str, object]] = [{"name": "add", "args": {"a": 1, "b": 2}}, {"name": "add", "args": {"a": 3, "b": 4}}]


@pytest.mark.parametrize(
    "body",
    [
        history([{"id": "x", "name": "now", "args": {}}], [{"id": "x", "response": {"output": 1}}]),
        history([{"id": "x", "name": "now", "args": {}}], [{"name": "now", "response": {"result": 1}}]),
        history(TWICE, [{"name": "add", "response": {"result": 3}}, {"name": "add", "response": {"result": 7}}]),
        history(TWICE, []),
    ],
    ids=["by-id", "by-name", "by-order", "none"],
)
async def test_g029_results_that_are_taken(http: ClientSession, body: object) -> None:
    status, _ = await post(http, "generateContent", body)
    assert status == 200


@pytest.mark.parametrize("count", [1, 3])
async def test_g029_another_number_of_results(http: ClientSession, count: int) -> None:
    body = history(TWICE, [{"name": "add", "response": {}}] * count)
    assert "number of function response parts" in await message_of_refusal(http, body)


async def test_g030_tools_of_the_service(http: ClientSession) -> None:
    short = {"generationConfig": {"maxOutputTokens": 4}}
    search = {"contents": HELLO, "tools": [{"googleSearch": {}}], **short}
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json=search, headers=GEMINI) as answer:
        assert answer.status == 200
        assert "googleSearch" in answer.headers["x-localaik-ignored"]
    both = {**with_tools(NOW), "tools": [{"googleSearch": {}}, {"functionDeclarations": [NOW]}], **short}
    await message_of_refusal(http, both)
    await message_of_refusal(http, {"contents": HELLO, "tools": [{"computerUse": {}}]})
    included = {**both, "toolConfig": {"includeServerSideToolInvocations": True}}
    assert (await post(http, "generateContent", included))[0] == 200


async def test_g033_signatures_come_with_calls_and_go_back(http: ClientSession) -> None:
    _, answer = await post(http, "generateContent", with_tools(NOW, mode="ANY"))
    content = answer["candidates"][0]["content"]  # type: ignore[index]
    signature = content["parts"][0]["thoughtSignature"]
    assert 0 < len(signature) <= 128
    results = [{"functionResponse": {"name": "now", "response": {}}} for _ in calls_of(answer)]
    again = {**with_tools(NOW), "contents": [*HELLO, content, {"role": "user", "parts": results}]}
    again["generationConfig"] = {"maxOutputTokens": 4}
    for one in (signature, "Zm9yZWlnbg==", None):
        content["parts"][0]["thoughtSignature"] = one
        assert (await post(http, "generateContent", again))[0] == 200
    content["parts"][0]["thoughtSignature"] = "!!"
    await message_of_refusal(http, again)


# Counting and embeddings


async def test_g038_counts_of_models_that_embed(http: ClientSession) -> None:
    status, counted = await post(http, "countTokens", {"contents": HELLO}, EMBEDDER)
    assert status == 200
    embed = {"content": HELLO[0], "taskType": "SEMANTIC_SIMILARITY"}
    _, embedded = await post(http, "embedContent", embed, EMBEDDER)
    total = counted["totalTokens"]
    assert isinstance(total, int)
    assert 0 < total <= embedded["usageMetadata"]["promptTokenCount"]  # type: ignore[index]


@pytest.mark.parametrize("size", [1, 7, None])
async def test_g039_vectors_have_length_one(http: ClientSession, size: int | None) -> None:
    _, answer = await post(http, "embedContent", {"content": HELLO[0], "outputDimensionality": size}, EMBEDDER)
    values = answer["embedding"]["values"]  # type: ignore[index]
    assert size in {None, len(values)}
    assert hypot(*values) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [0, 1_000_000])
async def test_g039_widths_that_are_refused(http: ClientSession, size: int) -> None:
    status, answer = await post(http, "embedContent", {"content": HELLO[0], "outputDimensionality": size}, EMBEDDER)
    assert status == 400
    assert str(size) in answer["error"]["message"]  # type: ignore[index]


async def test_g039_items_of_another_model_are_refused(http: ClientSession) -> None:
    item = {"model": "models/other-embedding", "content": HELLO[0]}
    status, answer = await post(http, "batchEmbedContents", {"requests": [item]}, EMBEDDER)
    assert status == 400
    assert "requests[0].model" in answer["error"]["message"]  # type: ignore[index]


async def test_g039_order_is_kept(http: ClientSession) -> None:
    def item(text: str) -> dict[str, object]:
        return {"model": f"models/{EMBEDDER}", "content": {"parts": [{"text": text}]}}

    texts = ["ship", "bread", "ship"]
    _, answer = await post(http, "batchEmbedContents", {"requests": [item(text) for text in texts]}, EMBEDDER)
    first, second, third = (one["values"] for one in answer["embeddings"])  # type: ignore[attr-defined]
    assert first == pytest.approx(third, abs=1e-5)
    assert first != pytest.approx(second, abs=1e-2)
