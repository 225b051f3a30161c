"""Chat requests, as what is asked of the model."""

import pytest

from localaik.content import Attachment, Part, Text
from localaik.errors import BadRequest
from localaik.generation.request import AnyJson, GenerationRequest, JsonMatching, Message, Sampling, Thinking
from localaik.protocols.openai.decode import Answering, Decoded, decode_chat
from localaik.protocols.openai.reading import read
from localaik.protocols.openai.types import ChatRequest

MESSAGES: list[object] = [{"role": "user", "content": "Hi"}]
SCHEMA: dict[str, object] = {"type": "object", "properties": {"a": {"type": "integer"}}}


def decode(*, strict: bool = False, **body: object) -> Decoded:
    body.setdefault("messages", MESSAGES)
    return decode_chat(read(ChatRequest, body), default_model="tiny", max_messages=8, max_tools=8, strict=strict)


def refusal(*, strict: bool = False, **body: object) -> tuple[str | None, str | None]:
    with pytest.raises(BadRequest) as refused:
        decode(strict=strict, **body)
    return refused.value.reason, refused.value.field


def parts(*content: object, role: str = "user", **more: object) -> list[Part]:
    decoded = decode(messages=[{"role": role, "content": list(content), **more}])
    return decoded.generation.messages[0].parts


def text(value: str) -> dict[str, object]:
    return {"type": "text", "text": value}


def image(url: str, **more: object) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields: object) -> dict[str, object]:
    return {"type": "file", "file": fields}


def test_the_least_request() -> None:
    decoded = decode()
    assert decoded.generation == GenerationRequest("tiny", [Message("user", [Text("Hi")])])
    assert decoded.answering == Answering("tiny")
    assert (decoded.stream, decoded.ignored) == (False, [])


def test_all_that_is_honoured() -> None:
    decoded = decode(
        model="org/model:4b",
        stream=True,
        stream_options={"include_usage": True},
        temperature=0,
        top_p=0.5,
        frequency_penalty=-2,
        presence_penalty=2,
        max_completion_tokens=7,
        max_tokens=9,
        n=3,
        stop=["a", "", "b"],
        seed=-5,
        logit_bias={"7": -100, "8": 1.5},
        logprobs=True,
        top_logprobs=2,
    )
    assert decoded.generation == GenerationRequest(
        "org/model:4b",
        [Message("user", [Text("Hi")])],
        sampling=Sampling(temperature=0, top_p=0.5, presence_penalty=2, frequency_penalty=-2),
        max_tokens=7,
        stop=("a", "b"),
        seed=-5,
        n=3,
        logprobs=2,
        logit_bias={7: -100, 8: 1.5},
    )
    assert decoded.answering == Answering("org/model:4b", 2, include_usage=True)
    assert decoded.stream
    assert decoded.ignored == []


@pytest.mark.parametrize(("stop", "expected"), [("x", ("x",)), ("", ()), ([], ()), (None, ()), (["x"], ("x",))])
def test_stop_strings(stop: object, expected: tuple[str, ...]) -> None:
    assert decode(stop=stop).generation.stop == expected


def test_a_limit_beyond_any_context_fits_the_engine() -> None:
    assert decode(max_tokens=2**62).generation.max_tokens == 2**31 - 1


@pytest.mark.parametrize("key", ["x", "-1", "1.0", "²", "99999999999", ""])
def test_biases_of_what_is_no_token_have_no_effect(key: str) -> None:
    decoded = decode(logit_bias={key: 1, "3": 2})
    assert decoded.generation.logit_bias == {3: 2}
    assert decoded.ignored == [f"logit_bias.{key}"]


def test_log_probabilities_without_alternatives() -> None:
    assert decode(logprobs=True).generation.logprobs == 0
    assert decode(logprobs=False).generation.logprobs is None
    assert refusal(top_logprobs=3) == ("invalid_value", "top_logprobs")
    assert refusal(logprobs=False, top_logprobs=3) == ("invalid_value", "top_logprobs")


