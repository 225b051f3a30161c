"""`GET /metrics` of a running server with the real engine."""

from collections.abc import Callable

import aiohttp

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.unit.test_metrics import Samples, parse, value

CHAT = "/v1/chat/completions"
WHERE = {"protocol": "openai", "method": "POST", "route": CHAT}


async def scrape(http: aiohttp.ClientSession) -> Samples:
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        return parse(await answer.read())


async def test_requests_and_their_tokens_are_counted(http: aiohttp.ClientSession) -> None:
    before = await scrape(http)
    body = {"model": "any", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello!"}]}
    async with http.post(CHAT, json=body) as answer:
        usage = (await answer.json())["usage"]
    async with http.post(CHAT, json=body | {"stream": True}) as answer:
        assert b"[DONE]" in await answer.read()
    after = await scrape(http)

    def more(name: str, **labels: str) -> float:
        return (value(after, name, **labels) or 0) - (value(before, name, **labels) or 0)

    assert more("localaik_requests_total", **WHERE, status="2xx") == 2
    assert more("localaik_prompt_tokens_total", **WHERE) == 2 * usage["prompt_tokens"]
    assert more("localaik_completion_tokens_total", **WHERE) == 2 * usage["completion_tokens"]
    assert more("localaik_time_to_first_token_seconds_count", **WHERE) == 2
    assert more("localaik_request_duration_seconds_count", **WHERE) == 2
    assert more("localaik_slot_wait_seconds_count") == 2
    assert value(after, "localaik_engine_state", engine="generation", state="ready") == 1
    assert value(after, "localaik_slots", engine="generation") == 4
    assert value(after, "localaik_slots_busy", engine="generation") == 0


async def test_the_page_can_be_switched_off_and_asks_for_the_key(
    start_server: Callable[[Settings], RunningServer],
) -> None:
    common = {"port": 0, "state": "memory", "embeddings": "off"}
    off = start_server(Settings.model_validate({**common, "metrics": False}))
    kept = start_server(Settings.model_validate({**common, "api_key": "sk-local"}))
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{off.url}/metrics") as answer:
            assert answer.status == 404
        async with http.get(f"{kept.url}/metrics") as answer:
            assert (answer.status, await answer.json()) == (401, {"error": "Missing API key."})
        async with http.get(f"{kept.url}/metrics", headers={"Authorization": "Bearer sk-local"}) as answer:
            assert "localaik_uptime_seconds" in await answer.text()
