"""A model whose chat template takes tools: the engine's own form, under localaik's guarantees."""

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from localaik.settings import Settings
from tests.contract.conftest import RunningServer

TEMPLATE = Path(__file__).parent.parent / "tool_template.jinja"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells the weather",
            "parameters": {"type": "object", "properties": {"city": {"enum": ["Rome"]}}, "required": ["city"]},
        },
    }
]
HISTORY = [
    {"role": "user", "content": "Weather in Rome?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees":21}'},
]


@pytest.fixture
def native_server(start_server: Callable[[Settings], RunningServer]) -> RunningServer:
    return start_server(Settings(port=0, chat_template=str(TEMPLATE)))


async def _ask(server: RunningServer, **fields: object) -> dict[str, object]:
    body = {"model": "m", "messages": HISTORY[:1], "tools": TOOLS, "max_tokens": 150, **fields}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/v1/chat/completions", json=body) as answer,
    ):
        result: dict[str, object] = await answer.json()
        assert answer.status == 200, result
        return result


async def test_a_required_call_is_one_on_a_template_with_tools(native_server: RunningServer) -> None:
    answer = await _ask(native_server, tool_choice="required", parallel_tool_calls=False)
    choice = answer["choices"][0]  # type: ignore[index]
    assert choice["finish_reason"] == "tool_calls"
    (call,) = choice["message"]["tool_calls"]
    assert (call["function"]["name"], call["function"]["arguments"]) == ("get_weather", '{"city":"Rome"}')


async def test_auto_and_a_history_with_calls_go_through_the_template(native_server: RunningServer) -> None:
    capabilities = native_server.server.engine.capabilities
    assert capabilities.native_tools
    answer = await _ask(native_server, messages=HISTORY)
    choice = answer["choices"][0]  # type: ignore[index]
    assert choice["finish_reason"] in {"stop", "length"}
    assert "tool_calls" not in choice["message"]
    plain = await _ask(native_server, messages=HISTORY[:1], tools=[])
    assert answer["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 30  # type: ignore[index]
