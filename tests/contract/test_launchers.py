"""Every engine that is installed here, started for real: what holds for all of them, whatever they are."""

import asyncio
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from yarl import URL

from localaik.assets import tiny_model
from localaik.engine.capabilities import Capabilities
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec
from localaik.engine.probe import probe
from localaik.engine.supervisor import Clock, Supervisor
from localaik.settings import Settings

HANG_SECONDS = 120
BINARY = os.environ.get("LOCALAIK_LLAMA_SERVER", "")
MISSING = {
    "xllamacpp": None,
    "llama-server": None
    if shutil.which(BINARY or "llama-server")
    else "no llama-server: set LOCALAIK_LLAMA_SERVER to its path, or put it into PATH",
    "llama-cpp-python": None
    if importlib.util.find_spec("llama_cpp")
    else "llama-cpp-python is not installed: pip install 'localaik[llama-cpp-python]'",
}


@pytest.fixture(params=MISSING)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of each engine in turn."""
    name = str(request.param)
    reason = MISSING[name]
    if reason is not None:
        pytest.skip(reason)
    return name


def settings_for(engine: str, **more: object) -> Settings:
    small = {"ctx_size": 512, "parallel": 2, "threads": 1, "llama_server": BINARY}
    return Settings.model_validate({"engine": engine, **small, **more})


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Supervisor]:
    async def no_delay(_seconds: float) -> None:
        await asyncio.sleep(0.005)

    supervisor = Supervisor(
        create_launcher(settings),
        EngineSpec.from_settings(settings),
        settings=settings,
        clock=Clock(sleep=no_delay),
    )
    await supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop()


async def capabilities_of(supervisor: Supervisor, settings: Settings) -> Capabilities:
    root = URL(await supervisor.wait_ready(HANG_SECONDS))
    declared = create_launcher(settings).declared(EngineSpec.from_settings(settings))
    return await probe(root / "v1", root, {}, settings, declared)


async def say_hello(supervisor: Supervisor) -> str:
    """The text of a short streamed answer."""
    address = await supervisor.wait_ready(HANG_SECONDS)
    body = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 8,
        "temperature": 0,
        "stream": True,
    }
    text = ""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/chat/completions", json=body) as response,
    ):
        assert response.status == 200
        async for line in response.content:
            if line.startswith(b"data: {"):
                for choice in json.loads(line.removeprefix(b"data: "))["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_it_answers(engine: str) -> None:
    async with running(settings_for(engine)) as supervisor:
        assert await say_hello(supervisor)


async def test_it_tells_what_it_can_do(engine: str) -> None:
    settings = settings_for(engine)
    async with running(settings) as supervisor:
        capabilities = await capabilities_of(supervisor, settings)
    assert capabilities.model_id == "tiny"
    assert capabilities.context_tokens == 512
    assert capabilities.grammar
    if engine == "llama-cpp-python":
        assert (capabilities.kind, capabilities.slots, capabilities.vision) == ("llama_cpp_python", 1, False)
        return
    assert (capabilities.kind, capabilities.slots, capabilities.vision) == ("llamacpp", 2, True)
    assert capabilities.build
    assert capabilities.media_marker
    assert "<start_of_turn>" in capabilities.chat_template
    assert capabilities.template_caps["supports_tools"] is False
    assert capabilities.count_tokens
    assert not capabilities.keep_alive


async def test_declared_routes_exist(engine: str) -> None:
    settings = settings_for(engine)
    async with running(settings) as supervisor, aiohttp.ClientSession() as session:
        capabilities = await capabilities_of(supervisor, settings)
        messages = [{"role": "user", "content": "a"}]
        routes = {
            "/v1/chat/completions/input_tokens": (capabilities.count_tokens, {"messages": messages}),
            "/apply-template": (capabilities.apply_template, {"messages": messages}),
            "/tokenize": (capabilities.tokenize, {"content": "a"}),
            "/completion": (capabilities.completion_route, {"prompt": "a", "n_predict": 1}),
        }
        for path, (declared, body) in routes.items():
            async with session.post(f"{supervisor.address}{path}", json=body) as response:
                assert (response.status == 200) is declared, path


async def test_b131_it_is_started_again_after_a_crash(engine: str) -> None:
    async with running(settings_for(engine)) as supervisor:
        before = await say_hello(supervisor)
        first = supervisor.state.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await supervisor.report_death()
        assert await say_hello(supervisor) == before
        assert supervisor.state.pid != first
        assert (supervisor.state.restarts, supervisor.state.exit_status) == (1, -signal.SIGKILL)


async def test_b131_a_model_that_can_not_be_loaded_is_given_up_with_the_reason(engine: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 200)
    async with running(settings_for(engine, model=str(broken), engine_restarts=1)) as supervisor:
        assert await asyncio.wait_for(supervisor.failed, HANG_SECONDS) == 1
        assert supervisor.state.restarts == 1
        assert any("load" in line for line in supervisor.log_tail)


async def test_b130_it_listens_on_loopback_only(engine: str) -> None:
    async with running(settings_for(engine)) as supervisor:
        address = await supervisor.wait_ready(HANG_SECONDS)
        sockets = psutil.Process(supervisor.state.pid).net_connections("inet")
        listening = {socket.laddr for socket in sockets if socket.status == psutil.CONN_LISTEN}
        assert listening == {("127.0.0.1", URL(address).port)}


async def test_b130_paths_with_spaces_survive(engine: str, tmp_path: Path) -> None:
    model = tmp_path / "my model's file.gguf"
    shutil.copy(tiny_model(), model)
    async with running(settings_for(engine, model=str(model), model_id="my model")) as supervisor:
        assert await say_hello(supervisor)
        capabilities = await capabilities_of(supervisor, settings_for(engine, model=str(model)))
        assert capabilities.model_id == "my model"


async def test_the_environment_does_not_steer_it(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steering = {
        "LLAMA_ARG_CTX_SIZE": "256",
        "LLAMA_ARG_HOST": "0.0.0.0",
        "LLAMA_API_KEY": "key",
        "AIP_MODE": "PREDICTION",
        "AIP_HTTP_PORT": "1",
        "HOST": "0.0.0.0",
        "PORT": "1",
        "API_KEY": "key",
        "N_CTX": "256",
        "CONFIG_FILE": "/no/such/file",
    }
    for name, value in steering.items():
        monkeypatch.setenv(name, value)
    settings = settings_for(engine)
    async with running(settings) as supervisor:
        assert await say_hello(supervisor)
        assert (await capabilities_of(supervisor, settings)).context_tokens == 512


async def test_its_workers_wait_passively(engine: str) -> None:
    async with running(settings_for(engine)) as supervisor:
        await supervisor.wait_ready(HANG_SECONDS)
        assert psutil.Process(supervisor.state.pid).environ()["OMP_WAIT_POLICY"] == "passive"


async def test_its_log_does_not_quote_requests(engine: str) -> None:
    secret = "MARKER"
    bodies: list[dict[str, object]] = [
        {"messages": [{"role": "user", "content": secret}], "max_tokens": 2},
        {"messages": [{"role": "user", "content": f"{secret} " * 1000}]},
        {"messages": secret},
        {"messages": [{"role": secret, "content": secret}]},
    ]
    if engine != "llama-cpp-python":  # which dies of it
        bodies.append({"messages": [{"role": "user", "content": "a"}], "grammar": f"root ::= {secret} ::"})
    async with running(settings_for(engine)) as supervisor, aiohttp.ClientSession() as session:
        address = await supervisor.wait_ready(HANG_SECONDS)
        for body in bodies:
            async with session.post(f"{address}/v1/chat/completions", json=body) as response:
                await response.read()
        await supervisor.stop()
        assert not [line for line in supervisor.log_tail if secret in line]


async def test_b129_stop_leaves_no_process(engine: str) -> None:
    async with running(settings_for(engine)) as supervisor:
        await say_hello(supervisor)
        pid = supervisor.state.pid
        await supervisor.stop()
        assert pid is not None
        assert gone(pid)


PARENT = """
import asyncio, sys
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec
from localaik.engine.supervisor import Supervisor
from localaik.settings import Settings

async def main():
    settings = Settings.model_validate_json(sys.argv[1])
    supervisor = Supervisor(create_launcher(settings), EngineSpec.from_settings(settings), settings=settings)
    await supervisor.start()
    if sys.argv[2] == "ready":
        await supervisor.wait_ready()
    print(supervisor.state.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="waits with pidfd_open")
@pytest.mark.parametrize("moment", ["ready", "loading"])
def test_b130_it_never_outlives_us(engine: str, moment: str) -> None:
    argv = [sys.executable, "-c", PARENT, settings_for(engine).model_dump_json(), moment]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as parent:
        assert parent.stdout is not None
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        ready, _, _ = select.select([descriptor], [], [], HANG_SECONDS)
        os.close(descriptor)
    assert ready, "the engine is still there"


def test_b130_the_child_of_xllamacpp_ends_with_its_input() -> None:
    settings = settings_for("xllamacpp")
    command = create_launcher(settings).command(EngineSpec.from_settings(settings))
    with subprocess.Popen(
        list(command.argv), env=dict(command.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert command.address.fullmatch(child.stdout.readline().rstrip())
        child.stdin.close()
        assert child.wait(HANG_SECONDS) == 0
