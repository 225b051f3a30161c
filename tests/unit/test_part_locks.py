"""Locks on uploads between processes."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from localaik.state.part_locks import PartLocks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers on Windows")

HOLDER = """
import asyncio, sys
from pathlib import Path
from localaik.state.part_locks import PartLocks

async def main():
    async with PartLocks(Path(sys.argv[1])).hold("upload"):
        print("held", flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


async def test_another_process_waits_until_the_holder_is_done_and_no_other_upload_does(tmp_path: Path) -> None:
    locks = PartLocks(tmp_path)
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220 - waited for below
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        entered = asyncio.Event()

        async def wait() -> None:
            async with locks.hold("upload"):
                entered.set()

        waiting = asyncio.create_task(wait())
        async with locks.hold("another one"):
            assert not entered.is_set()
        holder.stdin.write("\n")
        holder.stdin.flush()
        await waiting
    assert entered.is_set()
    locks.close()


async def test_a_holder_that_is_killed_holds_no_longer(tmp_path: Path) -> None:
    locks = PartLocks(tmp_path)
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:  # noqa: ASYNC220 - waited for below
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
    async with locks.hold("upload"):
        pass
    locks.close()
