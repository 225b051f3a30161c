"""What `localaik doctor` looks at. Each check answers for one thing and changes nothing."""

import hashlib
import http.client
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from yarl import URL

from localaik import __version__
from localaik.assets import tiny_model
from localaik.engine.embedding import embedding_upstream
from localaik.engine.hardware import summary
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec, StartError, child_environment
from localaik.engine.upstream import Upstream
from localaik.media.poppler import missing_poppler, poppler_version
from localaik.server.listening import listen
from localaik.settings import Settings, read_keys
from localaik.state.diagnosis import StoreProblem, store_place

__all__ = ["Check", "Verdict", "run_checks"]

Verdict = Literal["ok", "warning", "fault"]

_CHECKSUMS: Final = "SHA256SUMS"
_MODULES: Final = {"xllamacpp": "xllamacpp", "llama-cpp-python": "llama_cpp"}
_IMPORT_SECONDS: Final = 60
_NOT_A_ROUTE: Final = frozenset({404, 405, 501})
_INSTALL_LIBRARIES: Final = "Debian, Ubuntu: apt-get install libgomp1 libstdc++6"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    """A `warning` leaves a part out of order, a `fault` keeps the server from working."""
    detail: str
    """What was found, and the remedy where something is wrong."""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Every check that these settings call for, the general ones first."""
    yield Check("localaik", "ok", f"{__version__} in {Path(__file__).parent.parent}")
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield Check("platform", "ok", platform.platform())
    if settings.upstream_is_set:
        yield check_upstream(settings)
    else:
        yield from check_machine(settings)
        yield check_engine(settings)
        yield from check_model(settings)
    yield from check_embeddings(settings)
    yield check_poppler()
    yield check_store(settings)
    yield check_port(settings.host, settings.port)
    yield check_keys(settings)


def check_machine(settings: Settings) -> Iterator[Check]:
    """Processor, memory and the shared libraries that an engine needs."""
    facts = summary()
    memory = facts["memory_bytes"]
    gib = f"{memory / 2**30:.1f} GiB memory" if isinstance(memory, int) else "memory unknown"
    yield Check("machine", "ok", f"{facts['cpu']}, {facts['cores_usable']} cores usable, {gib}")
    if flags := _mapping(facts["cpu_flags"]):
        missing = [flag for flag, present in flags.items() if not present]
        # Only the wheel is compiled for these; another engine may have been built for this very machine.
        verdict: Verdict = "fault" if settings.engine == "xllamacpp" else "warning"
        yield (
            Check(
                "cpu features", verdict, f"no {', '.join(missing)}: use an engine that was compiled for this processor"
            )
            if missing
            else Check("cpu features", "ok", " ".join(flags))
        )
    for name, present in _mapping(facts["libraries"]).items():
        yield (
            Check(name, "ok", "found") if present else Check(name, "fault", f"can't be loaded. {_INSTALL_LIBRARIES}")
        )


def check_engine(settings: Settings) -> Check:
    """Whether the engine's program or package is there and starts."""
    name = f"engine {settings.engine}"
    try:
        create_launcher(settings).command(EngineSpec(tiny_model(), "doctor"))
    except StartError as error:
        return Check(name, "fault", error.message)
    if settings.engine in _MODULES:
        return _check_import(name, _MODULES[settings.engine])
    program = str(Path(settings.llama_server or settings.engine).expanduser())
    return Check(name, "ok", shutil.which(program) or program)


def _check_import(name: str, module: str) -> Check:
    # In a process of its own: on the wrong processor the import ends the process.
    program = f"import {module}; print(getattr({module}, '__version__', 'of unknown version'))"
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=child_environment(),
            timeout=_IMPORT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(name, "fault", f"its import takes more than {_IMPORT_SECONDS} s")
    if done.returncode == 0:
        return Check(name, "ok", done.stdout.strip())
    if done.returncode < 0:
        return Check(name, "fault", f"its import ends with {signal.Signals(-done.returncode).name}")
    reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return Check(name, "fault", f"can't be imported: {reason}")


def check_model(settings: Settings) -> Iterator[Check]:
    """The model's files: there, readable, and for the embedded ones unchanged."""
    try:
        spec = EngineSpec.from_settings(settings)
    except StartError as error:
        yield Check("model", "fault", error.message)
        return
    expected = _checksums(spec.model.with_name(_CHECKSUMS)) if settings.model_path() is None else {}
    for role, path in {"model": spec.model, "projector": spec.mmproj}.items():
        if path is None:
            yield Check(role, "ok", "none: images and PDF pages can't be read")
        else:
            yield check_file(role, path, expected.get(path.name))


