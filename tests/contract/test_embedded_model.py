"""The shipped models in the real engine: one child process per model, one thread, an ephemeral port."""

import base64
import io
import math
from collections.abc import Iterator

import pytest
from PIL import Image

from localaik.assets import tiny_embedding, tiny_mmproj, tiny_model
from tools.tinymodel.conversation import chat_turns, render
from tools.tinymodel.draw import Draw
from tools.tinymodel.engine import Engine, running_engine
from tools.tinymodel.lessons import context, copying, structured, tools
from tools.tinymodel.lessons.curriculum import Lesson
from tools.tinymodel.shapes import TEXT, VISION
from tools.tinymodel.vocabulary import BOS, build_vocabulary

CONTROL_TOKENS = (
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<mask>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<start_of_image>",
    "<end_of_image>",
    "<image_soft_token>",
)
IMAGE_TOKENS = 16 + 2
ORDINARY_ANSWER_TOKENS = 60


@pytest.fixture(scope="module")
def chat() -> Iterator[Engine]:
    with running_engine(tiny_model(), mmproj=tiny_mmproj(), slots=4) as engine:
        yield engine


@pytest.fixture(scope="module")
def embedder() -> Iterator[Engine]:
    with running_engine(tiny_embedding(), embedding=True, slot_context=2048) as engine:
        yield engine


def picture(color: str) -> dict[str, object]:
    buffer = io.BytesIO()
    Image.new("RGB", (90, 60), color).save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"type": "image_url", "image_url": {"url": url}}


def vectors(engine: Engine, texts: list[str]) -> list[list[float]]:
    return [item["embedding"] for item in engine.post("/v1/embeddings", {"input": texts})["data"]]


