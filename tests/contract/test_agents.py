"""The framework openai-agents against the real server and engine, over each of its three models.

The embedded model is small, so what it decides is never asserted: only what holds whatever it says.
"""

from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from agents import (
    Agent,
    FileSearchTool,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    OpenAIResponsesModel,
    RunContextWrapper,
    Runner,
    SQLiteSession,
    WebSearchTool,
    function_tool,
    input_guardrail,
    responses_websocket_session,
    set_tracing_disabled,
)
from agents.items import MessageOutputItem, ReasoningItem, ToolCallItem, ToolCallOutputItem
from agents.models.openai_responses import OpenAIResponsesWSModel
from openai import AsyncOpenAI
from openai.types.responses import ResponseCompletedEvent, ResponseTextDeltaEvent
from openai.types.shared import Reasoning
from pydantic import BaseModel

from tests.contract.conftest import RunningServer

NAME = "gpt-4o-mini"
BRIEF = ModelSettings(temperature=0, max_tokens=300, include_usage=True)
CALLS = ModelSettings(temperature=0, max_tokens=300, tool_choice="required", parallel_tool_calls=False)
MODELS = ["chat", "responses", "websocket"]
MakeModel = Callable[[str], Model]

set_tracing_disabled(disabled=True)  # traces would be sent to somebody else's server


class Weather(BaseModel):
    city: Literal["Rome", "Oslo"]
    sunny: bool


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


@pytest.fixture
async def make_model(client: AsyncOpenAI) -> AsyncIterator[MakeModel]:
    """Makes the framework's model of a kind; they end with the test."""
    made: list[Model] = []

    def make(kind: str) -> Model:
        kinds = {
            "chat": OpenAIChatCompletionsModel,
            "responses": OpenAIResponsesModel,
            "websocket": OpenAIResponsesWSModel,
        }
        made.append(kinds[kind](model=NAME, openai_client=client))
        return made[-1]

    yield make
    for model in made:
        await model.close()


class Counter:
    """A tool that can be called once in a run, so that the turn after it is text."""

    def __init__(self) -> None:
        self.cities: list[str] = []

        async def get_weather(city: Literal["Rome", "Oslo"]) -> str:
            """Tells the weather of a city."""
            self.cities.append(city)
            return f"It is 18 degrees in {city}."

        self.tool = function_tool(get_weather, is_enabled=self._is_fresh)

    def _is_fresh(self, _context: RunContextWrapper[object], _agent: object) -> bool:
        return not self.cities


@pytest.mark.parametrize("kind", MODELS)
async def test_a_run_answers_in_text(make_model: MakeModel, kind: str) -> None:
    agent = Agent(name="Helper", instructions="Be brief.", model=make_model(kind), model_settings=BRIEF)

    result = await Runner.run(agent, "Say hello.")

    assert isinstance(result.final_output, str)
    assert result.final_output
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.input_tokens > 5, usage.output_tokens > 0) == (1, True, True)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


@pytest.mark.parametrize("kind", MODELS)
async def test_a_tool_is_called_and_its_result_is_answered(make_model: MakeModel, kind: str) -> None:
    counter = Counter()
    agent = Agent(name="Helper", model=make_model(kind), model_settings=CALLS, tools=[counter.tool])

    result = await Runner.run(agent, "What is the weather in Rome?")

    assert [type(item) for item in result.new_items] == [ToolCallItem, ToolCallOutputItem, MessageOutputItem]
    assert len(counter.cities) == 1
    assert isinstance(result.final_output, str)
    assert result.context_wrapper.usage.requests == 2


@pytest.mark.parametrize("kind", MODELS)
async def test_a_streamed_run_tells_the_same_text_in_pieces(make_model: MakeModel, kind: str) -> None:
    agent = Agent(name="Helper", model=make_model(kind), model_settings=BRIEF)

    result = Runner.run_streamed(agent, "Say good morning.")
    events = [event async for event in result.stream_events()]

    raw = [event.data for event in events if event.type == "raw_response_event"]
    text = "".join(event.delta for event in raw if isinstance(event, ResponseTextDeltaEvent))
    assert text == result.final_output
    assert raw[0].type == "response.created"
    assert isinstance(raw[-1], ResponseCompletedEvent)
    assert raw[-1].response.usage is not None


