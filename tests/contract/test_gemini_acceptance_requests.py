"""Plain HTTP requests to the Gemini API on the real engine: versions, forms of JSON, ranges, errors, headers."""

import base64
import gzip
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession

from tests.media_samples import make_image

MODEL = "gemini-2.5-flash"
VERSIONS = ["/v1", "/v1beta", "/v1alpha", ""]
HELLO = [{"role": "user", "parts": [{"text": "Hello"}]}]
SHORT: dict[str, object] = {"maxOutputTokens": 4}
GEMINI = {"x-goog-api-key": "any"}
CACHE = {"model": f"models/{MODEL}", "contents": HELLO}


async def generate(
    http: ClientSession, body: object, *, version: str = "/v1beta", model: str = MODEL, **headers: str
) -> tuple[int, dict[str, object], Mapping[str, str]]:
    """Status, body and headers of a generateContent."""
    path = f"{version}/models/{model}:generateContent"
    async with http.post(path, json=body, headers={**GEMINI, **headers}) as answer:
        return answer.status, orjson.loads(await answer.read()), answer.headers


async def refusal(answer: ClientResponse) -> tuple[int, str, str]:
    """Status, `error.status` and message of a refusal in the form of the Gemini API."""
    error = orjson.loads(await answer.read())["error"]
    assert error["code"] == answer.status
    return answer.status, error["status"], error["message"]


def text_of(body: dict[str, object]) -> str:
    return "".join(part["text"] for part in body["candidates"][0]["content"]["parts"])  # type: ignore[index]


# Routes


async def test_g001_every_version_answers_alike(http: ClientSession) -> None:
    body = {"contents": HELLO, "generationConfig": SHORT}
    answers = [await generate(http, body, version=version) for version in VERSIONS]
    assert [status for status, _, _ in answers] == [200] * len(VERSIONS)
    assert len({text_of(answer) for _, answer, _ in answers}) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_g001_counts_models_and_embeddings_under_every_version(http: ClientSession, version: str) -> None:
    async with http.post(f"{version}/models/{MODEL}:countTokens", json={"contents": HELLO}, headers=GEMINI) as counted:
        assert counted.status == 200
        assert (await counted.json())["totalTokens"] > 0
    async with http.get(f"{version}/models", headers=GEMINI) as listed:
        assert (await listed.json())["models"]
    embed = {"content": {"parts": [{"text": "Hello"}]}}
    async with http.post(f"{version}/models/text-embedding-004:embedContent", json=embed, headers=GEMINI) as embedded:
        assert (await embedded.json())["embedding"]["values"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/{model}", "/v1/files"])
async def test_g003_shared_paths_take_their_form_from_the_headers(http: ClientSession, path: str) -> None:
    path = path.format(model=MODEL)
    async with http.get(path, headers=GEMINI) as gemini:
        body = await gemini.json()
        assert gemini.status == 200
        assert "object" not in body
    async with http.get(path, headers={"Authorization": "Bearer any"}) as openai:
        other = await openai.json()
        assert "object" in other or "message" in other["error"]
        assert other != body


async def test_g003_errors_of_shared_paths(http: ClientSession) -> None:
    async with http.get("/v1/nothing", headers=GEMINI) as gemini:
        assert (await refusal(gemini))[:2] == (404, "NOT_FOUND")
    async with http.get("/v1/nothing") as openai:
        assert openai.status == 404
        assert "status" not in (await openai.json())["error"]


# Reading


async def test_g006_numbers_enums_and_null_in_all_forms(http: ClientSession) -> None:
    plain = {"temperature": 0, "topK": 5, "maxOutputTokens": 4, "responseModalities": ["TEXT"]}
    forms = {"temperature": "0", "top_k": 5.0, "max_output_tokens": "4", "responseModalities": ["text"], "seed": None}
    one = await generate(http, {"contents": HELLO, "generationConfig": plain})
    other = await generate(http, {"contents": HELLO, "generation_config": forms, "serviceTier": "standard"})
    assert (one[0], other[0]) == (200, 200)
    assert text_of(one[1]) == text_of(other[1])


async def test_g006_both_spellings_of_one_field_are_refused(http: ClientSession) -> None:
    status, body, _ = await generate(http, {"contents": HELLO, "generationConfig": {"topK": 1, "top_k": 1}})
    assert status == 400
    assert body["error"]["status"] == "INVALID_ARGUMENT"  # type: ignore[index]


async def test_g006_enums_by_their_number(http: ClientSession) -> None:
    safety = [{"category": 7, "threshold": 4}]
    config = {**SHORT, "responseModalities": [1]}
    status, body, _ = await generate(http, {"contents": HELLO, "generationConfig": config, "safetySettings": safety})
    assert status == 200
    assert body["candidates"][0]["safetyRatings"][0]["category"] == "HARM_CATEGORY_HARASSMENT"  # type: ignore[index]


async def test_g006_base64_in_all_forms(http: ClientSession) -> None:
    images = (make_image("PNG", width) for width in range(4, 90))
    image = next(one for one in images if len(one) % 3 and {"+", "/"} <= set(base64.b64encode(one).decode()))
    plain, other = base64.b64encode(image).decode(), base64.urlsafe_b64encode(image).decode()
    answers = []
    for data in (plain, plain.rstrip("="), other, other.rstrip("=")):
        parts = [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": data}}]
        status, body, _ = await generate(http, {"contents": [{"parts": parts}], "generationConfig": SHORT})
        assert status == 200
        answers.append((body["candidates"], body["usageMetadata"]))
    assert answers == [answers[0]] * 4


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"ttl": "7200s"}, 7200),
        ({"ttl": "7200.5s"}, 7200.5),
        ({"ttl": "7200.000001000s"}, 7200.000001),
        ({"ttl": None}, 3600),
    ],
)
async def test_g006_durations(http: ClientSession, given: dict[str, object], seconds: float) -> None:
    cache = await cache_of(http, given)
    lifetime = datetime.fromisoformat(cache["expireTime"]) - datetime.fromisoformat(cache["createTime"])
    assert lifetime.total_seconds() == seconds


