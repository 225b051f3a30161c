"""From the wire to the neutral request: conversation, media, requests to count, and whatever else comes."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localaik.content import Attachment, Text
from localaik.errors import BadRequest, Forbidden, LocalaikError
from localaik.generation.request import Message
from localaik.protocols.gemini.decode import Decoded, decode, decode_count
from localaik.protocols.gemini.proto3 import Message as WireMessage
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.types import CountTokensRequest, GenerateContentRequest

CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]


def decode_body(body: dict[str, object], model: str = "m", **limits: int) -> Decoded:
    return decode(read(GenerateContentRequest, body, strict=True, ignored=[]), model, **limits)


def messages(*contents: object, **rest: object) -> list[Message]:
    return decode_body({"contents": list(contents), **rest}).generation.messages


def parts(*given: object) -> list[object]:
    (message,) = messages({"parts": list(given)})
    return list(message.parts)


def refusal(**body: object) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        decode_body({"contents": CONTENTS, **body})
    return raised.value


# Conversation


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (None, "user"),
        ("user", "user"),
        ("USER", "user"),
        ("function", "user"),
        ("tool", "user"),
        ("model", "assistant"),
        ("Assistant", "assistant"),
    ],
)
def test_b024_roles(role: str | None, expected: str) -> None:
    assert messages({"role": role, "parts": [{"text": "a"}]}) == [Message(expected, [Text("a")])]  # type: ignore[arg-type]


def test_b024_another_role_is_refused() -> None:
    error = refusal(contents=[{"role": "system", "parts": [{"text": "a"}]}])
    assert (error.message, error.field) == ("Please use a valid role: user, model.", "contents[0].role")


def test_b026_adjacent_texts_are_joined_by_nothing_and_media_keep_their_place() -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    assert parts({"text": "a"}, {"text": ""}, {"text": "b"}, image, {"text": "c"}, {}, {"text": "d"}) == [
        Text("ab"),
        Attachment("contents[0].parts[3].inlineData", base64="aGk=", mime="image/png"),
        Text("cd"),
    ]


@pytest.mark.parametrize("contents", [None, [], [{}], [{"parts": []}], [{"parts": [{}]}], [{"role": "user"}]])
def test_g010_contents_without_a_usable_part_are_refused(contents: object) -> None:
    error = refusal(contents=contents, systemInstruction="s")
    assert error.message == "* GenerateContentRequest.contents: contents is not specified"
    assert error.field == "contents"


def test_g010_an_empty_text_is_a_usable_part() -> None:
    assert messages({"parts": [{"text": ""}]}) == [Message("user", [])]


def test_g010_b027_the_chunks_in_a_streamed_history_are_one_turn() -> None:
    history = messages(*({"role": "model", "parts": [{"text": piece}]} for piece in "abc"), {"parts": [{"text": "d"}]})
    assert history == [Message("assistant", [Text("abc")]), Message("user", [Text("d")])]


def test_b025_the_system_instruction_is_one_message_whatever_its_role() -> None:
    system = {"role": "user", "parts": [{"text": "Be "}, {"text": "brief."}]}
    assert messages(*CONTENTS, systemInstruction=system)[0] == Message("system", [Text("Be brief.")])
    assert messages(*CONTENTS, systemInstruction="s")[0] == Message("system", [Text("s")])
    assert [message.role for message in messages(*CONTENTS, systemInstruction={"parts": [{"text": ""}]})] == ["user"]


def test_b025_media_in_the_system_instruction_are_refused() -> None:
    error = refusal(systemInstruction={"parts": [{"text": "a"}, {"inlineData": {"data": "YQ=="}}]})
    assert error.field == "systemInstruction.parts[1].inlineData"


def test_b028_thoughts_are_not_shown() -> None:
    assert parts({"text": "secret", "thought": True}, {"text": "a", "thoughtSignature": "c2ln"}) == [Text("a")]
    with pytest.raises(BadRequest, match="contents is not specified"):
        parts({"text": "secret", "thought": True})


def test_b029_a_part_has_one_data_field() -> None:
    error = refusal(contents=[{"parts": [{"text": "a", "inlineData": {"data": "YQ=="}}]}])
    assert error.field == "contents[0].parts[0]"
    assert "only one of text and inlineData" in error.message


def test_b034_history_of_server_tools_is_text() -> None:
    assert parts(
        {"text": "before"},
        {"executableCode": {"language": "python", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": 1, "output": "1\n"}},
        {"toolCall": {"toolType": "FILE_SEARCH", "args": {"a": [1]}}},
        {"toolResponse": {"toolType": "FILE_SEARCH"}},
        {"text": "after"},
    ) == [
        Text(
            "before\n"
            "Executable code (PYTHON):\nprint(1)\n"
            "Code execution result (OUTCOME_OK): 1\n\n"
            'Tool call FILE_SEARCH: {"a":[1]}\n'
            "Tool response FILE_SEARCH: {}\n"
            "after"
        )
    ]


def test_audio_transcriptions_are_text() -> None:
    assert parts({"audioTranscription": {"text": "said"}}) == [Text("said")]


def test_the_number_of_turns_has_a_limit() -> None:
    with pytest.raises(BadRequest, match=r"has 3 contents, 2 are allowed \(LOCALAIK_MAX_MESSAGES\)"):
        decode_body({"contents": CONTENTS * 3}, max_messages=2)
    assert len(decode_body({"contents": CONTENTS * 3}, max_messages=3).generation.messages) == 3


# Media


def test_inline_data_is_handed_on_as_it_is() -> None:
    assert parts({"inlineData": {"data": "-__-", "mime_type": "image/PNG; a=b", "displayName": "n"}}) == [
        Attachment("contents[0].parts[0].inlineData", base64="-__-", mime="image/PNG; a=b", name="n")
    ]


@pytest.mark.parametrize("blob", [{}, {"data": None}, {"data": "", "mimeType": "image/png"}])
def test_g016_inline_data_without_data_is_refused(blob: object) -> None:
    assert refusal(contents=[{"parts": [{"inlineData": blob}]}]).field == "contents[0].parts[0].inlineData.data"


@pytest.mark.parametrize(
    "uri", ["https://h/a.png", "data:image/png;base64,YQ==", "gs://b/o", "https://h/docs/files/abc"]
)
def test_other_uris_are_left_to_the_loader(uri: str) -> None:
    assert parts({"fileData": {"fileUri": uri, "mimeType": "image/png"}}) == [
        Attachment("contents[0].parts[0].fileData", uri=uri, mime="image/png")
    ]


@pytest.mark.parametrize(
    "uri",
    [
        "files/abc",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "http://127.0.0.1:8090/files/abc",
        "http://h/prefix/v1/files/abc",
    ],
)
def test_g045_stored_files(uri: str) -> None:
    named = {"fileUri": uri, "mimeType": "text/plain", "displayName": "a.txt"}
    assert parts({"fileData": named}) == [
        Attachment("contents[0].parts[0].fileData", stored="abc", mime="text/plain", name="a.txt")
    ]


@pytest.mark.parametrize("uri", ["https://www.youtube.com/watch?v=x", "https://youtu.be/x", None, ""])
def test_videos_and_missing_uris_are_refused(uri: object) -> None:
    assert refusal(contents=[{"parts": [{"fileData": {"fileUri": uri}}]}]).field == (
        "contents[0].parts[0].fileData.fileUri"
    )


@pytest.mark.parametrize(
    ("of_request", "of_part", "low"),
    [
        (None, None, False),
        ("MEDIA_RESOLUTION_LOW", None, True),
        ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH", False),
        ("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_UNSPECIFIED", True),
        ("MEDIA_RESOLUTION_HIGH", "media_resolution_low", True),
    ],
)
def test_b120_media_resolution_of_the_request_and_of_the_part(of_request: str, of_part: str, low: bool) -> None:
    part: dict[str, object] = {"inlineData": {"data": "YQ=="}}
    if of_part:
        part["mediaResolution"] = {"level": of_part}
    decoded = decode_body({"contents": [{"parts": [part]}], "generationConfig": {"mediaResolution": of_request}})
    (attachment,) = decoded.generation.messages[0].parts
    assert isinstance(attachment, Attachment)
    assert attachment.low_detail is low


# countTokens


def count(body: dict[str, object]) -> Decoded:
    return decode_count(read(CountTokensRequest, body, strict=True, ignored=[]), "m")


def test_g038_both_forms_decode_to_the_same_messages() -> None:
    whole = count({"generateContentRequest": {"model": "models/x", "contents": CONTENTS}})
    assert whole.generation == count({"contents": CONTENTS}).generation


def test_g038_a_whole_request_may_have_a_system_instruction() -> None:
    decoded = count({"generate_content_request": {"contents": CONTENTS, "system_instruction": "s"}})
    assert [message.role for message in decoded.generation.messages] == ["system", "user"]


@pytest.mark.parametrize("body", [{}, {"contents": CONTENTS, "generateContentRequest": {"contents": CONTENTS}}])
def test_g038_both_forms_or_none_are_refused(body: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="exactly one of contents and generateContentRequest"):
        count(body)


def test_faults_in_a_whole_request_have_the_whole_path() -> None:
    with pytest.raises(BadRequest) as raised:
        count({"generateContentRequest": {"contents": [{"role": "x"}], "generationConfig": {"stopSequences": [""]}}})
    assert [fault.field for fault in raised.value.faults] == [
        "generateContentRequest.contents[0].role",
        "generateContentRequest.generationConfig.stopSequences[0]",
    ]
    assert "* CountTokensRequest.generate_content_request.generation_config.stop_sequences[0]: " in raised.value.message
    with pytest.raises(BadRequest, match=r"\* CountTokensRequest\.contents: contents is not specified"):
        count({"contents": []})


def test_attachments_in_a_whole_request_have_the_whole_path() -> None:
    body = {"generateContentRequest": {"contents": [{"parts": [{"inlineData": {"data": "YQ=="}}]}]}}
    (attachment,) = count(body).generation.messages[0].parts
    assert isinstance(attachment, Attachment)
    assert attachment.field == "generateContentRequest.contents[0].parts[0].inlineData"


# Whatever comes


NAMES = sorted(
    {
        name
        for message in WireMessage.__subclasses__()
        for snake, field in message.model_fields.items()
        for name in (snake, field.alias or snake)
    }
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["user", "OBJECT", "text/x.enum", "application/json", "files/a", "http://[", "ANY", "1e9"]),
)
TOP = ("systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings", "cachedContent")
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=100)
@given(
    st.one_of(VALUES, st.fixed_dictionaries({"contents": st.just(CONTENTS)}, optional=dict.fromkeys(TOP, VALUES))),
    st.booleans(),
)
def test_g055_any_json_is_a_request_or_a_clear_refusal(body: object, strict: bool) -> None:
    for message in (GenerateContentRequest, CountTokensRequest):
        error = refusal_of(message, copy.deepcopy(body), strict=strict)
        if error is not None:
            assert error.message
            assert not isinstance(error, BadRequest) or len(error.faults) <= 20


def refusal_of(message: type[WireMessage], body: object, *, strict: bool) -> LocalaikError | None:
    try:
        request = read(message, body, strict=strict, ignored=[])
        if isinstance(request, CountTokensRequest):
            decode_count(request, "m")
        elif isinstance(request, GenerateContentRequest):
            decode(request, "m")
    except (BadRequest, Forbidden) as error:
        return error
    return None