def check_file(role: str, path: Path, sha256: str | None) -> Check:
    """A file against its SHA-256, or just its presence where that is None."""
    shown = f"{path}, {path.stat().st_size / 1e6:,.1f} MB"
    if sha256 is None:
        return Check(role, "ok", f"{shown}, no checksum to compare with")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != sha256:
        return Check(role, "fault", f"{shown}: its checksum is wrong. Install localaik again.")
    return Check(role, "ok", f"{shown}, checksum as shipped")


def check_poppler() -> Check:
    """What turns PDF pages into images."""
    version = poppler_version()
    if version is None:
        return Check("poppler", "warning", missing_poppler("pdftoppm").message)
    return Check("poppler", "ok", version)


def check_store(settings: Settings) -> Check:
    """Whether files, responses, batches and sessions could be stored; nothing is made or opened."""
    try:
        return Check("store", "ok", store_place(settings))
    except StoreProblem as problem:
        return Check("store", "warning", f"{problem} Without a store, nothing but plain answers is served.")


def check_port(host: str, port: int) -> Check:
    """Whether the server's port is free."""
    if port == 0:
        return Check("port", "ok", "a free one is picked")
    try:
        (sockets,) = listen(host, port)
    except StartError as error:
        return Check("port", "fault", error.message)
    for listening in sockets:
        listening.close()
    return Check("port", "ok", f"{port} on {host} is free")


def check_keys(settings: Settings) -> Check:
    """Whether callers must show a key; never which."""
    count = len(read_keys(settings.api_key))
    if not count:
        return Check("keys", "ok", "no key is asked for: whoever reaches the port can use the model")
    return Check("keys", "ok", "callers must show the key" if count == 1 else f"callers must show one of {count} keys")


def check_upstream(settings: Settings) -> Check:
    """Whether the configured server answers; asked as `/health` asks it, without following redirects."""
    return _check_server("upstream", Upstream.from_settings, settings)


def check_embeddings(settings: Settings) -> Iterator[Check]:
    """The model that embeds, or the server; nothing where that is the upstream, or embeddings are off."""
    if settings.embeddings == "off":
        return
    if settings.embedding_upstream:
        yield _check_server("embedding upstream", embedding_upstream, settings)
    elif not settings.upstream_is_set:
        yield _check_embedding_model(settings)


def _check_embedding_model(settings: Settings) -> Check:
    role = "embedding model"
    try:
        model = EngineSpec.for_embeddings(settings).model
    except StartError as error:
        return Check(role, "fault", error.message)
    embedded = settings.embedding_model_path() is None
    return check_file(role, model, _checksums(model.with_name(_CHECKSUMS)).get(model.name) if embedded else None)


def _check_server(name: str, find: Callable[[Settings], Upstream], settings: Settings) -> Check:
    try:
        upstream = find(settings)
    except StartError as error:
        return Check(name, "fault", error.message)
    status = 0
    for url in upstream.health_urls:
        try:
            status = _status(url, dict(upstream.headers), settings.health_timeout_seconds or None)
        except (OSError, http.client.HTTPException) as error:
            return Check(name, "fault", f"{upstream.redacted} can't be reached: {type(error).__name__}")
        if status not in _NOT_A_ROUTE:
            break
    verdict: Verdict = "ok" if status == http.client.OK else "fault"
    return Check(name, verdict, f"{upstream.redacted} answers with status {status}")


def _status(url: URL, headers: dict[str, str], seconds: float | None) -> int:
    secure = url.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(url.host or "", url.port, timeout=seconds)
    try:
        connection.request("GET", url.raw_path_qs, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _checksums(path: Path) -> dict[str, str]:
    """File name -> SHA-256, from lines as `sha256sum` writes them."""
    pairs = (line.split(maxsplit=1) for line in path.read_text("utf-8").splitlines() if line.strip())
    return {name.lstrip("*"): digest for digest, name in pairs}


def _mapping(value: object) -> dict[str, bool]:
    return {str(key): bool(present) for key, present in value.items()} if isinstance(value, dict) else {}