@pytest.mark.parametrize(
    "moment",
    [
        "2090-01-01T00:00:00Z",
        "2090-01-01T00:00:00.000Z",
        "2090-01-01T00:00:00.000000000z",
        "2090-01-01T00:00:00+00:00",
        "2090-01-01T05:30:00+05:30",
        "2089-12-31t16:00:00-08:00",
    ],
)
@pytest.mark.parametrize("spelling", ["expireTime", "expire_time"])
async def test_g006_timestamps(http: ClientSession, spelling: str, moment: str) -> None:
    assert (await cache_of(http, {spelling: moment}))["expireTime"] == "2090-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "given", [{"ttl": "1h"}, {"ttl": 3600}, {"ttl": "s"}, {"expireTime": "2090-01-01"}, {"expireTime": "tomorrow"}]
)
async def test_g006_what_is_no_duration_and_no_timestamp(http: ClientSession, given: dict[str, object]) -> None:
    async with http.post("/v1beta/cachedContents", json={**CACHE, **given}, headers=GEMINI) as answer:
        assert (await refusal(answer))[:2] == (400, "INVALID_ARGUMENT")


async def cache_of(http: ClientSession, given: dict[str, object]) -> dict[str, str]:
    async with http.post("/v1beta/cachedContents", json={**CACHE, **given}, headers=GEMINI) as answer:
        assert answer.status == 200
        return orjson.loads(await answer.read())  # type: ignore[no-any-return]


async def test_g007_unknown_fields_are_named(http: ClientSession) -> None:
    status, _, headers = await generate(http, {"contents": HELLO, "generationConfig": SHORT, "notAField": 1})
    assert status == 200
    assert "notAField" in headers["x-localaik-ignored"]


async def test_g008_bodies_in_gzip_and_streams_without(http: ClientSession) -> None:
    body = gzip.compress(orjson.dumps({"contents": HELLO, "generationConfig": SHORT}))
    headers = {**GEMINI, "Content-Type": "application/json", "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", data=body, headers=headers) as whole:
        assert whole.status == 200
        assert whole.headers["Content-Encoding"] == "gzip"
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    async with http.post(path, data=body, headers=headers) as stream:
        assert stream.status == 200
        assert "Content-Encoding" not in stream.headers
        await stream.read()


# Contents and config


