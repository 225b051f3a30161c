"""From the wire to the neutral request: generation config, output formats, tools, and fields without effect."""

import pytest

from localaik.errors import BadRequest, Forbidden
from localaik.generation.request import AnyJson, EnumText, JsonMatching, Sampling, Thinking
from localaik.protocols.gemini.decode import Decoded, decode
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.types import GenerateContentRequest
from localaik.state.faults import UnknownCache

CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
STRING_ENUM = {"type": "STRING", "enum": ["a", "b"]}


def decode_body(body: dict[str, object]) -> Decoded:
    return decode(read(GenerateContentRequest, body, strict=True, ignored=[]), "m")


def configured(**config: object) -> Decoded:
    return decode_body({"contents": CONTENTS, "generationConfig": config})


def refusal(**body: object) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        decode_body({"contents": CONTENTS, **body})
    return raised.value


# Generation config


def test_b038_sampling_and_limits_are_handed_on() -> None:
    generation = configured(
        temperature=0,
        topP=0.9,
        topK=5.0,
        presencePenalty=0,
        frequencyPenalty=-1,
        seed=-7,
        candidateCount=3,
        maxOutputTokens=10,
        stopSequences=["X", "Y"],
        responseLogprobs=True,
        logprobs=3,
    ).generation
    assert generation.sampling == Sampling(0.0, 0.9, 5, 0.0, -1.0)
    assert (generation.seed, generation.n, generation.max_tokens) == (-7, 3, 10)
    assert (generation.stop, generation.logprobs) == (("X", "Y"), 3)


def test_b040_what_is_not_given_is_left_to_the_engine() -> None:
    generation = configured().generation
    assert generation.sampling == Sampling()
    assert (generation.seed, generation.n, generation.max_tokens, generation.logprobs) == (None, 1, None, None)


@pytest.mark.parametrize(("config", "expected"), [({"responseLogprobs": True}, 0), ({"responseLogprobs": False}, None)])
def test_logprobs_without_a_number(config: dict[str, object], expected: int | None) -> None:
    assert configured(**config).generation.logprobs == expected


@pytest.mark.parametrize("flag", [None, False])
def test_g014_logprobs_need_response_logprobs(flag: object) -> None:
    error = refusal(generationConfig={"logprobs": 0, "responseLogprobs": flag})
    assert "response_logprobs is true" in error.message
    assert error.field == "generationConfig.logprobs"


@pytest.mark.parametrize(
    ("config", "field", "words"),
    [
        ({"stopSequences": list("abcdef")}, "stopSequences", "5 are allowed"),
        ({"stopSequences": ["a", ""]}, "stopSequences[1]", "must not be empty"),
        ({"responseModalities": ["TEXT", "audio"]}, "responseModalities[1]", "AUDIO is not supported"),
        ({"speechConfig": {"voiceConfig": {}, "multi_speaker_voice_config": {}}}, "speechConfig", "mutually exclusive"),
        ({"responseMimeType": "application/xml"}, "responseMimeType", "text/plain, application/json, text/x.enum"),
        ({"responseMimeType": "text/plain", "responseSchema": {}}, "responseSchema", "not text/plain"),
        ({"responseSchema": {}, "responseJsonSchema": {}}, "responseJsonSchema", "only one of"),
        ({"responseJsonSchema": [1]}, "responseJsonSchema", "must be a JSON Schema"),
        ({"responseMimeType": "text/x.enum"}, "responseSchema", "STRING schema"),
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {"type": "ARRAY", "items": STRING_ENUM}},
            "responseSchema",
            "STRING",
        ),
        ({"responseFormat": [{"text": {"schema": {}}}]}, "responseFormat[0]", "only plain text"),
        ({"responseFormat": [{"text": {}}, {"audio": {}}]}, "responseFormat[1]", "only plain text"),
        ({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}, "thinkingConfig", "only one of"),
    ],
)
def test_g015_contradictions_and_what_is_not_supported(config: dict[str, object], field: str, words: str) -> None:
    error = refusal(generationConfig=config)
    assert error.field == f"generationConfig.{field}"
    assert words in error.message


