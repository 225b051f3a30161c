"""The pass in which a model thinks before it answers, and what models that reason are told."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from localaik.engine.calls import EngineCall, EngineChunk, EngineNews, EngineUsage
from localaik.engine.capabilities import LLAMA_CPP, UNKNOWN
from localaik.errors import EngineUnreachable
from localaik.generation.events import Finished, ReasoningDelta, Started, TextDelta, Usage, UsageReported
from localaik.generation.fold import fold
from localaik.generation.request import EnumText, FunctionTool, Thinking, ToolChoice
from localaik.generation.thinking import ASK
from localaik.settings import Settings
from tests.memory_engine import ask, collect, pipeline, saying

SHOWN = Thinking(include=True)
REASONING = replace(LLAMA_CPP, chat_template="{% if enable_thinking %}<think>{% endif %}")


def counted(*answers: tuple[str, int]) -> object:
    """Scripts that tell how many tokens each answer has."""
    left = list(answers)

    def news(call: EngineCall) -> list[list[EngineNews]]:
        text, tokens = left.pop(0)
        done = EngineChunk(finish="stop"), EngineChunk(usage=EngineUsage(50, tokens))
        return [[EngineChunk(prompt_total=50)], *([character] for character in text), list(done)]

    return news


async def plain_prompt_tokens() -> int:
    """Tokens of the conversation as it is without thoughts."""
    pipe, engine = pipeline(saying("Yes"))
    await fold(pipe.run(ask()))
    return await engine.count_tokens(engine.calls[0])


async def test_thoughts_come_first_and_count() -> None:
    pipe, engine = pipeline(counted(("Hm.", 3), ("Yes", 2)))  # type: ignore[arg-type]
    events = await collect(pipe.run(ask(thinking=SHOWN)))
    assert [type(event) for event in events] == [
        Started,
        *([ReasoningDelta] * 3),
        *([TextDelta] * 3),
        Finished,
        UsageReported,
    ]
    usage = events[-1].usage  # type: ignore[union-attr]
    assert usage == Usage(await plain_prompt_tokens(), 5, reasoning_tokens=3)
    assert (engine.calls[0].max_tokens, engine.calls[1].max_tokens) == (256, None)
    asking, answering = (str(call.turns[-1].content) for call in engine.calls)
    assert ASK in asking
    assert ASK not in answering


async def test_the_first_event_tells_the_prompt_without_the_request_to_think() -> None:
    pipe, _ = pipeline(saying("Hm.", "Yes"))
    first, *_ = await collect(pipe.run(ask(thinking=SHOWN)))
    assert first == Started(0, await plain_prompt_tokens())


async def test_a_fault_of_the_engine_comes_before_any_event() -> None:
    def fail(call: EngineCall) -> list[list[EngineNews]]:
        raise EngineUnreachable("gone")

    pipe, _ = pipeline(fail)
    batches = pipe.run(ask(thinking=SHOWN))
    with pytest.raises(EngineUnreachable):
        await anext(batches)


@pytest.mark.parametrize("settings", [Settings(), Settings(model="/models/some.gguf")])
async def test_the_model_sees_what_it_thought(settings: Settings) -> None:
    pipe, engine = pipeline(saying("Hm.", "Yes"), settings=settings)
    await fold(pipe.run(ask(thinking=SHOWN)))
    assert "Hm." in str(engine.calls[1].turns[-1].content)
    assert [turn.role for turn in engine.calls[1].turns] == ["user"]


async def test_thoughts_count_against_the_limit() -> None:
    pipe, engine = pipeline(counted(("Hm.", 3), ("Yes", 2)))  # type: ignore[arg-type]
    await fold(pipe.run(ask(thinking=SHOWN, max_tokens=10)))
    assert (engine.calls[0].max_tokens, engine.calls[1].max_tokens) == (10, 7)
    pipe, engine = pipeline(counted(("Hm.", 3)))  # type: ignore[arg-type]
    choice = (await fold(pipe.run(ask(thinking=SHOWN, max_tokens=3)))).choices[0]
    assert (choice.reasoning, choice.text, choice.finish_reason) == ("Hm.", "", "length")
    assert len(engine.calls) == 1


async def test_nothing_binds_the_pass_and_the_answer_stays_bound() -> None:
    weather = FunctionTool("clock")
    said = saying("Hm.", '<tool_call>{"name":"clock","arguments":{}}</tool_call>')
    pipe, engine = pipeline(said)
    request = ask(thinking=SHOWN, tools=(weather,), tool_choice=ToolChoice("required"), stop=("H",), logprobs=2)
    choice = (await fold(pipe.run(request))).choices[0]
    assert (choice.reasoning, [call.name for call in choice.calls]) == ("Hm.", ["clock"])
    assert (engine.calls[0].grammar, engine.calls[0].logprobs) == (None, None)
    assert engine.calls[1].grammar is not None
    pipe, engine = pipeline(saying("Hm.", "red"), UNKNOWN)
    choice = (await fold(pipe.run(ask(thinking=SHOWN, output=EnumText(("Hm.", "red")))))).choices[0]
    assert (choice.reasoning, choice.text) == ("", "Hm.")


@pytest.mark.parametrize(
    "thinking", [None, Thinking(), Thinking(include=False, budget=100), Thinking(include=True, budget=0)]
)
async def test_no_pass_where_no_thoughts_are_asked_for(thinking: Thinking | None) -> None:
    pipe, engine = pipeline(saying("Yes"))
    assert (await fold(pipe.run(ask(thinking=thinking)))).choices[0].reasoning == ""
    assert len(engine.calls) == 1


async def test_no_pass_where_it_is_switched_off_or_the_model_reasons_itself() -> None:
    pipe, engine = pipeline(saying("Yes"), settings=Settings(thinking_pass=False))
    await fold(pipe.run(ask(thinking=SHOWN)))
    assert len(engine.calls) == 1
    pipe, engine = pipeline(saying("Yes"), REASONING)
    await fold(pipe.run(ask(thinking=SHOWN)))
    assert len(engine.calls) == 1


async def test_the_budget_limits_the_pass() -> None:
    pipe, engine = pipeline(saying("Hm.", "Yes"))
    await fold(pipe.run(ask(thinking=Thinking(include=True, budget=20))))
    assert engine.calls[0].max_tokens == 20


async def test_each_choice_thinks_for_itself() -> None:
    pipe, engine = pipeline(saying("Yes"))
    generation = await fold(pipe.run(ask(thinking=SHOWN, n=2)))
    assert [(choice.reasoning, choice.text) for choice in generation.choices] == [("Yes", "Yes")] * 2
    assert sorted(call.seed for call in engine.calls) == [42, 42, 43, 43]


async def test_a_template_that_knows_thoughts_is_told_to_leave_them_out() -> None:
    pipe, engine = pipeline(saying("Yes"), REASONING)
    await fold(pipe.run(ask(thinking=Thinking(budget=0), extra={"top_k": 3, "chat_template_kwargs": {"a": 1}})))
    assert engine.calls[0].extra == {"top_k": 3, "chat_template_kwargs": {"enable_thinking": False, "a": 1}}
    pipe, engine = pipeline(saying("Yes"), replace(REASONING, template_caps={"supports_reasoning_effort": True}))
    await fold(pipe.run(ask(reasoning_effort="low")))
    assert engine.calls[0].extra == {"chat_template_kwargs": {"reasoning_effort": "low"}}
    pipe, engine = pipeline(saying("Yes"))
    await fold(pipe.run(ask(reasoning_effort="low", thinking=Thinking(budget=0))))
    assert engine.calls[0].extra == {}


@pytest.mark.parametrize("fields", [{"thinking": SHOWN}, {"tools": (FunctionTool("f"),)}])
async def test_b137_closing_the_events_frees_the_engine_in_every_pass(fields: dict[str, object]) -> None:
    pipe, engine = pipeline(saying("Hm and more"), UNKNOWN if "tools" in fields else LLAMA_CPP)
    engine.block.clear()
    batches = pipe.run(ask(**fields))
    async with aclosing(batches):
        await anext(batches)
        engine.block.set()
        await anext(batches)
        assert engine.open_streams == 1
    assert engine.open_streams == 0