@pytest.mark.parametrize(
    "contents",
    [
        [{"parts": [{"text": ""}]}],
        {"parts": [{"text": "Hello"}]},
        [{"parts": [{"text": "Hello"}]}],
        [*HELLO, *({"role": "model", "parts": [{"text": one}]} for one in ("Hi", " ", "you", "")), *HELLO],
    ],
    ids=["empty-text", "one-object", "no-role", "streamed-history"],
)
async def test_g010_contents_that_are_answered(http: ClientSession, contents: object) -> None:
    status, _, _ = await generate(http, {"contents": contents, "generationConfig": SHORT})
    assert status == 200


@pytest.mark.parametrize("body", [{"contents": []}, {}, {"contents": None}], ids=["empty", "missing", "null"])
async def test_g010_no_contents(http: ClientSession, body: object) -> None:
    status, answer, _ = await generate(http, body)
    assert status == 400
    assert "contents" in answer["error"]["message"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("temperature", value) for value in (-0.1, 2.1)),
        *(("topP", value) for value in (-0.1, 1.1)),
        *(("topK", value) for value in (0, 1.5)),
        *(("candidateCount", value) for value in (0, 9)),
        *(("maxOutputTokens", value) for value in (0, -1)),
        *(("presencePenalty", value) for value in (-2.1, 2.1)),
        *(("frequencyPenalty", value) for value in (-2.1, 2.1)),
        *(("seed", value) for value in (2**31, -(2**31) - 1)),
        ("stopSequences", ["a"] * 6),
        ("stopSequences", [""]),
    ],
)
async def test_g011_out_of_range(http: ClientSession, field: str, value: object) -> None:
    status, body, _ = await generate(http, {"contents": HELLO, "generationConfig": {field: value}})
    assert status == 400
    (details,) = body["error"]["details"]  # type: ignore[index]
    assert details["@type"].endswith("google.rpc.BadRequest")
    assert details["fieldViolations"][0]["field"].startswith(f"generationConfig.{field}")


async def test_g011_zeros_that_are_values(http: ClientSession) -> None:
    zeros: dict[str, object] = {"temperature": 0, "topP": 0, "presencePenalty": 0, "frequencyPenalty": 0, "seed": 0}
    config = {**zeros, **SHORT}
    status, _, _ = await generate(http, {"contents": HELLO, "generationConfig": config})
    assert status == 200


@pytest.mark.parametrize("count", [2, 5])
async def test_g012_as_many_candidates_as_asked_for(http: ClientSession, count: int) -> None:
    body = {"contents": HELLO, "generationConfig": {"candidateCount": count, "temperature": 1, **SHORT}}
    answers = [(await generate(http, body))[1] for _ in range(2)]
    assert [one["index"] for one in answers[0]["candidates"]] == list(range(count))  # type: ignore[attr-defined]
    assert answers[0]["candidates"] == answers[1]["candidates"]


@pytest.mark.parametrize("count", [2, 5])
async def test_g012_as_many_are_streamed(http: ClientSession, count: int) -> None:
    config = {"candidateCount": count, "temperature": 1, "maxOutputTokens": 12}
    body = {"contents": HELLO, "generationConfig": config}
    _, whole, _ = await generate(http, body)
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    async with http.post(path, json=body, headers=GEMINI) as answer:
        frames = (await answer.read()).strip().split(b"\r\n\r\n")
    chunks = [orjson.loads(frame.removeprefix(b"data: ")) for frame in frames]
    texts, reasons = [""] * count, [""] * count
    for candidate in (one for chunk in chunks for one in chunk["candidates"]):
        place = candidate.get("index", 0)
        texts[place] += "".join(part["text"] for part in candidate["content"].get("parts", ()))
        reasons[place] = candidate.get("finishReason", "")
    candidates: list[Any] = whole["candidates"]  # type: ignore[assignment]
    assert texts == [one["content"]["parts"][0]["text"] for one in candidates]
    assert reasons == [one["finishReason"] for one in candidates]
    assert chunks[-1]["usageMetadata"] == whole["usageMetadata"]


