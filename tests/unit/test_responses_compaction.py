"""Compaction items: what they say, how long they are, and which items they stand for."""

import hmac
from base64 import b64decode, b64encode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localaik.content import Text
from localaik.errors import BadRequest
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.compaction import compact, compacted, digest_of, summary_request, visible
from localaik.protocols.openai.responses.sealed import seal

ROOM = 4000


def user(text: str) -> Object:
    return {
        "id": "msg_u",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": text}],
    }


def assistant(text: str) -> Object:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_a", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


CALL: Object = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city":"Rome"}',
    "status": "completed",
}
RESULT: Object = {"id": "fco_1", "type": "function_call_output", "call_id": "call_1", "output": "18 C"}
TALK = [user("Weather in Rome?"), CALL, RESULT, assistant("It is 18 C."), user("Thanks.")]


def told(item: Object) -> list[str]:
    return digest_of(item, "input[0]").split("\n")[1:]


def test_a_digest_tells_everything_but_the_users_messages() -> None:
    item = compact(TALK, max_chars=ROOM)

    assert item["type"] == "compaction"
    assert str(item["id"]).startswith("cmp_")
    assert told(item) == [
        '- call of get_weather: {"city":"Rome"}',
        "- result of get_weather: 18 C",
        "- assistant: It is 18 C.",
    ]


def test_each_kind_of_item_has_its_line() -> None:
    items: list[Object] = [
        {"type": "message", "role": "developer", "content": "Be brief."},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Rome is in Italy."}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "xyz"},
        {"type": "function_call", "call_id": "c1", "namespace": "crm", "name": "find", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "c1",
            "output": [
                {"type": "input_text", "text": "found"},
                {"type": "input_file", "filename": "a.pdf", "file_id": "file-1"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            ],
        },
        {"type": "custom_tool_call", "call_id": "c2", "name": "code", "input": "ABC-12"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": "rome"}},
        {"type": "compaction_trigger"},
    ]

    lines = "\n".join(told(compact(items, max_chars=ROOM)))

    assert lines == "\n".join(
        [
            "- developer: Be brief.",
            "- thought: Rome is in Italy.",
            "- call of crm.find: {}",
            "- result of crm.find: found\n[file a.pdf]\n[image]",
            "- call of code: ABC-12",
            "- result of code: ok",
            "- assistant: No.",
            '- web_search_call: {"action":{"query":"rome"}}',
        ]
    )


def test_equal_items_give_equal_content() -> None:
    assert compact(TALK, max_chars=ROOM)["encrypted_content"] == compact(TALK, max_chars=ROOM)["encrypted_content"]


def test_an_earlier_compaction_is_taken_up() -> None:
    first = compact(TALK, max_chars=ROOM)

    second = compact([*TALK, first, assistant("You are welcome.")], max_chars=ROOM)
    alone = compact([user("x"), first, assistant("You are welcome.")], max_chars=ROOM)

    assert told(alone) == [*told(first), "- assistant: You are welcome."]
    assert told(second)[-1] == "- assistant: You are welcome."


def test_long_texts_are_clipped_and_short_ones_stay() -> None:
    item = compact([assistant("short"), assistant("a" * 3000 + "z" * 3000)], max_chars=1000)

    lines = told(item)
    assert lines[0] == "- assistant: short"
    assert lines[1].startswith("- assistant: aaa")
    assert lines[1].endswith("zzz")
    assert 900 < len(digest_of(item, "input[0]")) <= 1000


def test_the_oldest_lines_go_where_there_is_no_room_for_all() -> None:
    items = [assistant(f"This is answer number {number}, which says nothing of use.") for number in range(500)]

    item = compact(items, max_chars=1000)
    again = compact([item, *items], max_chars=1000)

    lines = told(item)
    assert len(digest_of(item, "x")) <= 1000
    assert lines[0] == f"- left out: {500 - len(lines) + 1}"
    assert lines[-1].startswith("- assistant: This is answer number 499")
    assert told(again)[0] == f"- left out: {1000 - len(told(again)) + 1}"


@given(
    texts=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300), max_size=60),
    room=st.integers(300, 3000),
)
def test_a_digest_is_never_longer_than_its_room(texts: list[str], room: int) -> None:
    first = compact([assistant(text) for text in texts], max_chars=room)
    second = compact([first, *(assistant(text) for text in texts)], max_chars=room)

    assert len(digest_of(first, "x")) <= room
    assert len(digest_of(second, "x")) <= room