@pytest.mark.parametrize(
    "config", [{"responseFormat": {"text": {"mimeType": "text/plain"}}}, {"responseModalities": []}]
)
def test_forms_that_mean_plain_text(config: dict[str, object]) -> None:
    assert configured(**config).generation.output is None


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({}, None),
        ({"responseMimeType": ""}, None),
        ({"responseMimeType": "text/plain"}, None),
        ({"responseMimeType": "Application/JSON"}, AnyJson()),
        ({"responseSchema": {"type": "STRING"}}, JsonMatching({"type": "string"}, "generationConfig.responseSchema")),
        (
            {"responseMimeType": "application/json", "responseJsonSchema": {"$defs": {"aB": {}}, "const": 1}},
            JsonMatching({"$defs": {"aB": {}}, "const": 1}, "generationConfig.responseJsonSchema"),
        ),
        ({"response_json_schema": True}, JsonMatching(True, "generationConfig.responseJsonSchema")),
        ({"responseMimeType": "text/x.enum", "responseSchema": STRING_ENUM}, EnumText(("a", "b"))),
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {**STRING_ENUM, "nullable": True}},
            EnumText(("a", "b")),
        ),
        ({"responseMimeType": "text/x.enum", "responseJsonSchema": {"enum": ["a"]}}, EnumText(("a",))),
        (
            {"responseMimeType": "application/json", "responseSchema": STRING_ENUM},
            JsonMatching({"type": "string", "enum": ["a", "b"]}, "generationConfig.responseSchema"),
        ),
    ],
)
def test_b041_output_formats(config: dict[str, object], output: object) -> None:
    assert configured(**config).generation.output == output


@pytest.mark.parametrize(
    ("thinking", "shown", "effort"),
    [
        ({}, False, None),
        ({"includeThoughts": True, "thinkingBudget": 128}, True, None),
        ({"thinkingBudget": 0}, False, "none"),
        ({"thinkingLevel": "high"}, False, "high"),
        ({"thinkingBudget": -1}, False, None),
    ],
)
def test_thinking_is_accepted(thinking: dict[str, object], shown: bool, effort: str | None) -> None:
    decoded = configured(thinkingConfig=thinking)
    assert (decoded.answering.include_thoughts, decoded.generation.reasoning_effort) == (shown, effort)


@pytest.mark.parametrize(
    ("config", "thinking", "effort"),
    [
        ({"includeThoughts": True}, Thinking(include=True), None),
        ({"includeThoughts": True, "thinkingBudget": 5}, Thinking(include=True, budget=5), None),
        ({"includeThoughts": True, "thinkingBudget": -1}, Thinking(include=True), None),
        ({"thinkingBudget": 0}, Thinking(budget=0), "none"),
        ({"includeThoughts": True, "thinkingLevel": "low"}, Thinking(include=True, budget=1024), "low"),
        ({"thinkingLevel": "MINIMAL"}, Thinking(budget=0), "none"),
        ({"includeThoughts": True, "thinkingLevel": "XHIGH"}, Thinking(include=True), "xhigh"),
    ],
)
def test_thinking_is_read(config: dict[str, object], thinking: Thinking, effort: str | None) -> None:
    decoded = configured(thinkingConfig=config)
    assert decoded.generation.thinking == thinking
    assert decoded.generation.reasoning_effort == effort
    assert decoded.ignored == []


def test_a_limit_of_thoughts_that_nobody_asked_for_has_no_effect_and_says_so() -> None:
    assert configured(thinkingConfig={"thinkingBudget": 5}).ignored == [
        "generationConfig.thinkingConfig.thinkingBudget"
    ]


# Fields without effect, checked


