"""`llama_cpp.server` of `llama-cpp-python[server]`: one request at a time, and a smaller wire than llama.cpp's own."""

import dataclasses
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from typing import Final

from localaik.engine.capabilities import LLAMA_CPP_PYTHON, Capabilities
from localaik.engine.launchers.base import Command, EngineSpec, StartError, child_environment
from localaik.engine.launchers.llama_server import guarded

__all__ = ["LlamaCppPython"]

_PACKAGES: Final = ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "pydantic_settings", "starlette_context")
_ADDRESS: Final = re.compile(r".*\bUvicorn running on (http://127\.0\.0\.1:\d+)\b.*")  # uvicorn/server.py
# Its settings are read from the environment under plain names (HOST, PORT, API_KEY, SEED, MODEL, ...), so only what a
# process needs to run goes along.
_KEPT: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "CONDA_PREFIX"),
        *("TMP", "TEMP", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    }
)
_KEPT_PREFIXES: Final = (
    *("LC_", "LD_", "DYLD_", "PYTHON", "OMP_", "KMP_", "GOMP_", "XDG_"),
    *("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "ROCM_", "HSA_", "GGML_", "VK_", "SYCL_", "ZE_", "ONEAPI_", "MTL_"),
)


class LlamaCppPython:
    """Starts `python -m llama_cpp.server`.

    It can do less than llama.cpp's own server; `declared` tells, and the client acts on it: no slots, no usage in
    streams, no images, no token counting.
    """

    name = "llama-cpp-python"

    def command(self, spec: EngineSpec) -> Command:
        """See `Launcher`."""
        missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise StartError(
                f"The engine llama-cpp-python is not installed (missing: {', '.join(missing)}). Install it with "
                "`pip install 'localaik[llama-cpp-python]'`, which compiles it, or choose another one with "
                "LOCALAIK_ENGINE."
            )
        if spec.chat_template is not None:
            raise StartError(
                "llama-cpp-python's server takes no chat template: leave out LOCALAIK_CHAT_TEMPLATE, or choose another "
                "engine with LOCALAIK_ENGINE."
            )
        options: dict[str, object] = {
            "--model": spec.model,
            "--model_alias": spec.alias,
            "--host": "127.0.0.1",
            "--port": 0,
            "--n_ctx": spec.ctx_size,
            "--n_threads": spec.threads,
            "--n_threads_batch": spec.threads_batch,
            "--n_batch": spec.batch_size,
            "--n_ubatch": spec.ubatch_size,
            "--n_gpu_layers": spec.gpu_layers,
            "--flash_attn": str(spec.flash_attn == "on").lower(),
            "--use_mlock": str(spec.mlock).lower(),
            "--embedding": str(spec.embeddings).lower(),
            "--interrupt_requests": "false",  # else a second request cuts off a running stream
        }
        pairs = [str(word) for option in options.items() for word in option]
        argv = guarded([sys.executable, "-P", "-m", "llama_cpp.server", *pairs])
        return Command(argv, _environment(), _ADDRESS, health_path="/v1/models")

    def declared(self, spec: EngineSpec) -> Capabilities:
        """See `Launcher`: it tells nothing but the model's name."""
        return dataclasses.replace(LLAMA_CPP_PYTHON, model_id=spec.alias, context_tokens=spec.ctx_size)


def _environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() in _KEPT or name.upper().startswith(_KEPT_PREFIXES)
    }
    return child_environment(kept)
