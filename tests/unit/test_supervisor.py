import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from localaik.engine.capabilities import UNKNOWN, Capabilities
from localaik.engine.launchers.base import Command, EngineSpec, StartError
from localaik.engine.liveness import ask_health
from localaik.engine.restarts import RestartPolicy
from localaik.engine.supervisor import Clock, EngineState, Supervisor
from localaik.errors import EngineUnreachable, Unavailable
from localaik.settings import Settings

CHILD = Path(__file__).parent.parent / "fake_child.py"
SPEC = EngineSpec(model=Path("unused.gguf"), alias="unused")
CHECK_SECONDS = 5.0
UNHURRIED = Settings(health_timeout_seconds=60)
"""No answer in time proves nothing; with these, it is not the machine's load that decides."""


class TestRestartPolicy:
    def test_b131_delays_double_until_the_budget_is_used(self) -> None:
        policy = RestartPolicy(3)
        delays = [policy.after_death(now, was_ready=True) for now in (10.0, 11.0, 12.0, 13.0)]
        assert delays == [0.5, 1.0, 2.0, None]

    def test_b131_the_budget_is_per_minute(self) -> None:
        policy = RestartPolicy(3)
        delays = [policy.after_death(now, was_ready=True) for now in (0.0, 30.0, 59.0, 60.0, 61.0, 90.0)]
        # At 60 the first one has left the window; at 61 three are inside it again.
        assert delays == [0.5, 1.0, 2.0, 2.0, None, 2.0]

    def test_after_a_quiet_minute_delays_start_over(self) -> None:
        policy = RestartPolicy(3)
        assert [policy.after_death(now, was_ready=True) for now in (0.0, 1.0, 100.0)] == [0.5, 1.0, 0.5]

    def test_b131_without_a_budget_the_first_death_is_the_last(self) -> None:
        assert RestartPolicy(0).after_death(0.0, was_ready=True) is None

    def test_a_model_that_takes_long_to_fail_is_not_loaded_for_ever(self) -> None:
        policy = RestartPolicy(2)
        delays = [policy.after_death(now, was_ready=False) for now in (0.0, 100.0, 200.0)]
        assert delays == [0.5, 0.5, None]

    def test_failed_loads_count_only_in_a_row(self) -> None:
        policy = RestartPolicy(1)
        deaths = [(0.0, False), (100.0, True), (200.0, False), (300.0, False)]
        assert [policy.after_death(now, was_ready=ready) for now, ready in deaths] == [0.5, 0.5, 0.5, None]


