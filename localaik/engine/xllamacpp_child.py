"""Runs llama.cpp's server inside a Python process of its own. Run by path, with one JSON document as its argument.

The document: `parent` (process id), `path` (folder that holds the package `localaik`), `model`, `mmproj` (or null),
`chat_template` (path of a Jinja file, or null), `alias`, `n_ctx` (all slots together), `n_parallel`, `n_threads`,
`n_threads_batch`, `n_batch`, `n_ubatch`, `n_gpu_layers`, `flash_attn` (`auto`, `on`, `off`), `cont_batching`, `mlock`,
`embedding`, `warmup`.

Writes one line `{"listening": "http://127.0.0.1:<port>", "pid": ...}` to its standard output once the model is loaded,
and ends when its standard input does. Logs go to standard error; a model that can't be loaded ends it with status 1.
While a model loads, xllamacpp holds the interpreter lock, so that outside Linux an orphan ends after loading only.

Nothing but xllamacpp is imported, so that the model is ready soon after the process exists.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["main"]

_FLASH_ATTN = {"auto": -1, "off": 0, "on": 1}  # llama.h, enum llama_flash_attn_type
_LOAD_MODE_MMAP_MLOCK = 3  # llama.h, enum llama_load_mode
_LOG_WARNINGS = 2  # common/log.h


def main(document: str) -> int:
    """Load the model and serve it until standard input ends. Returns only when the model can't be loaded."""
    config = json.loads(document)
    sys.path.append(config["path"])
    from localaik.engine.guardian import after_input, die_with_parent  # noqa: PLC0415 - the path is known only now

    die_with_parent(config["parent"])
    watcher = after_input(lambda: os._exit(0))
    # Native code may print; only our own line goes to the parent's pipe.
    report = os.dup(1)
    os.dup2(2, 1)
    try:
        xllamacpp = importlib.import_module("xllamacpp")
    except ImportError as error:
        sys.stderr.write(f"xllamacpp can't be loaded: {error}\n")
        if "libgomp" in str(error):
            sys.stderr.write("Install the OpenMP runtime (Debian and Ubuntu: apt-get install libgomp1).\n")
        return 1
    try:
        server = xllamacpp.Server(_parameters(xllamacpp, config))
    except RuntimeError as error:
        sys.stderr.write(f"the model can't be loaded: {error}\n")
        return 1
    line = json.dumps({"listening": server.listening_address, "pid": os.getpid()})
    os.write(report, line.encode() + b"\n")
    watcher.join()
    return 0


def _parameters(xllamacpp: ModuleType, config: dict[str, object]) -> object:
    """llama.cpp's parameters for `config`. Whatever is left open could be changed by llama.cpp to fit the memory."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = config["model"]
    if config["mmproj"]:
        parameters.mmproj.path = config["mmproj"]
    if config["chat_template"]:
        parameters.chat_template = Path(str(config["chat_template"])).read_text("utf-8")
    parameters.model_alias = {config["alias"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = config["n_ctx"]
    parameters.n_parallel = config["n_parallel"]
    parameters.kv_unified = False
    parameters.cpuparams.n_threads = config["n_threads"]
    parameters.cpuparams_batch.n_threads = config["n_threads_batch"]
    parameters.n_batch = config["n_batch"]
    parameters.n_ubatch = config["n_ubatch"]
    parameters.n_gpu_layers = config["n_gpu_layers"]
    parameters.flash_attn_type = _FLASH_ATTN[str(config["flash_attn"])]
    parameters.cont_batching = config["cont_batching"]
    if config["mlock"]:
        parameters.load_mode = _LOAD_MODE_MMAP_MLOCK
    parameters.embedding = config["embedding"]
    parameters.warmup = config["warmup"]
    parameters.cache_ram_mib = 0
    parameters.use_jinja = True
    parameters.prefill_assistant = False
    parameters.ui = False
    parameters.endpoint_slots = True
    parameters.endpoint_metrics = True
    parameters.offline = True
    parameters.cors_origins = "localhost"  # no page from elsewhere may read our engine's answers
    parameters.verbosity = _LOG_WARNINGS
    return parameters


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
