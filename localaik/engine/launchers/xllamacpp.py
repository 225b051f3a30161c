"""llama.cpp from the wheel `xllamacpp`, in a child process: the default, as it needs no compiler."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import Final

import localaik
from localaik.engine.capabilities import LLAMA_CPP, Capabilities
from localaik.engine.launchers.base import Command, EngineSpec, StartError, child_environment

__all__ = ["Xllamacpp"]

_CHILD: Final = Path(__file__).parent.with_name("xllamacpp_child.py")
_PACKAGE_FOLDER: Final = Path(localaik.__file__).parent.parent
_ADDRESS: Final = re.compile(r'\{"listening": "(http://127\.0\.0\.1:\d+)", "pid": \d+\}')


class Xllamacpp:
    """Starts `xllamacpp_child`.

    The child is run by its path, not with `-m`: that saves importing `runpy`, and works wherever localaik lies. `-P`
    keeps the script's own folder out of the import path; the rest of the environment (virtual environment,
    `PYTHONPATH`) stays, since that is where xllamacpp is installed.
    """

    name = "xllamacpp"

    def command(self, spec: EngineSpec) -> Command:
        """See `Launcher`."""
        if importlib.util.find_spec("xllamacpp") is None:
            raise StartError(
                "The engine xllamacpp is not installed. Install it with `pip install xllamacpp`, or choose another one "
                "with LOCALAIK_ENGINE."
            )
        document = json.dumps(
            {
                "parent": os.getpid(),
                "path": str(_PACKAGE_FOLDER),
                "model": str(spec.model),
                "mmproj": None if spec.mmproj is None else str(spec.mmproj),
                "chat_template": None if spec.chat_template is None else str(spec.chat_template),
                "alias": spec.alias,
                "n_ctx": spec.ctx_total,
                "n_parallel": spec.slots,
                "n_threads": spec.threads,
                "n_threads_batch": spec.threads_batch,
                "n_batch": spec.ctx_total if spec.embeddings else spec.batch_size,
                "n_ubatch": spec.ctx_total if spec.embeddings else spec.ubatch_size,
                "n_gpu_layers": spec.gpu_layers,
                "flash_attn": spec.flash_attn,
                "cont_batching": spec.cont_batching,
                "mlock": spec.mlock,
                "embedding": spec.embeddings,
                "warmup": spec.warmup,
            }
        )
        return Command([sys.executable, "-P", str(_CHILD), document], child_environment(), _ADDRESS)

    def declared(self, _spec: EngineSpec) -> Capabilities:
        """See `Launcher`: llama.cpp tells everything itself."""
        return LLAMA_CPP
