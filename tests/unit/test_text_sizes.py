"""How many tokens texts have by themselves: asked of each kind of engine, estimated where none can tell."""

import pytest

from localaik.engine.sources import create_engine
from localaik.generation.run import Pipeline, TextSizes
from localaik.settings import Settings
from tests.fake_engine import Kind, ScriptedEngine
from tests.memory_engine import Loader

TEXTS = ["one two three", "", "four"]
ESTIMATED = TextSizes([3, 0, 1], estimated=True)


async def sizes(url: str, *texts: str) -> TextSizes:
    settings = Settings(upstream=url)
    engine, _ = create_engine(settings)
    await engine.start()
    try:
        return await Pipeline(engine, settings, Loader()).sizes(texts)
    finally:
        await engine.close()


@pytest.mark.parametrize("kind", ["llamacpp", "vllm"])
async def test_w19_tokenizers_are_asked_for_plain_text(kind: Kind) -> None:
    async with ScriptedEngine(kind=kind) as engine:
        counted = await sizes(engine.url, *TEXTS)
        one = await sizes(engine.url, TEXTS[0])
        asked = [request.body for request in engine.requests if request.path == "/tokenize"]
    bodies = [body for body in asked if "messages" not in body]  # vLLM is asked by messages whether it sees
    assert not counted.estimated
    assert counted.tokens[1] == 0
    assert one.tokens == counted.tokens[:1]
    assert counted.tokens[0] > counted.tokens[2] > 0
    for body in bodies:
        if kind == "llamacpp":
            assert (body["add_special"], body["parse_special"]) == (False, False)
        else:
            assert body["add_special_tokens"] is False
    if kind == "llamacpp":
        assert len(bodies) == 2  # one question, however many texts
        assert bodies[1]["content"] == TEXTS[0]


@pytest.mark.parametrize("kind", ["plain", "ollama"])
async def test_w19_without_a_tokenizer_sizes_are_estimated(kind: Kind) -> None:
    async with ScriptedEngine(kind=kind) as engine:
        assert await sizes(engine.url, *TEXTS) == ESTIMATED


async def test_w19_without_an_engine_sizes_are_estimated() -> None:
    async with ScriptedEngine() as engine:
        url = engine.url
    assert await sizes(url, *TEXTS) == ESTIMATED
    assert await sizes(url, "", "") == TextSizes([0, 0])