def test_b066_unknown_fields_travel_on_unchanged() -> None:
    extra = {"top_k": 5, "min_p": 0.1, "grammar": 'root ::= "a"', "chat_template_kwargs": {"a": [1]}}
    decoded = decode(**extra, repeat_penalty=None)
    assert decoded.generation.extra == extra
    assert decoded.ignored == []


def test_fields_that_are_the_servers_own_do_not_travel() -> None:
    decoded = decode(cache_prompt=False, grammar_lazy=True, n_predict=5)
    assert decoded.generation.extra == {}
    assert sorted(decoded.ignored) == ["cache_prompt", "grammar_lazy", "n_predict"]
    assert refusal(json_schema=SCHEMA) == ("unsupported_parameter", "json_schema")


def test_strict_wire_refuses_unknown_fields() -> None:
    assert refusal(strict=True, top_k=5) == ("unknown_parameter", "top_k")
    message = {"role": "user", "content": "a", "mood": "good"}
    assert refusal(strict=True, messages=[message]) == ("unknown_parameter", "messages[0].mood")
    assert decode(messages=[message]).ignored == ["messages[0].mood"]


def test_fields_without_effect_are_named() -> None:
    decoded = decode(metadata={"a": "b"}, user="me", service_tier="auto", reasoning_effort="low", verbosity=None)
    assert decoded.ignored == ["service_tier", "user", "metadata"]
    assert decoded.generation.reasoning_effort == "low"
    assert decode(store=False, parallel_tool_calls=False, modalities=["text"], metadata={}).ignored == []
    fields = ("prediction", "web_search_options", "moderation", "prompt_cache_options", "audio")
    for name in fields:
        assert decode(**{name: {"type": "content"}}).ignored == [name]
        assert refusal(**{name: "x"}) == ("invalid_type", name)


def test_what_is_to_be_stored_is_no_field_of_the_engine() -> None:
    decoded = decode(store=True, metadata={"a": "b"})
    assert (decoded.store, decoded.metadata, decoded.ignored) == (True, {"a": "b"}, [])
    assert decode(store=None).store is False
    assert refusal(store="yes") == ("invalid_type", "store")
    assert refusal(metadata={"a": 1}) == ("invalid_type", "metadata.a")
    assert refusal(metadata={str(number): "" for number in range(17)}) == ("object_above_max_properties", "metadata")
    assert refusal(metadata={"a": "x" * 513}) == ("string_above_max_length", "metadata.a")
    assert refusal(metadata={"x" * 65: "a"})[0] == "string_above_max_length"


def test_w02_who_wants_to_see_thoughts_asks_for_them() -> None:
    decoded = decode(include_thinking=True)
    assert decoded.generation.thinking == Thinking(include=True)
    assert (decoded.answering.include_thinking, decoded.generation.extra, decoded.ignored) == (True, {}, [])
    assert decode(include_thinking=True, reasoning_effort="none").generation.thinking == Thinking(
        include=True, budget=0
    )
    for off in (False, None):
        assert decode(include_thinking=off).generation.thinking is None
    for wrong in ("true", 1, {}):
        assert refusal(include_thinking=wrong) == ("invalid_type", "include_thinking")


def test_audio_is_refused() -> None:
    assert refusal(modalities=["text", "audio"]) == ("unsupported_value", "modalities")
    content = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    assert refusal(messages=[{"role": "user", "content": content}]) == (
        "unsupported_value",
        "messages[0].content[0].type",
    )
    assert decode(audio={"voice": "x"}).ignored == ["audio"]


