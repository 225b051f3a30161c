"""Thoughts through google-genai, from a model that was not taught to reason."""

import pytest
from google import genai
from google.genai import errors, types

from tests.contract.conftest import RunningServer

MODEL = "gemini-2.5-flash"


@pytest.fixture(scope="module")
def client(server: RunningServer) -> genai.Client:
    return genai.Client(api_key="any", http_options={"base_url": server.url})


def config(include: bool, budget: int | None = None, **more: object) -> types.GenerateContentConfig:
    thinking = types.ThinkingConfig(include_thoughts=include, thinking_budget=budget)
    return types.GenerateContentConfig(thinking_config=thinking, **more)  # type: ignore[arg-type]


def parts_of(*answers: types.GenerateContentResponse) -> tuple[str, str]:
    """The thoughts and the text of an answer, whole or streamed."""
    thoughts = text = ""
    for answer in answers:
        content = (answer.candidates or [types.Candidate()])[0].content
        for part in (content.parts if content is not None else None) or []:
            if part.thought:
                assert not text, "thoughts come first"
                thoughts += part.text or ""
            else:
                text += part.text or ""
    return thoughts, text


def test_g031_thoughts_come_before_the_same_answer(client: genai.Client) -> None:
    plain = client.models.generate_content(model=MODEL, contents="What is the capital of France?")
    answer = client.models.generate_content(model=MODEL, contents="What is the capital of France?", config=config(True))
    thoughts, text = parts_of(answer)
    assert thoughts
    assert text == plain.text
    usage = answer.usage_metadata
    assert usage is not None
    assert plain.usage_metadata is not None
    assert 0 < (usage.thoughts_token_count or 0) <= 256
    assert usage.prompt_token_count == plain.usage_metadata.prompt_token_count
    assert usage.candidates_token_count == plain.usage_metadata.candidates_token_count
    counts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    assert usage.total_token_count == sum(count or 0 for count in counts)


def test_g031_streamed_thoughts_are_the_same(client: genai.Client) -> None:
    whole = client.models.generate_content(model=MODEL, contents="Hello!", config=config(True))
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hello!", config=config(True)))
    assert parts_of(*chunks) == parts_of(whole)
    last = chunks[-1].usage_metadata
    assert last is not None
    assert whole.usage_metadata is not None
    assert last.thoughts_token_count == whole.usage_metadata.thoughts_token_count


@pytest.mark.parametrize(("include", "budget"), [(False, None), (False, 100), (True, 0)])
def test_g031_no_thoughts_where_none_are_wanted(client: genai.Client, include: bool, budget: int | None) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hello!", config=config(include, budget))
    assert parts_of(answer)[0] == ""
    assert answer.usage_metadata is not None
    assert not answer.usage_metadata.thoughts_token_count


def test_g031_the_budget_and_the_limit_hold(client: genai.Client) -> None:
    answer = client.models.generate_content(model=MODEL, contents="Hello!", config=config(True, 3))
    assert answer.usage_metadata is not None
    assert 0 < (answer.usage_metadata.thoughts_token_count or 0) <= 3
    cut = client.models.generate_content(model=MODEL, contents="Hello!", config=config(True, max_output_tokens=2))
    assert cut.candidates is not None
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert parts_of(cut)[1] == ""


def test_g031_a_budget_that_does_not_exist_is_refused(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as refused:
        client.models.generate_content(model=MODEL, contents="Hello!", config=config(True, 40_000))
    assert refused.value.code == 400
    assert "thinkingBudget" in str(refused.value.details)


def test_g031_budget_and_level_together_are_refused(client: genai.Client) -> None:
    thinking = types.ThinkingConfig(thinking_budget=10, thinking_level=types.ThinkingLevel.LOW)
    with pytest.raises(errors.ClientError, match="only one of thinking_budget and thinking_level"):
        client.models.generate_content(
            model=MODEL, contents="Hello!", config=types.GenerateContentConfig(thinking_config=thinking)
        )
