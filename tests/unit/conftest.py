"""Where stored things are kept in tests: on disk, in memory, and in PostgreSQL where there is one."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import postgres
from tests.certificates import one_certificate

if TYPE_CHECKING:
    from tests.postgres import Cluster

one_certificate()


@pytest.fixture(scope="session")
def cluster() -> "Iterator[Cluster]":
    """A PostgreSQL server for the whole run."""
    why = postgres.missing()
    if why is not None:
        if os.environ.get(postgres.REQUIRED):
            pytest.fail(why)
        pytest.skip(why)
    with postgres.running_cluster() as one:
        yield one


@pytest.fixture
async def postgres_url(cluster: "Cluster") -> str:
    """An empty database, the same for all tests."""
    return (await cluster.emptied()).render_as_string(hide_password=False)


@pytest.fixture(params=["disk", "memory", "postgres"])
def place(request: pytest.FixtureRequest) -> dict[str, object]:
    """The settings of a store, but for its folder."""
    return _settings(request)


@pytest.fixture(params=["disk", "postgres"])
def lasting_place(request: pytest.FixtureRequest) -> dict[str, object]:
    """The settings of a store that survives, but for its folder."""
    return _settings(request)


def _settings(request: pytest.FixtureRequest) -> dict[str, object]:
    if request.param == "postgres":
        return {"database_url": request.getfixturevalue("postgres_url")}
    return {"state": request.param}
