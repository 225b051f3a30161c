"""The pipeline on an engine that is a script in memory."""

import asyncio
from contextlib import aclosing

import pytest

from localaik.content import Attachment, Image, Text
from localaik.engine.calls import ChatTurn, EngineCall, EngineChunk, EngineImage, EngineNews, EngineUsage
from localaik.engine.capabilities import UNKNOWN, Capabilities
from localaik.errors import BadRequest, EngineUnreachable, TimedOut
from localaik.generation.events import Finished, GenerationEvent, Started, TextDelta, Usage, UsageReported
from localaik.generation.fold import fold
from localaik.generation.request import EnumText, GenerationRequest, Message, Sampling
from localaik.settings import Settings
from tests.memory_engine import VISION, ask, collect, pipeline, saying


async def test_the_events_of_one_choice_in_order() -> None:
    pipe, _ = pipeline()
    assert await collect(pipe.run(ask())) == [
        Started(0, 5),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("stop"),
        UsageReported(Usage(5, 2)),
    ]


@pytest.mark.parametrize(
    ("seed", "sent"), [(None, 42), (7, 7), (-1, 4_294_967_294), (4_294_967_295, 0), (2**63, 2**63 % 4_294_967_295)]
)
async def test_b040_seeds_are_fixed_and_reduced(seed: int | None, sent: int) -> None:
    pipe, engine = pipeline()
    await collect(pipe.run(ask(seed=seed)))
    assert engine.calls[0].seed == sent


async def test_only_given_sampling_values_are_sent_and_zero_is_one() -> None:
    pipe, engine = pipeline()
    await collect(pipe.run(ask(sampling=Sampling(temperature=0.0, top_k=3))))
    assert engine.calls[0].sampling == {"temperature": 0.0, "top_k": 3}


async def test_empty_stop_strings_are_dropped() -> None:
    pipe, engine = pipeline()
    await collect(pipe.run(ask(stop=("", "x"))))
    assert list(engine.calls[0].stop) == ["x"]


async def test_stop_strings_are_cut_here_for_engines_that_can_not_be_trusted_with_them() -> None:
    pipe, _ = pipeline(capabilities=UNKNOWN)
    generation = await fold(pipe.run(ask(stop=("lo",))))
    assert (generation.choices[0].text, generation.choices[0].finish_reason) == ("Hel", "stop")
    assert generation.usage == Usage(2, 2)


async def test_choices_have_their_own_seeds_and_share_the_prompt() -> None:
    pipe, engine = pipeline(lambda call: [[str(call.seed)], [EngineChunk(finish="stop", usage=EngineUsage(9, 1))]])
    generation = await fold(pipe.run(ask(n=5, seed=10)))
    assert [(choice.index, choice.text) for choice in generation.choices] == [(i, str(10 + i)) for i in range(5)]
    assert generation.usage == Usage(9, 5)
    assert engine.open_streams == 0


async def test_a_slow_reader_of_several_choices_gets_the_counts_last() -> None:
    pipe, _ = pipeline(lambda call: [["a"], ["b"], [EngineChunk(finish="stop", usage=EngineUsage(9, 2))]])
    events: list[GenerationEvent] = []
    async for batch in pipe.run(ask(n=3)):
        for _ in range(20):  # everything is generated before the next batch is read
            await asyncio.sleep(0)
        events += batch
    assert [isinstance(event, UsageReported) for event in events].index(True) == len(events) - 1
    assert events[-1] == UsageReported(Usage(9, 6))


async def test_a_fault_of_one_choice_is_the_fault_of_the_request_and_frees_the_others() -> None:
    def news(call: EngineCall) -> list[list[EngineNews]]:
        if call.seed == 11:
            raise EngineUnreachable("gone")
        return [["a"]] * 100

    pipe, engine = pipeline(news)
    with pytest.raises(EngineUnreachable):
        await collect(pipe.run(ask(n=3, seed=10)))
    assert engine.open_streams == 0


@pytest.mark.parametrize("n", [1, 3])
async def test_b137_closing_the_events_frees_the_engine(n: int) -> None:
    pipe, engine = pipeline()
    engine.block.clear()
    async with aclosing(pipe.run(ask(n=n))) as batches:
        await anext(batches)
        assert engine.open_streams >= 1
    assert engine.open_streams == 0


@pytest.mark.parametrize("limit", ["request", "server"])
async def test_b138_a_time_limit_ends_the_request(limit: str) -> None:
    settings = Settings(request_timeout_seconds=0.01 if limit == "server" else 0)
    pipe, engine = pipeline(settings=settings)
    engine.block.clear()
    with pytest.raises(TimedOut):
        await collect(pipe.run(ask(time_limit=0.01 if limit == "request" else None)))
    assert engine.open_streams == 0


async def test_attachments_become_pages_in_their_place_and_are_counted() -> None:
    pipe, engine = pipeline(capabilities=VISION)
    request = GenerationRequest("m", [Message("user", [Text("a"), Attachment("f"), Image("image/png", "QQ==")])])
    events = await collect(pipe.run(request))
    page = EngineImage("data:image/png;base64,QQ==")
    assert list(engine.calls[0].turns) == [ChatTurn("user", ["a", page, page, "f", page])]
    # The script's prompt has 5 tokens, 2 of them text; two of the three images are pages.
    assert events[0] == Started(0, 5, image_tokens=1, document_tokens=2)
    assert events[-1] == UsageReported(Usage(5, 2, image_tokens=1, document_tokens=2))
    assert await pipe.count_tokens(request) == Usage(32, 0, image_tokens=10, document_tokens=20)


async def test_documents_are_text_for_a_model_that_does_not_see() -> None:
    pipe, engine = pipeline()
    await collect(pipe.run(GenerationRequest("m", [Message("user", [Attachment("f")])])))
    assert list(engine.calls[0].turns) == [ChatTurn("user", "text of f")]


async def test_images_need_a_model_that_sees() -> None:
    pipe, engine = pipeline()
    with pytest.raises(BadRequest, match="no images"):
        await collect(pipe.run(GenerationRequest("m", [Message("user", [Image("image/png", "QQ==")])])))
    assert engine.calls == []


async def test_an_output_format_becomes_a_grammar() -> None:
    pipe, engine = pipeline(saying("red"))
    await collect(pipe.run(ask(output=EnumText(("red", "blue")))))
    grammar = engine.calls[0].grammar
    assert grammar is not None
    assert '"red"' in grammar


async def test_a_raw_prompt_goes_to_the_engine_as_it_is() -> None:
    pipe, engine = pipeline()
    await collect(pipe.run(GenerationRequest("m", prompt="<start_of_turn>x")))
    assert (engine.calls[0].prompt, list(engine.calls[0].turns)) == ("<start_of_turn>x", [])


async def test_the_media_marker_of_the_running_engine_is_neutralised() -> None:
    pipe, engine = pipeline(capabilities=Capabilities(kind="llamacpp", media_marker="<__media_1__>"))
    await collect(pipe.run(ask("<__media_1__>")))
    engine.capabilities = Capabilities(kind="llamacpp", media_marker="<__media_2__>")
    await collect(pipe.run(ask("<__media_2__>")))
    assert [call.turns[0].content for call in engine.calls] == ["<\u200b__media_1__>", "<\u200b__media_2__>"]
