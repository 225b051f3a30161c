"""The promise, on random requests: what is complete is valid. `python -m bench.schemas` sends forty times as many."""

from typing import Literal

import pytest

from bench.schema_cases import cases
from bench.schemas import run_cases
from tests.contract.conftest import RunningServer

CASES = 25


@pytest.mark.parametrize("kind", ["answers", "calls"])
async def test_what_is_complete_is_valid(server: RunningServer, kind: Literal["answers", "calls"]) -> None:
    judged = await run_cases(server.url, cases(kind, CASES))
    outcomes = judged.outcomes
    assert (outcomes["invalid"], outcomes["failed"], outcomes["refused"]) == (0, 0, 0), judged.faults
    assert sum(outcomes.values()) == CASES
    assert outcomes["valid"] > CASES / 2
    if kind == "calls":
        assert judged.calls > CASES / 2
