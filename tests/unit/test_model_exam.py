"""The exams of the embedded models: what is asked is what was taught, what is right, and the table of results."""

from random import Random
from typing import Any

import pytest

from localaik.content import Attachment, Image
from localaik.engine.calls import ChatTurn
from localaik.engine.capabilities import Capabilities
from localaik.generation.form import form_of
from localaik.generation.guard import Neutraliser, to_turns
from localaik.generation.request import (
    AnyJson,
    CustomTool,
    EnumText,
    FunctionTool,
    JsonMatching,
    Message,
    MessagePart,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from localaik.generation.thinking import ASK, reminder
from localaik.protocols.gemini.decode import decode as decode_gemini
from localaik.protocols.gemini.types import GenerateContentRequest
from localaik.protocols.openai.decode import decode_chat
from localaik.protocols.openai.types import ChatRequest
from tools.tinymodel.conversation import IMAGE, Conversation, Turn, chat_turns
from tools.tinymodel.exam.answers import Answer, expected_answer, is_right, read_answer, same_functions
from tools.tinymodel.exam.asking import OPENAI_PATH, Question, question_of
from tools.tinymodel.exam.client import in_parallel
from tools.tinymodel.exam.lines import GROUPS, Line
from tools.tinymodel.exam.measures import Embeddings, File, Sameness, Speed
from tools.tinymodel.exam.page import Report, faults, markdown, percent, with_results
from tools.tinymodel.exam.running import Score
from tools.tinymodel.vision.scene import Scene

WEATHER = FunctionTool(
    "get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
DOTTED = FunctionTool("weather.get", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
NOTE = CustomTool("note", "Notes.")
PARIS = ToolCall("", "get_weather", '{"city":"Paris"}')
SUNNY = ToolResult("", "get_weather", '{"sky":"sunny"}')
RED = Scene("plain", "red")
BLUE = Scene("plain", "blue")
TEXT = Scene("text", "black", "white", text="7")
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}

CONVERSATIONS = {
    "text": Conversation((Turn("Hi", "Hello!"),)),
    "nothing": Conversation((Turn("", "Hello!"),)),
    "system and turns": Conversation((Turn("a", "b"), Turn("c\n", "d"), Turn("e", "f")), system="Be kind."),
    "image": Conversation((Turn(f"{IMAGE}What is it?", "red", scenes=(RED,)),)),
    "images": Conversation((Turn(f"1: {IMAGE}\n2: {IMAGE}Same?", "No.", scenes=(RED, BLUE)), Turn("Sure?", "Yes."))),
    "function": Conversation((Turn("Weather in Paris?", calls=(PARIS,)),), tools=(WEATHER,)),
    "one call": Conversation(
        (Turn("x", calls=(PARIS,)),), "Hello.", (WEATHER, NOTE), ToolChoice("required", parallel=False)
    ),
    "free text": Conversation((Turn("note: a", calls=(ToolCall("", "note", "a", custom=True),)),), tools=(NOTE,)),
    "result": Conversation(
        (Turn("Weather?", "One moment.", (PARIS,)), Turn("", "It is sunny.", results=(SUNNY,))), tools=(WEATHER,)
    ),
    "results": Conversation(
        (
            Turn("Weather?", calls=(PARIS, ToolCall("", "other", "{}"), PARIS)),
            Turn("", "Fine.", results=(SUNNY, ToolResult("", "other", "ok"), SUNNY)),
            Turn("Again", calls=(PARIS,)),
        ),
        tools=(WEATHER, FunctionTool("other")),
    ),
    "dotted": Conversation(
        (Turn("x", calls=(ToolCall("", "weather.get", '{"city":"Rome"}'),)),),
        "Be kind.",
        (DOTTED,),
        ToolChoice("required"),
    ),
    "schema": Conversation((Turn("Anna", '{"name":"Anna"}'),), output=JsonMatching(NAMED, "response_format")),
    "object": Conversation((Turn("Anna", '{"name":"Anna"}'),), output=AnyJson(object_only=True)),
    "JSON": Conversation((Turn("one", "1"),), output=AnyJson()),
    "enum": Conversation((Turn("cat", "cat"),), output=EnumText(("cat", "dog"))),
}


def told(question: Question) -> list[ChatTurn]:
    """What the server would send to the engine for a question."""
    if question.path == OPENAI_PATH:
        request = ChatRequest.model_validate(question.body)
        generation = decode_chat(request, default_model="tiny", max_messages=0, max_tools=0, strict=True).generation
    else:
        generation = decode_gemini(GenerateContentRequest.model_validate(question.body), "tiny").generation
    neutraliser = Neutraliser()
    form = form_of(generation, Capabilities(kind="llamacpp"))
    instructions = form.instructions(neutraliser, 8192) if form else ""
    messages = [Message(message.role, [loaded(part) for part in message.parts]) for message in generation.messages]
    return to_turns(messages, neutraliser, instructions=instructions)


def loaded(part: MessagePart) -> MessagePart:
    return Image("image/png", "") if isinstance(part, Attachment) else part


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_server_sends_on_what_was_taught(name: str) -> None:
    conversation = CONVERSATIONS[name]
    assert told(question_of(conversation, Random(1))) == chat_turns(conversation)[:-1]


@pytest.mark.parametrize("choice", [("required", ("get_weather",), False), ("auto", ("get_weather",), True)])
def test_tools_that_may_not_be_called_are_not_told(choice: tuple[Any, tuple[str, ...], bool]) -> None:
    mode, names, parallel = choice
    turns = (Turn("x", calls=(PARIS,)),)
    conversation = Conversation(turns, "", (WEATHER, NOTE), ToolChoice(mode, names, parallel))
    alone = Conversation(turns, "", (WEATHER,), ToolChoice(mode, parallel=parallel))
    assert told(question_of(conversation, Random(1))) == chat_turns(alone)[:-1]


def test_text_behind_results_begins_a_line_of_its_own() -> None:
    """The OpenAI API tells results in messages of their own, so a blank line parts them from the text."""
    turns = (Turn("Weather?", calls=(PARIS,)), Turn("And?", "Sunny.", results=(SUNNY,)))
    last = told(question_of(Conversation(turns, tools=(WEATHER,)), Random(1)))[-1]
    assert str(last.content).endswith("</tool_response>\n\nAnd?")


def test_images_are_png_files() -> None:
    body: Any = question_of(CONVERSATIONS["images"], Random(1)).body
    parts = body["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url", "text"]
    assert all(part["image_url"]["url"].startswith("data:image/png;base64,iVBOR") for part in parts[1::2])
    assert body == question_of(CONVERSATIONS["images"], Random(1)).body


def test_pages_are_one_pdf() -> None:
    conversation = Conversation((Turn(f"{IMAGE}{IMAGE}How many pages?", "2", scenes=(TEXT, TEXT)),))
    body: Any = question_of(conversation, Random(1), documents=True).body
    file, text = body["messages"][0]["content"]
    assert file["file"]["file_data"].startswith("data:application/pdf;base64,JVBERi0")
    assert text == {"type": "text", "text": "How many pages?"}


def test_thoughts_are_asked_for_by_the_gemini_api() -> None:
    asking = Conversation((Turn(f"Hi\n\n{ASK}", "A greeting."),))
    question: Any = question_of(asking, Random(1))
    assert question.about == "thoughts"
    assert question.body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert question.body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True}
    parts = [{"text": "A greeting.", "thought": True}, {"text": "Hello!"}]
    body = {"candidates": [{"content": {"parts": parts}}]}
    assert read_answer(body, asking, question) == expected_answer(asking, question) == Answer(thoughts="A greeting.")

    answering = Conversation((Turn(f"Hi\n\n{reminder('A greeting.')}", "Hello!"),))
    question = question_of(answering, Random(1))
    assert question.about == "answer"
    assert question.body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert is_right(read_answer(body, answering, question), Answer("Hello!"))


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(ValueError, match="get_weather belongs to no call"):
        question_of(Conversation((Turn("", "Fine.", results=(SUNNY,)),)), Random(1))


def test_free_text_is_nothing_for_the_gemini_api() -> None:
    conversation = Conversation((Turn("x", "y"),), tools=(NOTE, DOTTED))
    with pytest.raises(ValueError, match="no tools of free text"):
        question_of(conversation, Random(1))


def chat_body(content: str | None, *calls: tuple[str, str]) -> object:
    made = [{"type": "function", "function": {"name": name, "arguments": text}} for name, text in calls]
    return {"choices": [{"message": {"content": content, "tool_calls": made or None}}]}


@pytest.mark.parametrize(
    ("body", "right", "same"),
    [
        (chat_body(None, ("get_weather", '{ "city": "Paris" }')), True, True),
        (chat_body(None, ("get_weather", '{"city":"Rome"}')), False, True),
        (chat_body(None, ("get_time", '{"city":"Paris"}')), False, False),
        (chat_body(None, *[("get_weather", '{"city":"Paris"}')] * 2), False, False),
        (chat_body("Sure.", ("get_weather", '{"city":"Paris"}')), False, True),
        (chat_body("Paris"), False, False),
    ],
)
def test_calls_are_compared_by_their_values(body: object, right: bool, same: bool) -> None:
    conversation = CONVERSATIONS["function"]
    question = question_of(conversation, Random(1))
    answer, expected = read_answer(body, conversation, question), expected_answer(conversation, question)
    assert (is_right(answer, expected), same_functions(answer, expected)) == (right, same)


def test_texts_are_compared_exactly_and_json_by_its_value() -> None:
    for name, text, right in (
        ("text", "Hello!", True),
        ("text", "Hello! ", False),
        ("schema", '{ "name": "Anna" }', True),
        ("schema", '{"name":"anna"}', False),
        ("schema", '{"name":', False),
    ):
        conversation = CONVERSATIONS[name]
        question = question_of(conversation, Random(1))
        assert (
            is_right(read_answer(chat_body(text), conversation, question), expected_answer(conversation, question))
            == right
        )


def test_calls_of_free_text_and_of_gemini_are_read() -> None:
    conversation = CONVERSATIONS["free text"]
    question = question_of(conversation, Random(1))
    body = {"choices": [{"message": {"tool_calls": [{"type": "custom", "custom": {"name": "note", "input": "a"}}]}}]}
    assert read_answer(body, conversation, question) == expected_answer(conversation, question)

    conversation = CONVERSATIONS["dotted"]
    question = question_of(conversation, Random(1))
    called = {"functionCall": {"name": "weather.get", "args": {"city": "Rome"}}}
    answer = read_answer({"candidates": [{"content": {"parts": [called]}}]}, conversation, question)
    assert answer == expected_answer(conversation, question)
    assert str(answer) == 'weather.get({"city":"Rome"})'


@pytest.mark.parametrize("body", [{"error": {}}, {"choices": []}, [], None])
def test_what_is_no_answer_is_told(body: object) -> None:
    conversation = CONVERSATIONS["text"]
    with pytest.raises((LookupError, TypeError)):
        read_answer(body, conversation, question_of(conversation, Random(1)))


def test_every_line_has_a_name_of_its_own_and_a_description() -> None:
    lines = [line for group in GROUPS for line in group.lines]
    assert len({line.name for line in lines}) == len(lines)
    assert all(line.told and line.lessons and line.count > 0 for line in lines)


async def test_results_keep_the_order_of_the_items() -> None:
    running: set[int] = set()
    most = 0

    async def work(item: int) -> int:
        nonlocal most
        running.add(item)
        most = max(most, len(running))
        running.remove(item)
        return item * 2

    assert await in_parallel(work, range(5), 2) == [0, 2, 4, 6, 8]
    assert most <= 2


LINE = GROUPS[0].lines[0]
FILE = File("tiny.gguf", "gemma3", 1_700_000, 3_400_000, "ab" * 32, is_listed=True)


def test_shares_are_never_rounded_up() -> None:
    assert [percent(*pair) for pair in ((200, 200), (1999, 2000), (1, 3), (0, 0))] == [
        "100 %",
        "99.9 %",
        "33.3 %",
        "0 %",
    ]


def test_a_bar_that_is_missed_is_told() -> None:
    barred = Line("Sums", "1+1", LINE.lessons, 95)
    report = Report([FILE], [Score(barred, 200, 190, 0), Score(barred, 200, 189, 0), Score(LINE, 10, 0, 0)])
    assert faults(report) == ["Sums: 94.5 %, the bar is 95 %"]


def test_properties_that_do_not_hold_are_told() -> None:
    other = File("tiny.gguf", "gemma3", 1, 1, "ab" * 32, is_listed=False)
    vectors = Embeddings(768, 500, 490, is_normalised=False, is_repeatable=False)
    assert len(faults(Report([other], sameness=Sameness(59, 60, 6), embeddings=vectors))) == 5
    vectors = Embeddings(768, 500, 495, is_normalised=True, is_repeatable=True)
    assert faults(Report([FILE], sameness=Sameness(60, 60, 6), embeddings=vectors)) == []


def test_the_table_stands_between_its_marks() -> None:
    vectors = Embeddings(768, 500, 500, is_normalised=True, is_repeatable=True)
    report = Report([FILE], [Score(LINE, 200, 199, 0)], 1.5, (90_000_000, 95_000_000), Speed(3950, 1849))
    report.sameness, report.embeddings = Sameness(60, 60, 6), vectors
    report.samples = [("a|b", "<c>\nd_e*")]
    results = markdown(report)
    assert "| `tiny.gguf` | `gemma3` | 1,700,000 | 3.40 MB | `abababababababab` |" in results
    assert f"| {LINE.name} | {LINE.told} | 99.5 % |" in results
    assert "60 of 60 prompts" in results
    assert "reads 4,000 tokens/s, writes 1,800 tokens/s" in results
    widths = [row.count("|") for table in results.split("\n\n") for row in table.split("\n") if row.startswith("| ---")]
    assert len(widths) == 4
    assert "| a&#124;b | &lt;c&gt;<br>d&#95;e&#42; |" in results
    page = "Before\n\n<!-- exam: begin (written by `make model-eval`) -->\nold\n<!-- exam: end -->\nAfter\n"
    written = with_results(page, results)
    assert written.startswith("Before\n\n<!-- exam: begin")
    assert written.endswith("<!-- exam: end -->\nAfter\n")
    assert "old" not in written
    assert with_results(written, results) == written
    with pytest.raises(ValueError, match="no place"):
        with_results("A page", results)