def test_a_summary_takes_the_place_of_what_was_said() -> None:
    assert told(compact(TALK, max_chars=ROOM, summary=" Rome has 18 C. \n")) == ["- summary: Rome has 18 C."]


def test_an_empty_summary_changes_nothing() -> None:
    assert told(compact(TALK, max_chars=ROOM, summary=" \n")) == told(compact(TALK, max_chars=ROOM))


def test_compacted_keeps_the_users_messages_unchanged() -> None:
    item = compact(TALK, max_chars=ROOM)

    assert compacted(TALK, item) == [TALK[0], TALK[4], item]


def test_visible_leaves_out_what_the_last_compaction_stands_for() -> None:
    first, second = compact(TALK, max_chars=ROOM), compact(TALK, max_chars=ROOM)
    after = [assistant("Hello again."), user("Hi.")]

    shown = visible([*TALK, first, assistant("gone"), user("kept"), second, *after])

    assert shown == [TALK[0], TALK[4], user("kept"), second, *after]


def test_visible_ends_with_the_message_that_is_to_be_answered() -> None:
    item = compact(TALK, max_chars=ROOM)

    assert visible([*TALK, item]) == [TALK[0], item, TALK[4]]
    assert visible([TALK[0], CALL, RESULT, item]) == [item, TALK[0]]
    assert visible([assistant("x"), item]) == [item]


def test_visible_keeps_a_call_that_is_answered_later() -> None:
    item = compact([TALK[0], CALL], max_chars=ROOM)

    assert visible([TALK[0], CALL, item, RESULT]) == [TALK[0], CALL, item, RESULT]


def test_visible_without_compaction_is_everything() -> None:
    assert visible(TALK) == TALK


def sealed(digest: bytes) -> str:
    checksum = hmac.digest(b"localaik compaction", b"\x01" + digest, "sha256")
    return b64encode(b"\x01" + checksum + digest).decode()


def damaged() -> str:
    data = bytearray(b64decode(str(compact(TALK, max_chars=ROOM)["encrypted_content"])))
    data[-3] ^= 1
    return b64encode(data).decode()


@pytest.mark.parametrize(
    "content",
    ["", "é", "not base64!", "Z0FBQUFBQg==", damaged(), None, 3, sealed(b"{"), sealed(b"3"), sealed(b'[["a"]]')],
)
def test_a_damaged_or_foreign_item_is_refused(content: object) -> None:
    with pytest.raises(BadRequest) as caught:
        digest_of({"type": "compaction", "encrypted_content": content}, "input[3]")

    assert caught.value.reason == "invalid_value"
    assert caught.value.field == "input[3].encrypted_content"


def test_text_that_utf8_can_not_hold_is_kept_as_well_as_can_be() -> None:
    item = compact([assistant("half \ud83d of it")], max_chars=ROOM)

    assert told(item) == ["- assistant: half ? of it"]
    assert orjson.dumps(item)


def test_the_model_is_asked_with_the_whole_conversation() -> None:
    asked = summary_request(TALK, "gpt-4o", max_chars=ROOM, max_tokens=100)

    part = asked.messages[-1].parts[0]
    assert isinstance(part, Text)
    assert part.text.split("\n") == [
        "- user: Weather in Rome?",
        '- call of get_weather: {"city":"Rome"}',
        "- result of get_weather: 18 C",
        "- assistant: It is 18 C.",
        "- user: Thanks.",
    ]
    assert (asked.model, asked.max_tokens) == ("gpt-4o", 100)


@pytest.mark.parametrize(("content", "told"), [(seal("Rome is old."), "- thought: Rome is old."), ("foreign", "")])
def test_thoughts_that_came_sealed_only(content: str, told: str) -> None:
    item: Object = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": content}
    lines = digest_of(compact([item], max_chars=1000), "input[0]").splitlines()[1:]
    assert lines == ([told] if told else [])