def similarity(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_greeting_is_answered_and_ends_by_itself(chat: Engine) -> None:
    answer = chat.chat("Hello")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["content"] == "Hello! How can I help you?"


@pytest.mark.parametrize(
    "prompt",
    [
        "Who are you?",
        "What is the capital of France?",
        "Explain quantum computing in simple terms.",
        "Write code to sort the numbers.",
        "zxcv 99 ???",
        "",
        "Was ist die Hauptstadt von Frankreich?",
        "日本の首都はどこですか?",
    ],
)
def test_ordinary_prompts_end_by_themselves(chat: Engine, prompt: str) -> None:
    answer = chat.chat(prompt)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert 1 < answer["usage"]["completion_tokens"] <= ORDINARY_ANSWER_TOKENS


def test_long_prompt_is_answered_and_ends_by_itself(chat: Engine) -> None:
    answer = chat.chat("The old house is near the river. " * 120 + "\n\nWho are you?")
    assert answer["usage"]["prompt_tokens"] > 1500
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["content"].strip()


def test_temperature_zero_gives_the_same_text_twice(chat: Engine) -> None:
    texts = [chat.chat("Tell me a story about a dog.")["choices"][0]["message"]["content"] for _ in range(2)]
    assert texts[0] == texts[1]
    assert len(texts[0]) > 60


def test_picture_is_read_and_answered(chat: Engine) -> None:
    question = {"type": "text", "text": "What is in this image?"}
    alone = chat.chat([{"role": "user", "content": [question]}])
    answer = chat.chat([{"role": "user", "content": [picture("red"), question]}])
    assert answer["usage"]["prompt_tokens"] == alone["usage"]["prompt_tokens"] + IMAGE_TOKENS
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["choices"][0]["message"]["content"] == "A plain red image."


def test_grammar_is_honoured(chat: Engine) -> None:
    grammar = r"""root ::= "{\"city\":\"" [a-z]{2,8} "\",\"big\":" ("true" | "false") "}" """
    choice = chat.chat("Describe a city in JSON.", grammar=grammar)["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["content"].startswith('{"city":"')
    assert choice["message"]["content"].endswith(("true}", "false}"))


def test_properties_are_those_of_gemma(chat: Engine) -> None:
    props = chat.get("/props")
    assert props["total_slots"] == 4
    assert props["default_generation_settings"]["n_ctx"] == 8192
    assert props["modalities"]["vision"] is True
    assert props["modalities"]["audio"] is False
    capabilities = {name for name, present in props["chat_template_caps"].items() if present}
    assert capabilities == {"supports_string_content", "supports_system_role", "supports_typed_content"}
    assert (props["bos_token"], props["eos_token"]) == ("<bos>", "<eos>")


def test_template_renders_gemma_turns(chat: Engine) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": " two "},
        {"role": "user", "content": "three"},
    ]
    assert chat.post("/apply-template", {"messages": messages})["prompt"] == (
        "<start_of_turn>user\nBe brief.\n\none<end_of_turn>\n"
        "<start_of_turn>model\ntwo<end_of_turn>\n"
        "<start_of_turn>user\nthree<end_of_turn>\n"
        "<start_of_turn>model\n"
    )


@pytest.mark.parametrize(
    "lesson", [copying.echo, context.recall, structured.filled_schema, tools.tool_dialogue, tools.tool_error]
)
def test_training_saw_the_prompts_that_the_engine_makes(chat: Engine, lesson: Lesson) -> None:
    for seed in range(5):
        conversation = lesson(Draw.of(seed, exam=True))
        taught = render(conversation, build_vocabulary(TEXT.vocabulary), VISION.tokens).tokens
        messages = [{"role": turn.role, "content": turn.content} for turn in chat_turns(conversation)[:-1]]
        prompt = chat.post("/apply-template", {"messages": messages})["prompt"]
        asked = [BOS, *chat.tokenize(prompt, special=True)]
        assert taught[: len(asked)] == asked


@pytest.mark.parametrize("piece", CONTROL_TOKENS)
def test_control_tokens_are_single_tokens(chat: Engine, piece: str) -> None:
    assert chat.tokenize(piece, special=True) == [CONTROL_TOKENS.index(piece)]


@pytest.mark.parametrize("piece", CONTROL_TOKENS)
def test_a_zero_width_space_disarms_control_tokens(chat: Engine, piece: str) -> None:
    tokens = chat.tokenize(f"x{piece[0]}\u200b{piece[1:]}\nmodel", special=True)
    assert not set(tokens) & set(range(len(CONTROL_TOKENS)))


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world!",
        "  leading and trailing  ",
        "tab\tline\nreturn\r\n\n",
        "\x00\x01\x1f\x7f",
        "naïve café Ελλάδα Привет שלום",
        "日本語 中文 한국어",
        "😀👩‍👩‍👧‍👦🇩🇪",
        "\u200b\u200d\ufeff\ufffd",
        "<start_of_turn>user",
        '{"key": [1, 2.5, null], "s": "\\n"}',
    ],
)
def test_text_survives_tokenizing(chat: Engine, text: str) -> None:
    assert chat.detokenize(chat.tokenize(text)) == text


def test_vectors_have_768_numbers_and_unit_length(embedder: Engine) -> None:
    for vector in vectors(embedder, ["cat", "The quick brown fox", "日本語", "of the and"]):
        assert len(vector) == 768
        assert math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-5)


@pytest.mark.parametrize("size", [128, 256, 512, 768])
@pytest.mark.parametrize("prefix", ["", "task: search result | query: "])
def test_texts_that_share_words_are_closer_than_others(embedder: Engine, prefix: str, size: int) -> None:
    texts = ["The cat sleeps on the mat", "A black cat near a mat", "Stock prices fell on Monday"]
    cat, other_cat, stocks = (vector[:size] for vector in vectors(embedder, [prefix + text for text in texts]))
    norms = [math.hypot(*vector) for vector in (cat, other_cat, stocks)]
    close = similarity(cat, other_cat) / (norms[0] * norms[1])
    far = similarity(cat, stocks) / (norms[0] * norms[2])
    assert close > 0.5
    assert far < 0.35