class FakeClock:
    """Time passes in sleeps only, and at once; the pause between two health checks lasts until a test ends it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.delays: list[float] = []
        """Delays before restarts."""
        self.checks: asyncio.Queue[None] = asyncio.Queue()
        self.held: asyncio.Event | None = None
        """Holds delays before restarts, where set."""

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if seconds >= CHECK_SECONDS:
            await self.checks.get()
        elif seconds >= 0.5:
            self.delays.append(seconds)
            if self.held is not None:
                await self.held.wait()
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, unix=lambda: self.now, sleep=self.sleep)


class FakeLauncher:
    """Starts `fake_child.py` with `options`."""

    name = "fake"

    def __init__(self, **options: object) -> None:
        self.options = options

    def command(self, _spec: EngineSpec) -> Command:
        argv = [sys.executable, "-I", "-S", str(CHILD), json.dumps(self.options)]
        return Command(argv, dict(os.environ), re.compile(r"listening on (http://127\.0\.0\.1:\d+)"))

    def declared(self, _spec: EngineSpec) -> Capabilities:
        return UNKNOWN


class Scene:
    """A supervisor with everything around it that a test looks at."""

    def __init__(self, settings: Settings, is_idle: Callable[[], bool], options: dict[str, object]) -> None:
        self.clock = FakeClock()
        self.states: list[EngineState] = []
        self.news = asyncio.Event()
        self.supervisor = Supervisor(
            FakeLauncher(**options),
            SPEC,
            settings=settings,
            on_state=self.note,
            is_idle=is_idle,
            clock=self.clock.clock(),
        )

    def note(self, state: EngineState) -> None:
        self.states.append(state)
        self.news.set()

    @property
    def phases(self) -> list[str]:
        """Phases entered, each change once."""
        phases: list[str] = []
        for state in self.states:
            if phases[-1:] != [state.phase]:
                phases.append(state.phase)
        return phases

    async def until(self, phase: str) -> EngineState:
        """The state that enters `phase` next, looked for from now on."""
        seen = len(self.states)
        while not any(state.phase == phase for state in self.states[seen:]):
            self.news.clear()
            await self.news.wait()
        return self.supervisor.state

    async def tell(self, path: str) -> None:
        """Make the child do what `path` says; it may end before it answers."""
        address = await self.supervisor.wait_ready()
        with suppress(OSError):
            await ask_health(address, path, 30)


@asynccontextmanager
async def scene(
    settings: Settings | None = None, *, is_idle: Callable[[], bool] = lambda: True, **options: object
) -> AsyncIterator[Scene]:
    made = Scene(settings or Settings(), is_idle, options)
    try:
        yield made
    finally:
        await made.supervisor.stop()


async def test_b128_start_returns_while_the_model_loads() -> None:
    async with scene(loading=3) as run:
        await run.supervisor.start()
        assert run.supervisor.state.phase == "starting"
        assert run.supervisor.state.detail == "loading model"
        assert run.supervisor.address is None
        address = await run.supervisor.wait_ready()
        assert run.supervisor.address == address
        assert await ask_health(address, "/health", 30) == 200
        assert run.phases == ["starting", "ready"]


async def test_the_state_tells_process_and_time() -> None:
    async with scene() as run:
        await run.supervisor.start()
        await run.supervisor.wait_ready()
        state = run.supervisor.state
        assert state.phase == "ready"
        assert (state.restarts, state.exit_status) == (0, None)
        assert state.pid is not None
        os.kill(state.pid, 0)
        assert state.since == run.clock.now - CHECK_SECONDS  # the first pause between checks has begun
    assert run.supervisor.state.pid is None


async def test_requests_that_come_before_the_start_wait_for_it() -> None:
    async with scene() as run:
        waiting = asyncio.create_task(run.supervisor.wait_ready())
        await asyncio.sleep(0)
        await run.supervisor.start()
        assert await waiting == run.supervisor.address


async def test_b128_a_wait_for_loading_ends_with_retry_after() -> None:
    async with scene(silent=True) as run:
        await run.supervisor.start()
        with pytest.raises(Unavailable) as caught:
            await run.supervisor.wait_ready(0.01)
        assert caught.value.reason == "loading"
        assert caught.value.retry_after > 0


async def test_b131_a_dead_engine_is_started_again_at_a_new_address() -> None:
    async with scene() as run:
        await run.supervisor.start()
        first = await run.supervisor.wait_ready()
        first_pid = run.supervisor.state.pid
        restarted = asyncio.create_task(run.until("ready"))
        await run.tell("/die/3")
        state = await restarted
        assert (state.restarts, state.exit_status) == (1, 3)
        assert state.pid != first_pid
        assert run.supervisor.address != first
        assert run.phases == ["starting", "ready", "restarting", "ready"]
        assert run.clock.delays == [0.5]


async def test_b131_during_a_restart_there_is_no_address_and_the_reason_is_told() -> None:
    async with scene() as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        restarting = asyncio.create_task(run.until("restarting"))
        await run.tell("/die/0")
        state = await restarting
        assert run.supervisor.address is None
        assert "ended with status 0" in state.detail
        assert state.pid is None
        waiting = asyncio.create_task(run.supervisor.wait_ready())
        run.clock.held.set()
        assert await waiting == run.supervisor.address


async def test_b131_a_model_that_can_not_be_loaded_uses_up_the_restarts() -> None:
    noise = "error: \x1b[31mbad model\n"
    async with scene(Settings(engine_restarts=2), status=4, noise=noise) as run:
        await run.supervisor.start()
        assert await run.supervisor.failed == 4
        assert run.clock.delays == [0.5, 1.0]
        assert run.supervisor.log_tail == [r"error: \x1b[31mbad model"]
        assert run.supervisor.state.phase == "failed"
        assert run.supervisor.state.restarts == 2
        assert run.supervisor.state.exit_status == 4
        with pytest.raises(EngineUnreachable):
            await run.supervisor.wait_ready()


async def test_b131_the_last_lines_of_the_engine_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with scene(Settings(engine_restarts=0), status=4, noise="why it failed\n") as run:
        await run.supervisor.start()
        await run.supervisor.failed
    assert "ended with status 4" in caplog.text
    assert "why it failed" in caplog.text


async def test_b131_those_who_wait_are_told_when_it_is_given_up() -> None:
    async with scene(Settings(engine_restarts=1), status=1) as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        waiting = asyncio.create_task(run.supervisor.wait_ready())
        run.clock.held.set()
        with pytest.raises(EngineUnreachable):
            await waiting


@pytest.mark.parametrize(("path", "status"), [("/die/0", 1), ("/die/7", 7)])
async def test_b131_without_restarts_the_first_death_is_the_end(path: str, status: int) -> None:
    async with scene(Settings(engine_restarts=0)) as run:
        await run.supervisor.start()
        await run.tell(path)
        assert await run.supervisor.failed == status
        assert run.clock.delays == []


async def test_b131_death_by_a_signal_has_the_status_of_a_shell() -> None:
    async with scene(Settings(engine_restarts=0)) as run:
        await run.supervisor.start()
        await run.supervisor.wait_ready()
        assert run.supervisor.state.pid is not None
        os.kill(run.supervisor.state.pid, signal.SIGKILL)
        assert await run.supervisor.failed == 137
        assert "SIGKILL" in run.supervisor.state.detail


async def test_b129_stop_ends_the_process() -> None:
    async with scene() as run:
        await run.supervisor.start()
        await run.supervisor.wait_ready()
        pid = run.supervisor.state.pid
        await run.supervisor.stop()
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert run.phases == ["starting", "ready", "stopping", "stopped"]
        assert run.supervisor.address is None
        with pytest.raises(Unavailable) as caught:
            await run.supervisor.wait_ready()
        assert caught.value.reason == "stopping"


async def test_b129_stop_does_not_wait_for_loading_or_a_restart() -> None:
    async with scene(silent=True) as loading, scene(status=1) as restarting:
        await loading.supervisor.start()
        restarting.clock.held = asyncio.Event()
        await restarting.supervisor.start()
        await restarting.until("restarting")
        await loading.supervisor.stop()
        await restarting.supervisor.stop()
        assert loading.phases == ["starting", "stopping", "stopped"]
        assert restarting.phases == ["starting", "restarting", "stopping", "stopped"]


async def test_stop_twice_and_without_a_start() -> None:
    async with scene() as run:
        await run.supervisor.stop()
        await run.supervisor.stop()
        assert run.phases == ["stopping", "stopped"]


async def test_a_launcher_that_can_not_start_says_so_at_once() -> None:
    class Missing(FakeLauncher):
        def command(self, spec: EngineSpec) -> Command:
            raise StartError("not installed")

    supervisor = Supervisor(Missing(), SPEC, settings=Settings())
    with pytest.raises(StartError, match="not installed"):
        await supervisor.start()


async def test_a_reported_death_of_a_living_engine_changes_nothing() -> None:
    async with scene() as run:
        await run.supervisor.start()
        await run.supervisor.wait_ready()
        await run.supervisor.report_death()
        assert run.phases == ["starting", "ready"]


async def test_a_reported_death_is_known_to_be_one_on_return() -> None:
    async with scene(UNHURRIED) as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        await run.tell("/die/1")
        await run.supervisor.report_death()
        assert run.supervisor.state.phase == "restarting"


@pytest.mark.parametrize("path", ["/deaf", "/hang-up"])
async def test_a_process_that_no_longer_answers_is_replaced_when_a_client_reports_it(path: str) -> None:
    async with scene(UNHURRIED) as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        await run.tell(path)
        await run.supervisor.report_death()
        assert run.supervisor.state.phase == "restarting"
        assert run.supervisor.state.exit_status == -signal.SIGKILL


async def test_a_silent_engine_is_replaced_after_three_missed_checks() -> None:
    async with scene(Settings(health_timeout_seconds=0.01)) as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        await run.tell("/mute")
        for _ in range(3):
            run.clock.checks.put_nowait(None)
        state = await run.until("restarting")
        assert state.exit_status == -signal.SIGKILL


@pytest.mark.parametrize(("busy", "checks"), [(5, 5 + 3), (1000, 12)])
async def test_a_busy_engine_has_more_time(busy: int, checks: int) -> None:
    asked: list[bool] = []

    def is_idle() -> bool:
        asked.append(True)
        return len(asked) > busy

    async with scene(Settings(health_timeout_seconds=0.01), is_idle=is_idle) as run:
        run.clock.held = asyncio.Event()
        await run.supervisor.start()
        await run.tell("/mute")
        for _ in range(checks):
            run.clock.checks.put_nowait(None)
        await run.until("restarting")
        assert len(asked) == checks


async def test_a_fault_of_the_supervisor_itself_reaches_the_server() -> None:
    def broken() -> bool:
        raise LookupError("a bug")

    async with scene(is_idle=broken) as run:
        await run.supervisor.start()
        await run.supervisor.wait_ready()
        run.clock.checks.put_nowait(None)
        with pytest.raises(ExceptionGroup) as caught:
            await run.supervisor.failed
        assert caught.group_contains(LookupError, match="a bug")


@pytest.mark.parametrize(
    "scenario",
    [
        test_b128_start_returns_while_the_model_loads,
        test_b131_a_dead_engine_is_started_again_at_a_new_address,
        test_b131_a_model_that_can_not_be_loaded_uses_up_the_restarts,
        test_b129_stop_ends_the_process,
        test_b129_stop_does_not_wait_for_loading_or_a_restart,
        test_a_reported_death_is_known_to_be_one_on_return,
    ],
)
def test_the_same_on_uvloop(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    uvloop = pytest.importorskip("uvloop", reason="there is no uvloop on this system")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
