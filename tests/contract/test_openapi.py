"""A server against its own OpenAPI document: what fits the document gets an answer that the document tells of.

The server asks for a key and has an engine that always says the same. Requests are made by schemathesis from the
schemas, the same ones in every run. Routes that only refuse have tests of their own.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, BaseSchema, Case
from schemathesis.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.fake_engine import ScriptedEngine

KEY = "the-key"
EXAMPLES = 3
"""Requests for each operation; more of them take longer."""
HANG_SECONDS = 60
CHECKS = [content_type_conformance, response_schema_conformance, status_code_conformance]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server of its own: what it is asked would leave much behind in one that is shared."""
    async with ScriptedEngine() as engine:
        fields = Settings(port=0, state="memory", upstream=engine.url, api_key=KEY, access_log=False)
        running = await asyncio.to_thread(RunningServer(fields).start)
        try:
            yield running.url
        finally:
            await asyncio.to_thread(running.stop)


def only_refuses(operation: APIOperation) -> bool:
    return operation.definition.raw.get("x-localaik-served") is False


def ask(operation: APIOperation, url: str, session: requests.Session, seen: Counter[int]) -> None:
    """Send requests that fit what is told of the operation, and check the answers."""
    # Made-up names of models are unknown; ids of what is stored always are.
    model = {one.name: one.definition["example"] for one in operation.path_parameters if one.name == "model"}

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(path_parameters=model or None))
    def send(case: Case) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = case.call(base_url=url, session=session, headers=headers, timeout=HANG_SECONDS)
        seen[answer.status_code] += 1
        assert answer.status_code < 500, f"{operation.label}: {answer.text}"
        assert answer.status_code != 401, f"{operation.label}: {answer.text}"
        case.validate_response(answer, checks=CHECKS)

    send()


def ask_all(document: BaseSchema, url: str) -> tuple[int, Counter[int]]:
    """How many operations there were, and how often which status."""
    seen: Counter[int] = Counter()
    count = 0
    with requests.Session() as session:
        for found in document.get_all_operations():
            operation = found.ok()
            if not only_refuses(operation):
                ask(operation, url, session, seen)
                count += 1
    return count, seen


async def test_every_operation_answers_as_the_document_says(url: str) -> None:
    document = await asyncio.to_thread(schemathesis.openapi.from_url, f"{url}/openapi.json")
    document.validate()
    document.config.generation.update(with_security_parameters=False)  # else keys are made up
    count, seen = await asyncio.to_thread(ask_all, document, url)
    assert count > 80
    assert seen[200] > 20
    assert set(seen) <= {200, 400, 403, 404, 405, 409, 413, 415, 422, 426}


async def test_pages_need_no_key_and_tell_none(url: str) -> None:
    def get(path: str) -> requests.Response:
        return requests.get(url + path, timeout=HANG_SECONDS)

    for path in ("/", "/docs", "/openapi.json", "/docs/docs.js"):
        answer = await asyncio.to_thread(get, path)
        assert answer.status_code == 200
        assert KEY not in answer.text + str(answer.headers)
    assert (await asyncio.to_thread(get, "/v1/models")).status_code == 401