@pytest.mark.parametrize("kind", MODELS)
async def test_a_streamed_run_with_a_tool_tells_items_in_order(make_model: MakeModel, kind: str) -> None:
    counter = Counter()
    agent = Agent(name="Helper", model=make_model(kind), model_settings=CALLS, tools=[counter.tool])

    result = Runner.run_streamed(agent, "What is the weather in Oslo?")
    events = [event async for event in result.stream_events()]

    names = [event.name for event in events if event.type == "run_item_stream_event"]
    assert names == ["tool_called", "tool_output", "message_output_created"]


@pytest.mark.parametrize("kind", MODELS)
async def test_a_typed_answer_has_its_type(make_model: MakeModel, kind: str) -> None:
    agent = Agent(name="Helper", model=make_model(kind), model_settings=BRIEF, output_type=Weather)

    result = await Runner.run(agent, "Is it sunny in Rome?")

    assert isinstance(result.final_output, Weather)


@pytest.mark.parametrize("kind", MODELS)
async def test_a_handoff_goes_to_the_other_agent(make_model: MakeModel, kind: str) -> None:
    model = make_model(kind)
    poet = Agent(name="Poet", handoff_description="Writes poems.", model=model, model_settings=BRIEF)
    triage = Agent(name="Triage", model=model, model_settings=CALLS, handoffs=[poet])

    result = await Runner.run(triage, "Write a poem about rain.")

    assert result.last_agent is poet
    assert isinstance(result.final_output, str)


@pytest.mark.parametrize("kind", MODELS)
async def test_a_session_on_the_callers_side_brings_the_history(make_model: MakeModel, kind: str) -> None:
    counter = Counter()
    agent = Agent(name="Helper", model=make_model(kind), model_settings=CALLS, tools=[counter.tool])
    session = SQLiteSession("talk")

    first = await Runner.run(agent, "What is the weather in Rome?", session=session)
    brief = agent.clone(model_settings=BRIEF)
    second = await Runner.run(brief, "And tomorrow?", session=session)

    assert len(await session.get_items()) == 6
    assert second.context_wrapper.usage.input_tokens > first.raw_responses[-1].usage.input_tokens
    session.close()


@pytest.mark.parametrize("kind", ["responses", "websocket"])
async def test_a_chain_goes_on_from_the_last_response(make_model: MakeModel, client: AsyncOpenAI, kind: str) -> None:
    agent = Agent(name="Helper", model=make_model(kind), model_settings=BRIEF)

    first = await Runner.run(agent, "Say hello.")
    second = await Runner.run(agent, "Again.", previous_response_id=first.last_response_id)

    assert second.last_response_id is not None
    stored = await client.responses.retrieve(second.last_response_id)
    assert stored.previous_response_id == first.last_response_id
    assert stored.output_text == second.final_output


async def test_a_websocket_session_keeps_its_connection(server: RunningServer) -> None:
    agent = Agent(name="Helper", model=NAME, model_settings=BRIEF)

    async with responses_websocket_session(api_key="any", base_url=f"{server.url}/v1") as session:
        first = await session.run(agent, "Say hello.")
        second = await session.run(agent, "Again.", previous_response_id=first.last_response_id)

    assert isinstance(second.final_output, str)
    assert second.context_wrapper.usage.input_tokens > first.context_wrapper.usage.input_tokens


async def test_an_unstored_chain_goes_on_over_a_websocket(make_model: MakeModel) -> None:
    settings = BRIEF.resolve(ModelSettings(store=False))
    agent = Agent(name="Helper", model=make_model("websocket"), model_settings=settings)

    first = await Runner.run(agent, "Say hello.")
    second = await Runner.run(agent, "Again.", previous_response_id=first.last_response_id)

    assert second.context_wrapper.usage.input_tokens > first.context_wrapper.usage.input_tokens


@pytest.mark.parametrize("kind", ["responses", "websocket"])
async def test_thoughts_are_sent_back_in_sealed_form(make_model: MakeModel, kind: str) -> None:
    settings = ModelSettings(
        temperature=0,
        store=False,
        reasoning=Reasoning(effort="low", summary="auto"),
        response_include=["reasoning.encrypted_content"],
    )
    agent = Agent(name="Helper", model=make_model(kind), model_settings=settings)

    first = await Runner.run(agent, "Say hello.")
    items = first.to_input_list()
    second = await Runner.run(agent, [*items, {"role": "user", "content": "Again."}])

    assert [type(item) for item in first.new_items] == [ReasoningItem, MessageOutputItem]
    assert [item.get("type") for item in items] == [None, "reasoning", "message"]
    assert items[1]["encrypted_content"]
    assert isinstance(second.final_output, str)