async def test_g013_the_stop_text_is_not_in_the_answer(http: ClientSession) -> None:
    config: dict[str, object] = {"temperature": 0, "maxOutputTokens": 12}
    whole = text_of((await generate(http, {"contents": HELLO, "generationConfig": config}))[1])
    stop = whole[len(whole) // 2 :][:3]
    config["stopSequences"] = [stop]
    _, cut, _ = await generate(http, {"contents": HELLO, "generationConfig": config})
    assert text_of(cut) == whole[: whole.index(stop)]
    assert cut["candidates"][0]["finishReason"] == "STOP"  # type: ignore[index]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"logprobs": 0}, "response_logprobs is true"),
        ({"responseModalities": ["AUDIO"]}, "AUDIO"),
        ({"speechConfig": {"voiceConfig": {}, "multiSpeakerVoiceConfig": {}}}, "mutually exclusive"),
        ({"responseMimeType": "text/plain", "responseSchema": {"type": "STRING"}}, ""),
        ({"responseSchema": {"type": "STRING"}, "responseJsonSchema": {"type": "string"}}, ""),
        ({"responseMimeType": "application/xml"}, "text/x.enum"),
    ],
)
async def test_g014_g015_contradictions(http: ClientSession, config: object, message: str) -> None:
    status, body, _ = await generate(http, {"contents": HELLO, "generationConfig": config})
    assert status == 400
    assert message in body["error"]["message"]  # type: ignore[index]


async def test_g018_fields_without_effect(http: ClientSession) -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    config = {**SHORT, "mediaResolution": "MEDIA_RESOLUTION_LOW"}
    more = {"labels": {"a": "b"}, "serviceTier": "flex", "store": False}
    plain = await generate(http, {"contents": HELLO, "generationConfig": config, **more})
    rated = await generate(http, {"contents": HELLO, "generationConfig": config, "safetySettings": safety, **more})
    assert (plain[0], rated[0]) == (200, 200)
    assert "safetyRatings" not in plain[1]["candidates"][0]  # type: ignore[index]
    assert rated[1]["candidates"][0]["safetyRatings"] == [  # type: ignore[index]
        {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}
    ]


@pytest.mark.parametrize("more", [{"labels": {"a": 1}}, {"serviceTier": "fast"}, {"store": "perhaps"}])
async def test_g018_they_are_checked(http: ClientSession, more: dict[str, object]) -> None:
    status, _, _ = await generate(http, {"contents": HELLO, **more})
    assert status == 400


@pytest.mark.parametrize(
    "model",
    ["publishers/google/models/x", "google/x", "meta/x", "2171259487439028224", "text-embedding-004"],
)
async def test_g019_no_models_of_this_server(http: ClientSession, model: str) -> None:
    status, body, _ = await generate(http, {"contents": HELLO}, model=model)
    assert status == 404
    assert body["error"] == {
        "code": 404,
        "message": (
            f"models/{model} is not found for API version v1beta, or is not supported for generateContent. Call"
            " ListModels to see the list of available models and their supported methods."
        ),
        "status": "NOT_FOUND",
    }


# Errors and headers


async def test_g051_errors_are_indented_and_end_with_a_line(http: ClientSession) -> None:
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json={}, headers=GEMINI) as answer:
        raw = await answer.read()
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert raw.startswith(b'{\n  "error": {\n    "code": 400,')
    assert raw.endswith(b"}\n")


@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent?alt=sse", "countTokens"])
async def test_g051_bodies_that_are_no_json(http: ClientSession, action: str) -> None:
    headers = {**GEMINI, "Content-Type": "application/json"}
    async with http.post(f"/v1beta/models/{MODEL}:{action}", data=b"{", headers=headers) as answer:
        raw = (await answer.read()).decode().removeprefix("data: ")
        assert answer.status == 400
        assert orjson.loads(raw)["error"]["status"] == "INVALID_ARGUMENT"


async def test_g034_frames_hold_nothing_but_data(http: ClientSession) -> None:
    body = {"contents": HELLO, "generationConfig": {"maxOutputTokens": 12}}
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    async with http.post(path, json=body, headers=GEMINI) as answer:
        frames = (await answer.read()).split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
    last = orjson.loads(frames[-1].removeprefix(b"data: "))
    assert last["candidates"][0]["finishReason"] in {"STOP", "MAX_TOKENS"}
    assert last["candidates"][0]["content"]["parts"][0]["text"]
    assert last["usageMetadata"]["totalTokenCount"] > 0