@pytest.mark.parametrize(
    ("wanted", "output", "name"),
    [
        ({"type": "text"}, None, None),
        ({"type": "json_object"}, AnyJson(object_only=True), None),
        ({"type": "json_schema", "json_schema": {"name": "s"}}, AnyJson(object_only=True), "s"),
        (
            {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": SCHEMA}},
            JsonMatching(SCHEMA, "response_format.json_schema.schema"),
            "s",
        ),
    ],
)
def test_response_formats(wanted: object, output: object, name: str | None) -> None:
    decoded = decode(response_format=wanted)
    assert decoded.generation.output == output
    assert decoded.format_name == name


def test_a_grammar_beside_a_response_format_is_refused() -> None:
    found = refusal(grammar='root ::= "a"', response_format={"type": "json_object"})
    assert found == ("mutually_exclusive_parameters", "grammar")
    assert decode(grammar="x", response_format={"type": "text"}).generation.extra == {"grammar": "x"}


def test_b068_roles_and_names() -> None:
    decoded = decode(
        messages=[
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {"role": "system", "content": [text("Be"), text("kind.")]},
            {"role": "user", "content": "Hi", "name": "Ann"},
            {"role": "assistant", "content": "Hello", "refusal": None, "annotations": [], "reasoning_content": "x"},
        ]
    )
    assert decoded.generation.messages == [
        Message("system", [Text("Be brief.")]),
        Message("system", [Text("Be\nkind.")]),
        Message("user", [Text("Ann: Hi")]),
        Message("assistant", [Text("Hello")]),
    ]
    assert decoded.ignored == []


def test_b068_adjacent_texts_are_joined_by_a_line_feed() -> None:
    url = "data:image/png;base64,QQ=="
    assert parts(text("a"), text("b"), image(url), text("c"), text("d")) == [
        Text("a\nb"),
        Attachment("messages[0].content[2].image_url.url", uri=url, images_only=True),
        Text("c\nd"),
    ]


def test_a_name_stands_before_an_image_too() -> None:
    found = parts(image("http://x/a.png", detail="low"), name="Ann")
    assert found == [
        Text("Ann: "),
        Attachment("messages[0].content[0].image_url.url", uri="http://x/a.png", low_detail=True, images_only=True),
    ]


def test_files_are_attachments_on_lines_of_their_own() -> None:
    found = parts(text("Sum up"), file(file_data="data:text/plain,x", filename="a.txt"), text("now"))
    assert found == [
        Text("Sum up\n"),
        Attachment("messages[0].content[1].file.file_data", uri="data:text/plain,x", name="a.txt"),
        Text("\nnow"),
    ]
    pair = parts(file(file_data="JVBERi0=", filename="a.pdf"), file(file_data="SGk=", filename="b.MD"))
    assert pair == [
        Attachment("messages[0].content[0].file.file_data", base64="JVBERi0=", name="a.pdf"),
        Text("\n"),
        Attachment("messages[0].content[1].file.file_data", base64="SGk=", mime="text/plain", name="b.MD"),
    ]


def test_stored_files() -> None:
    field = "messages[0].content[0].file.file_id"
    assert parts(file(file_id="file-1", filename="a.pdf")) == [Attachment(field, stored="file-1", name="a.pdf")]


def test_files_that_are_not_there() -> None:
    empty = {"role": "user", "content": [file(filename="a.pdf")]}
    assert refusal(messages=[empty]) == ("missing_required_parameter", "messages[0].content[0].file.file_data")


def test_content_of_the_assistant() -> None:
    assert parts({"type": "refusal", "refusal": "No."}, text("Sorry."), role="assistant") == [Text("No.\nSorry.")]
    assert decode(messages=[{"role": "assistant", "content": None, "refusal": "No."}]).generation.messages == [
        Message("assistant", [Text("No.")])
    ]


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_null_content_is_refused(role: str) -> None:
    body = [*MESSAGES, {"role": role, "content": None}]
    assert refusal(messages=body) == ("invalid_value", "messages.[1].content")


def test_too_many_messages() -> None:
    assert refusal(messages=MESSAGES * 9) == ("array_above_max_length", "messages")


def test_unknown_fields_of_parts_are_named() -> None:
    content = [{**text("a"), "cache": 1}, image("data:,", size=4), file(file_data="QQ==", file_id="f", x=1)]
    assert decode(messages=[{"role": "user", "content": content}]).ignored == [
        "messages[0].content[0].cache",
        "messages[0].content[1].image_url.size",
        "messages[0].content[2].file.x",
        "messages[0].content[2].file.file_id",
    ]
    assert decode(response_format={"type": "json_object", "schema": SCHEMA}).ignored == ["response_format.schema"]
