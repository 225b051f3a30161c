import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from localaik.engine import guardian
from localaik.engine.launchers.base import Command, StartError
from localaik.engine.launchers.llama_server import guarded
from localaik.engine.liveness import ask_health
from localaik.engine.process import EngineProcess, OutputLog, describe_status, exit_status

CHILD = Path(__file__).parent.parent / "fake_child.py"
ADDRESS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
HANG_SECONDS = 60


def child_argv(*more: str, **options: object) -> list[str]:
    return [sys.executable, "-I", "-S", str(CHILD), json.dumps(options), *more]


def child(**options: object) -> Command:
    return Command(child_argv(**options), dict(os.environ), ADDRESS)


def wait_gone(pid: int) -> None:
    """Return when the process is gone; a process that stays fails the test."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], HANG_SECONDS)
    finally:
        os.close(descriptor)
    assert ready, f"process {pid} is still there"


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="pidfd_open is Linux's")


class TestEngineProcess:
    async def test_tells_the_address_and_ends_when_asked(self) -> None:
        process = await EngineProcess.spawn(child())
        address = await process.address
        assert await ask_health(address, "/health", HANG_SECONDS) == 200
        assert process.is_running
        await process.stop()
        assert await process.wait() == -signal.SIGTERM
        assert not process.is_running

    async def test_b129_a_process_that_ignores_sigterm_is_killed(self) -> None:
        process = await EngineProcess.spawn(child(stubborn=True))
        await process.address
        await process.stop(0.01)
        assert await process.wait() == -signal.SIGKILL

    async def test_stop_after_the_end_does_nothing(self) -> None:
        process = await EngineProcess.spawn(child(status=3))
        assert await process.wait() == 3
        await process.stop()
        process.kill()

    async def test_the_end_cancels_the_wait_for_the_address(self) -> None:
        process = await EngineProcess.spawn(child(status=0))
        with pytest.raises(asyncio.CancelledError):
            await process.address

    async def test_output_before_the_end_is_kept_escaped_and_cut(self) -> None:
        noise = "first\nred \x1b[31m and \x07 bell\ttab\n" + "x" * 20_000 + "\nlast without end"
        process = await EngineProcess.spawn(child(status=1, noise=noise))
        assert await process.wait() == 1
        lines = process.log.lines
        assert lines[:2] == ["first", r"red \x1b[31m and \x07 bell	tab"]
        assert lines[-1] == "last without end"
        assert max(map(len, lines)) <= 8192

    async def test_only_the_last_200_lines_are_kept(self) -> None:
        process = await EngineProcess.spawn(child(status=1, noise="".join(f"line {n}\n" for n in range(500))))
        await process.wait()
        assert process.log.lines == [f"line {n}" for n in range(300, 500)]

    async def test_an_address_elsewhere_is_no_address(self) -> None:
        noise = "listening on http://10.0.0.1:80\nlistening on http://127.0.0.1:80@10.0.0.1\n"
        process = await EngineProcess.spawn(child(noise=noise))
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", await process.address)
        await process.stop()
        assert process.log.lines == noise.splitlines()

    async def test_b129_the_terminal_does_not_reach_it(self) -> None:
        process = await EngineProcess.spawn(child())
        await process.address
        assert os.getsid(process.pid) == process.pid
        await process.stop()

    async def test_a_program_that_does_not_exist_is_a_start_error(self) -> None:
        with pytest.raises(StartError, match="/no/such/program"):
            await EngineProcess.spawn(Command(["/no/such/program"], {}, ADDRESS))

    @needs_pidfd
    async def test_a_grandchild_that_holds_the_pipes_does_not_hold_the_end(self) -> None:
        holder = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
        argv = [sys.executable, "-c", f"import os\nif os.fork():\n    os._exit(5)\n{holder}"]
        process = await EngineProcess.spawn(Command(argv, dict(os.environ), ADDRESS))
        assert await process.wait() == 5
        os.kill(int(process.log.lines[0]), signal.SIGKILL)


@pytest.mark.parametrize(
    "scenario", [value for name, value in vars(TestEngineProcess).items() if name.startswith("test_")]
)
def test_the_same_on_uvloop(scenario: Callable[[TestEngineProcess], Coroutine[None, None, None]]) -> None:
    uvloop = pytest.importorskip("uvloop", reason="there is no uvloop on this system")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario(TestEngineProcess()))


class TestOutputLog:
    def test_direction_marks_and_line_separators_are_escaped(self) -> None:
        log = OutputLog()
        log.add("a\u202eb\u2028c\x9bd\x00")
        assert log.lines == [r"a\u202eb\u2028c\x9bd\x00"]

    def test_what_may_quote_a_request_is_dropped_once_requests_come(self) -> None:
        log = OutputLog()
        log.add("llama_model_load: error loading model: anything")
        log.serving = True
        kept = [
            "0.00.041.171 E srv  process_sing: failed to launch slot with task, id_task = 11",
            "/build/ggml/src/ggml.c:1234: GGML_ASSERT(a->ne[2] == b->ne[0]) failed",
            "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 1 MiB: out of memory",
            "CUDA error: an illegal memory access was encountered",
            "terminate called after throwing an instance of 'std::runtime_error'",
        ]
        quoting = [
            "secret ::= grammar",
            '0.00.042.314 W srv operator(): got exception: {"error":{"message":"secret"}}',
            "0.00.041.150 E parse: error parsing grammar: expecting newline at secret",
            "pydantic_core.ValidationError: input 'secret'",
            "",
        ]
        for line in kept + quoting:
            log.add(line)
        assert log.lines == ["llama_model_load: error loading model: anything", *kept]

    def test_other_text_stays(self) -> None:
        log = OutputLog()
        log.add("größer → 日本 🎉\t|")
        assert log.lines == ["größer → 日本 🎉\t|"]


class TestLiveness:
    async def test_a_refused_connection_is_an_os_error(self, unused_tcp_port: int) -> None:
        with pytest.raises(ConnectionRefusedError):
            await ask_health(f"http://127.0.0.1:{unused_tcp_port}", "/health", HANG_SECONDS)

    async def test_silence_is_a_timeout(self) -> None:
        process = await EngineProcess.spawn(child())
        address = await process.address
        assert await ask_health(address, "/mute", HANG_SECONDS) == 200
        with pytest.raises(TimeoutError):
            await ask_health(address, "/health", 0.01)
        await process.stop()

    @pytest.mark.parametrize(
        ("answer", "status"),
        [(b"HTTP/1.1 503 Busy\r\n\r\n", 503), (b"nonsense\r\n", 0), (b"HTTP", 0), (b"x" * 100_000, 0)],
    )
    async def test_answers(self, answer: bytes, status: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            assert await ask_health(f"http://127.0.0.1:{port}", "/health", HANG_SECONDS) == status

    async def test_a_connection_that_ends_without_a_byte_is_an_os_error(self) -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")  # else the system sends a reset
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ConnectionResetError):
                await ask_health(f"http://127.0.0.1:{port}", "/health", HANG_SECONDS)


@pytest.mark.parametrize(("status", "ours"), [(0, 1), (1, 1), (3, 3), (-9, 137), (-11, 139)])
def test_b131_exit_status(status: int, ours: int) -> None:
    assert exit_status(status) == ours


@pytest.mark.parametrize(
    ("status", "words"),
    [(3, "ended with status 3"), (-9, "SIGKILL"), (-64 - 20, "signal 84"), (-4, "instructions that this CPU")],
)
def test_statuses_in_words(status: int, words: str) -> None:
    assert words in describe_status(status)


PARENT = """
import json, subprocess, sys
argv = json.loads(sys.argv[1])
argv = [str(__import__("os").getpid()) if word == "PARENT" else word for word in argv]
child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
class TestGuardianOnLinux:
    def test_b130_a_native_engine_dies_with_a_killed_parent(self) -> None:
        argv = [*guarded([])[:4], "PARENT", *child_argv(orphan=True)]
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, json.dumps(argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with parent:
            assert parent.stdout is not None
            pid, line = parent.stdout.readline().split(" ", 1)
            assert "listening on" in line  # running, and past the exec
            parent.send_signal(signal.SIGKILL)
            parent.wait()
            wait_gone(int(pid))

    def test_b130_a_parent_that_died_before_the_request_is_noticed(self, tmp_path: Path) -> None:
        trace = tmp_path / "ran"
        argv = guarded(child_argv("x", arguments=str(trace), status=0, orphan=True))
        argv[4] = "1"  # not the process that starts it
        assert subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 1
        assert not trace.exists()

    def test_b130_arguments_with_spaces_survive(self, tmp_path: Path) -> None:
        trace = tmp_path / "arguments"
        words = ["/models/my model.gguf", "", "a  b\t'c' \"d\" $HOME *"]
        argv = guarded(child_argv(*words, arguments=str(trace), status=7, orphan=True))
        assert subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode == 7
        assert trace.read_text("utf-8").split("\n") == words

    def test_a_program_that_can_not_run_is_told(self) -> None:
        result = subprocess.run(guarded(["/no/such/program"]), capture_output=True, text=True, check=False)
        assert result.returncode == 127
        assert "/no/such/program" in result.stderr


STAND_BETWEEN = f"""
import sys
sys.path.insert(0, {str(Path(guardian.__file__).parents[2])!r})
from localaik.engine.guardian import stand_between
sys.exit(stand_between(sys.argv[1:]))
"""


@needs_pidfd
class TestGuardianElsewhere:
    """The way of systems without a death signal, which works on this one too."""

    @staticmethod
    def start(**options: object) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-c", STAND_BETWEEN, *child_argv(orphan=True, **options)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def test_b130_the_end_of_its_input_ends_the_program(self) -> None:
        with self.start(stubborn=True) as between:
            assert between.stdin is not None
            assert between.stdout is not None
            assert "listening" in between.stdout.readline()
            between.stdin.close()
            assert between.wait(HANG_SECONDS) == 128 + signal.SIGKILL

    def test_sigterm_is_handed_on(self) -> None:
        with self.start() as between:
            assert between.stdout is not None
            assert "listening" in between.stdout.readline()
            between.terminate()
            assert between.wait(HANG_SECONDS) == 128 + signal.SIGTERM

    def test_the_status_is_handed_back(self) -> None:
        with self.start(status=9) as between:
            assert between.wait(HANG_SECONDS) == 9

    def test_a_program_that_can_not_run_is_told(self) -> None:
        argv = [sys.executable, "-c", STAND_BETWEEN, "/no/such/program"]
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 127
