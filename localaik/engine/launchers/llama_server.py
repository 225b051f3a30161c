"""llama.cpp's own `llama-server`, for builds that fit the machine better than the wheel does."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from localaik.engine.capabilities import LLAMA_CPP, Capabilities
from localaik.engine.launchers.base import Command, EngineSpec, StartError, child_environment

__all__ = ["LlamaServer", "guarded"]

_GUARDIAN: Final = Path(__file__).parent.with_name("guardian.py")
_ADDRESS: Final = re.compile(r".*\blistening on (http://127\.0\.0\.1:\d+)\s*")
_LOG_INFO: Final = "3"  # the line with the address is written from this level on


class LlamaServer:
    """Starts the binary at `path`, or the one in PATH where `path` is empty."""

    name = "llama-server"

    def __init__(self, path: str = "") -> None:
        self._path = path

    def command(self, spec: EngineSpec) -> Command:
        """See `Launcher`."""
        batch = spec.ctx_total if spec.embeddings else spec.batch_size
        ubatch = spec.ctx_total if spec.embeddings else spec.ubatch_size
        options: dict[str, object] = {
            "--model": spec.model,
            "--alias": spec.alias,
            "--host": "127.0.0.1",
            "--port": 0,
            "--ctx-size": spec.ctx_total,
            "--parallel": spec.slots,
            "--threads": spec.threads,
            "--threads-batch": spec.threads_batch,
            "--batch-size": batch,
            "--ubatch-size": ubatch,
            "--n-gpu-layers": spec.gpu_layers,
            "--flash-attn": spec.flash_attn,
            "--cache-ram": 0,
            "--cors-origins": "localhost",
            "--log-verbosity": _LOG_INFO,
        }
        if spec.mmproj is not None:
            options["--mmproj"] = spec.mmproj
        if spec.chat_template is not None:
            options["--chat-template-file"] = spec.chat_template
        if spec.mlock:
            options["--load-mode"] = "mmap+mlock"
        switches = [
            "--no-kv-unified",
            "--no-prefill-assistant",
            "--jinja",
            "--no-ui",
            "--slots",
            "--metrics",
            "--offline",
        ]
        switches += ["--cont-batching" if spec.cont_batching else "--no-cont-batching"]
        switches += ["--warmup" if spec.warmup else "--no-warmup"]
        switches += ["--embeddings"] if spec.embeddings else []
        pairs = [str(word) for option in options.items() for word in option]
        return Command(guarded([self._binary(), *pairs, *switches]), child_environment(), _ADDRESS)

    def declared(self, _spec: EngineSpec) -> Capabilities:
        """See `Launcher`: llama.cpp tells everything itself."""
        return LLAMA_CPP

    def _binary(self) -> str:
        found = shutil.which(str(Path(self._path).expanduser())) if self._path else shutil.which("llama-server")
        if found is None:
            where = f"{self._path} is no program" if self._path else "it is not in PATH"
            raise StartError(
                f"llama-server can't be found: {where}. Install llama.cpp (from Homebrew, conda-forge, its project's "
                "releases or sources), point LOCALAIK_LLAMA_SERVER at the binary, or use the engine xllamacpp, "
                "which needs no binary."
            )
        return found


def guarded(argv: list[str]) -> list[str]:
    """The command that runs `argv` and sees to it that it never outlives us."""
    return [sys.executable, "-I", "-S", str(_GUARDIAN), str(os.getpid()), *argv]