def test_g018_fields_without_effect_are_accepted_and_named() -> None:
    decoded = decode_body(
        {
            "contents": [{"parts": [{"text": "a", "videoMetadata": {}, "partMetadata": {"a": 1}}]}],
            "labels": {"a": "b"},
            "serviceTier": "STANDARD",
            "store": False,
            "tools": [{"googleSearch": {}}, {"codeExecution": {}}, {}],
            "toolConfig": {"retrievalConfig": {}},
            "generationConfig": {"speechConfig": {"voice_config": {}}, "imageConfig": {}},
        }
    )
    assert sorted(decoded.ignored) == [
        "contents[0].parts[0].partMetadata",
        "contents[0].parts[0].videoMetadata",
        "generationConfig.imageConfig",
        "generationConfig.speechConfig",
        "labels",
        "serviceTier",
        "store",
        "toolConfig.retrievalConfig",
        "tools.codeExecution",
        "tools.googleSearch",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"labels": {"a": 1}}, "labels.a"),
        ({"serviceTier": "gold"}, "serviceTier"),
        ({"store": "no"}, "store"),
        ({"continuationToken": "x"}, "continuationToken"),
        ({"safetySettings": [{"category": "HARM_CATEGORY_NONE"}]}, "safetySettings[0].category"),
        ({"safetySettings": [{"threshold": "OFF"}]}, "safetySettings[0].category"),
        ({"safetySettings": [{"category": 7}, {"category": "HARM_CATEGORY_HARASSMENT"}]}, "safetySettings[1].category"),
        ({"safetySettings": [{"category": 7, "threshold": "SOME"}]}, "safetySettings[0].threshold"),
    ],
)
def test_g018_they_are_checked_all_the_same(body: dict[str, object], field: str) -> None:
    assert refusal(**body).field == field


def test_safety_categories_are_remembered_for_the_answer() -> None:
    settings = [{"category": 8, "threshold": "OFF"}, {"category": "HARM_CATEGORY_JAILBREAK"}]
    decoded = decode_body({"contents": CONTENTS, "safetySettings": settings})
    assert decoded.answering.safety_categories == ("HARM_CATEGORY_HATE_SPEECH", "HARM_CATEGORY_JAILBREAK")


# Tools


FUNCTION = {"functionDeclarations": [{"name": "f"}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"tools": [{"computerUse": {}}]}, "tools[0].computerUse"),
        ({"tools": [{"mcpServers": []}]}, "tools[0].mcpServers"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "toolConfig.functionCallingConfig.mode"),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
    ],
)
def test_tools_that_are_refused(body: dict[str, object], field: str) -> None:
    assert refusal(**body).field == field


@pytest.mark.parametrize("tools", [None, [], [{}], [{"functionDeclarations": []}]])
@pytest.mark.parametrize("mode", [None, "AUTO", "NONE", "VALIDATED"])
def test_tools_that_hold_nothing_have_no_effect(tools: object, mode: str | None) -> None:
    config = {"functionCallingConfig": {"mode": mode}}
    assert decode_body({"contents": CONTENTS, "tools": tools, "toolConfig": config}).ignored == []


def test_g030_server_tools_and_functions_exclude_each_other() -> None:
    tools = [{"googleSearch": {}}, FUNCTION]
    config: dict[str, object] = {"functionCallingConfig": {"mode": "NONE"}}
    assert refusal(tools=tools, toolConfig=config).field == "tools"
    config["includeServerSideToolInvocations"] = True
    assert "tools.googleSearch" in decode_body({"contents": CONTENTS, "tools": tools, "toolConfig": config}).ignored


def test_g030_file_search_finds_no_store() -> None:
    tools = [{"fileSearch": {"file_search_store_names": ["fileSearchStores/s-1"]}}]
    with pytest.raises(Forbidden, match="FileSearchStore s-1 or it may not exist"):
        decode_body({"contents": CONTENTS, "tools": tools})


# Cached contents


def test_g048_a_cached_content_that_does_not_exist() -> None:
    with pytest.raises(UnknownCache, match=r"CachedContent not found \(or permission denied\)"):
        decode_body({"contents": CONTENTS, "cachedContent": "cachedContents/c1"})


def test_g048_names_of_another_form_are_bad_requests() -> None:
    assert refusal(cachedContent="batchPredictionJobs/1").field == "cachedContent"


@pytest.mark.parametrize("field", [{"tools": [{}]}, {"systemInstruction": "s"}, {"toolConfig": {}}])
def test_g020_a_cached_content_excludes_what_it_holds(field: dict[str, object]) -> None:
    error = refusal(cachedContent="cachedContents/c1", **field)
    assert error.message.startswith("CachedContent can not be used with GenerateContent request setting")


def test_faults_come_before_what_is_forbidden() -> None:
    assert refusal(cachedContent="cachedContents/c1", safetySettings=[{}]).field == "safetySettings[0].category"


def test_all_faults_of_a_request_are_told_at_once() -> None:
    error = refusal(contents=[], continuationToken="x", tools=[{"computerUse": {}}])
    assert [fault.field for fault in error.faults] == ["contents", "continuationToken", "tools[0].computerUse"]
    assert error.message.count("\n") == 2
