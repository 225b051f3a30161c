"""A real engine in a child process, for measuring and testing the models that were made.

It needs the standard library and xllamacpp. As a module (`python -m tools.tinymodel.engine JSON`) it is that child:
it loads the model, prints its address and lives until its standard input closes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Engine", "running_engine"]

_REQUEST_TIMEOUT_SECONDS = 300
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Engine:
    """Address of a running engine and its process id. JSON values come back as plain Python objects."""

    url: str
    pid: int

    def get(self, route: str) -> Any:  # noqa: ANN401 - JSON
        """GET a route and parse the JSON answer. Raises `urllib.error.HTTPError` for a status of 400 or more."""
        with urllib.request.urlopen(self.url + route, timeout=_REQUEST_TIMEOUT_SECONDS) as response:
            return json.load(response)

    def post(self, route: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """POST a JSON body and parse the JSON answer. Raises `urllib.error.HTTPError` for a status of 400 or more."""
        request = urllib.request.Request(
            self.url + route, json.dumps(body).encode("utf-8"), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_SECONDS) as response:
            return json.load(response)

    def chat(self, messages: str | list[dict[str, Any]], **options: object) -> dict[str, Any]:
        """One chat completion at temperature 0; a text is taken as a single user message. Gives the whole response."""
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        answer: dict[str, Any] = self.post(
            "/v1/chat/completions", {"messages": turns, "temperature": 0, "max_tokens": 400, "seed": 1} | options
        )
        return answer

    def tokenize(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text without `<bos>`; `special` says whether control tokens in it are recognised."""
        body = {"content": text, "add_special": False, "parse_special": special}
        return [int(token) for token in self.post("/tokenize", body)["tokens"]]

    def detokenize(self, tokens: list[int]) -> str:
        """The text of token ids."""
        return str(self.post("/detokenize", {"tokens": tokens})["content"])


@contextmanager
def running_engine(
    model: Path, *, mmproj: Path | None = None, embedding: bool = False, slots: int = 1, slot_context: int = 8192
) -> Iterator[Engine]:
    """Start an engine with one thread on an ephemeral port, and end it on exit.

    Raises RuntimeError if it does not load.
    """
    options = {
        "model": str(model),
        "mmproj": str(mmproj) if mmproj else "",
        "embedding": embedding,
        "slots": slots,
        "slot_context": slot_context,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.tinymodel.engine", json.dumps(options)],
        cwd=_REPOSITORY,
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the engine did not load {model.name}: exit status {process.wait()}")
        try:
            yield Engine(json.loads(line)["listening"], process.pid)
        finally:
            process.stdin.close()


def _serve(options: dict[str, Any]) -> None:
    import xllamacpp  # noqa: PLC0415 - only the child loads the engine's library

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.mmproj.path = options["mmproj"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = options["slots"]
    params.n_ctx = options["slots"] * options["slot_context"]
    params.n_batch = 2048
    params.n_ubatch = options["slot_context"] if options["embedding"] else 512
    params.embedding = options["embedding"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.prefill_assistant = False
    params.ui = False
    params.warmup = False
    params.cache_ram_mib = 0
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(json.dumps({"listening": server.listening_address}), flush=True)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
