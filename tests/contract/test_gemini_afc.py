"""Automatic function calling of the official Python SDK, with a model whose calls are a script."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.fake_engine import Answer, Recorded, ScriptedEngine

StartServer = Callable[[Settings], RunningServer]
MODEL = "gemini-2.5-flash"
SDK_LIMIT = 10


class Place(BaseModel):
    """A place on a map."""

    city: str
    zone: int


def now() -> str:
    """The time."""
    return "12:00"


def weather(city: str, days: int = 3, unit: str | None = None) -> list[object]:
    """The weather of a city."""
    return [city, days, unit]


def height(place: Place) -> int:
    """The height of a place."""
    assert isinstance(place, Place)
    return place.zone + 1


def broken() -> str:
    """Never works."""
    raise ValueError("out of order")


@asynccontextmanager
async def scripted(start_server: StartServer) -> AsyncIterator[tuple[ScriptedEngine, genai.Client]]:
    async with ScriptedEngine(native_tools=True) as engine:
        settings = Settings(port=0, upstream=engine.url, tool_calls="native")
        server = await asyncio.to_thread(start_server, settings)
        client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=server.url))
        yield engine, client
        client.close()
        await asyncio.to_thread(server.stop)


def calling(*calls: tuple[str, str]) -> Answer:
    return Answer(tokens=(), tool_calls=calls, finish="tool_calls")


def config(*functions: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(tools=list(functions))


def results_in(call: Recorded) -> list[dict[str, Any]]:
    """What the functions gave, as the engine was told it."""
    messages: Any = call.body["messages"]
    return [orjson.loads(message["content"]) for message in messages if message["role"] == "tool"]


def ask(client: genai.Client, way: str, functions: types.GenerateContentConfig) -> str:
    """The text of the last answer."""
    if way == "whole":
        return client.models.generate_content(model=MODEL, contents="Hi", config=functions).text or ""
    if way == "streamed":
        chunks = client.models.generate_content_stream(model=MODEL, contents="Hi", config=functions)
        return "".join(chunk.text or "" for chunk in chunks)
    return client.chats.create(model=MODEL, config=functions).send_message("Hi").text or ""


@pytest.mark.parametrize("way", ["whole", "streamed", "chat"])
async def test_g026_parallel_calls_defaults_and_models_as_arguments(start_server: StartServer, way: str) -> None:
    async with scripted(start_server) as (engine, client):
        engine.enqueue(
            calling(
                ("weather", '{"city":"Oslo"}'),
                ("now", "{}"),
                ("weather", '{"city":"Rome","days":1,"unit":"C"}'),
                ("height", '{"place":{"city":"Oslo","zone":4}}'),
            ),
            Answer(tokens="Done."),
        )
        assert await asyncio.to_thread(ask, client, way, config(weather, now, height)) == "Done."
        assert results_in(engine.calls[-1]) == [
            {"result": ["Oslo", 3, None]},
            {"result": "12:00"},
            {"result": ["Rome", 1, "C"]},
            {"result": 5},
        ]
        assert len(engine.calls) == 2


async def test_g026_an_exception_is_told_to_the_model(start_server: StartServer) -> None:
    async with scripted(start_server) as (engine, client):
        engine.enqueue(calling(("broken", "{}")), Answer(tokens="Sorry."))
        assert await asyncio.to_thread(ask, client, "whole", config(broken)) == "Sorry."
        ((name, message),) = [pair for result in results_in(engine.calls[-1]) for pair in result.items()]
        assert (name, message[-12:]) == ("error", "out of order")


@pytest.mark.parametrize(("most", "requests"), [(None, SDK_LIMIT), (3, 3)])
async def test_g026_a_model_that_always_calls_is_stopped(
    start_server: StartServer, most: int | None, requests: int
) -> None:
    async with scripted(start_server) as (engine, client):
        engine.default = calling(("now", "{}"))
        asked = config(now)
        if most is not None:
            asked.automatic_function_calling = types.AutomaticFunctionCallingConfig(maximum_remote_calls=most)
        answer = await asyncio.to_thread(client.models.generate_content, model=MODEL, contents="Hi", config=asked)
        assert [call.name for call in answer.function_calls or []] == ["now"]
        assert len(engine.calls) == requests
        assert results_in(engine.calls[-1]) == [{"result": "12:00"}] * (requests - 1)