@pytest.mark.parametrize("kind", MODELS)
async def test_the_items_of_one_model_are_understood_by_the_others(make_model: MakeModel, kind: str) -> None:
    counter = Counter()
    agent = Agent(name="Helper", model=make_model("chat"), model_settings=CALLS, tools=[counter.tool])

    items = (await Runner.run(agent, "What is the weather in Rome?")).to_input_list()
    other = Agent(name="Other", model=make_model(kind), model_settings=BRIEF)
    result = await Runner.run(other, [*items, {"role": "user", "content": "Thanks."}])

    assert isinstance(result.final_output, str)


@pytest.mark.parametrize("kind", ["responses", "websocket"])
async def test_tools_of_the_service_are_accepted(make_model: MakeModel, kind: str) -> None:
    tools = [WebSearchTool(), FileSearchTool(vector_store_ids=["vs_1"])]
    agent = Agent(name="Helper", model=make_model(kind), model_settings=BRIEF, tools=[*tools])

    assert isinstance((await Runner.run(agent, "Say hello.")).final_output, str)


async def test_a_guardrail_asks_the_moderation(make_model: MakeModel, client: AsyncOpenAI) -> None:
    @input_guardrail
    async def harmless(_context: RunContextWrapper[None], _agent: object, text: object) -> GuardrailFunctionOutput:
        judged = await client.moderations.create(input=str(text))
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=judged.results[0].flagged)

    agent = Agent(name="Helper", model=make_model("chat"), model_settings=BRIEF, input_guardrails=[harmless])

    assert (await Runner.run(agent, "Say hello.")).final_output
    with pytest.raises(InputGuardrailTripwireTriggered):
        await Runner.run(agent, "LOCALAIK_FLAG:violence")


async def test_a_session_of_conversations_keeps_what_was_said(make_model: MakeModel, client: AsyncOpenAI) -> None:
    counter = Counter()
    agent = Agent(name="Helper", model=make_model("responses"), model_settings=CALLS, tools=[counter.tool])
    session = OpenAIConversationsSession(openai_client=client)

    await Runner.run(agent, "What is the weather in Rome?", session=session)
    await Runner.run(agent.clone(model_settings=BRIEF), "Thanks.", session=session)
    items = await session.get_items()

    kinds = [item["type"] for item in items]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message", "message"]
    assert await session.get_items(limit=2) == items[-2:]
    assert await session.pop_item() == items[-1]
    assert await session.get_items() == items[:-1]
    await session.clear_session()


async def test_a_conversation_on_the_server_grows_by_each_run(make_model: MakeModel, client: AsyncOpenAI) -> None:
    agent = Agent(name="Helper", model=make_model("responses"), model_settings=BRIEF)
    conversation = await client.conversations.create()

    await Runner.run(agent, "Say hello.", conversation_id=conversation.id)
    result = Runner.run_streamed(agent, "Again.", conversation_id=conversation.id)
    async for _ in result.stream_events():
        pass

    items = [item async for item in client.conversations.items.list(conversation.id, order="asc")]
    assert [item.role for item in items if item.type == "message"] == ["user", "assistant", "user", "assistant"]


@pytest.mark.parametrize("mode", ["input", "previous_response_id"])
async def test_a_compaction_session_shortens_itself(make_model: MakeModel, client: AsyncOpenAI, mode: str) -> None:
    agent = Agent(name="Helper", model=make_model("responses"), model_settings=BRIEF)
    store = SQLiteSession("long talk")
    session = OpenAIResponsesCompactionSession("long talk", store, client=client, compaction_mode=mode)  # type: ignore[arg-type]

    await Runner.run(agent, "Say hello.", session=session)
    await session.run_compaction({"force": True})
    items = await session.get_items()
    after = await Runner.run(agent, "Say goodbye.", session=session)

    assert [item["type"] for item in items][-1] == "compaction"
    assert [item.get("role") for item in items[:-1]] == ["user"]
    assert after.final_output
    store.close()
