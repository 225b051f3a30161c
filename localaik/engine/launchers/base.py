"""What a launcher is: a way to turn "this model, these limits" into a process that serves it on loopback."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from localaik.engine.capabilities import Capabilities
from localaik.engine.hardware import engine_threads, gpu_layers
from localaik.settings import Settings

__all__ = ["Command", "EngineSpec", "Launcher", "StartError", "child_environment"]

_GGUF_MAGIC: Final = b"GGUF"
# llama.cpp takes options (LLAMA_ARG_*), an API key, a media marker and a port (AIP_*) from the environment, which would
# undo what we ask for; our own variables hold credentials that are none of the engine's business.
_DROPPED_PREFIXES: Final = ("LLAMA_", "AIP_", "LOCALAIK_", "LK_", "WORKBENCH_API_KEY", "GEMMAKIT_API_KEY")


class StartError(Exception):
    """The server can't start as it is set up. The message is for the person; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What to run, for any launcher. Sizes in tokens."""

    model: Path
    alias: str
    """The name that the engine gives the model."""
    mmproj: Path | None = None
    """Vision projector."""
    chat_template: Path | None = None
    """Jinja file that replaces the model's own template."""
    ctx_size: int = 8192
    """Context of one slot; the engine is given `ctx_size * slots`."""
    slots: int = 1
    threads: int = 1
    threads_batch: int = 1
    batch_size: int = 2048
    ubatch_size: int = 512
    gpu_layers: int = -1
    flash_attn: str = "auto"
    """`auto`, `on` or `off`."""
    cont_batching: bool = True
    mlock: bool = False
    embeddings: bool = False
    """Run as an embedding engine; it can't generate then."""
    warmup: bool = True
    """Run once before the first request; worth it for models that take noticeable time to page in."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The engine that `settings` describe. Raises `StartError` for a file that is missing or can't be used."""
        path = settings.model_path()
        tiny = path is None
        threads = engine_threads(settings)
        return cls(
            model=_checked(_embedded_model() if path is None else path, "model", "LOCALAIK_MODEL", embedded=tiny),
            mmproj=_projector(settings, tiny=tiny),
            chat_template=_chat_template(settings),
            alias=settings.model_id or (settings.model if path is None else path.stem),
            ctx_size=settings.ctx_size,
            slots=settings.slots,
            threads=threads,
            threads_batch=settings.threads_batch or threads,
            batch_size=settings.batch_size,
            ubatch_size=settings.ubatch_size,
            gpu_layers=gpu_layers(settings),
            flash_attn=settings.flash_attn,
            cont_batching=settings.cont_batching,
            mlock=settings.mlock,
            warmup=not tiny,
        )

    @classmethod
    def for_embeddings(cls, settings: Settings) -> Self:
        """The engine that embeds. Raises `StartError` for a file that is missing or can't be used.

        One slot: texts that share a batch change each other's last bits, and the same text must give the same vector.
        """
        path = settings.embedding_model_path()
        tiny = path is None
        threads = engine_threads(settings)
        file = _embedded_embedding() if path is None else path
        return cls(
            model=_checked(file, "embedding model", "LOCALAIK_EMBEDDING_MODEL", embedded=tiny),
            alias=file.stem,
            ctx_size=settings.embedding_ctx_size,
            batch_size=settings.embedding_ctx_size,
            ubatch_size=settings.embedding_ctx_size,
            threads=threads,
            threads_batch=settings.threads_batch or threads,
            gpu_layers=gpu_layers(settings),
            flash_attn=settings.flash_attn,
            mlock=settings.mlock,
            embeddings=True,
            warmup=not tiny,
        )

    @property
    def ctx_total(self) -> int:
        """What llama.cpp calls `n_ctx`: the context of all slots together."""
        return self.ctx_size * self.slots


@dataclass(frozen=True, slots=True)
class Command:
    """How to start one engine process."""

    argv: Sequence[str]
    env: Mapping[str, str]
    """The whole environment of the process."""
    address: re.Pattern[str]
    """Matches the line of output, on either stream, that tells the address; group 1 is `http://127.0.0.1:<port>`."""
    health_path: str = "/health"
    """Answers 200 once the model is loaded."""


class Launcher(Protocol):
    """One kind of engine that can be started here."""

    @property
    def name(self) -> str:
        """As in the setting `engine`."""
        ...

    def command(self, spec: EngineSpec) -> Command:
        """How to start it. Raises `StartError` where its program or package is missing, saying how to get it."""
        ...

    def declared(self, spec: EngineSpec) -> Capabilities:
        """What is known of the engine without asking it."""
        ...


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for an engine: `environ` (default: ours) without what would steer llama.cpp behind our back.

    OpenMP's workers wait passively unless the person says otherwise: spinning ones starve each other on a busy machine.
    """
    source = os.environ if environ is None else environ
    env = {name: value for name, value in source.items() if not name.upper().startswith(_DROPPED_PREFIXES)}
    env.setdefault("OMP_WAIT_POLICY", "passive")
    return env


def _embedded_model() -> Path:
    from localaik.assets import tiny_model  # noqa: PLC0415 - not needed with any other model

    return tiny_model()


def _embedded_embedding() -> Path:
    from localaik.assets import tiny_embedding  # noqa: PLC0415 - as above

    return tiny_embedding()


def _projector(settings: Settings, *, tiny: bool) -> Path | None:
    if settings.mmproj:
        return _checked(Path(settings.mmproj).expanduser(), "vision projector", "LOCALAIK_MMPROJ")
    if not tiny:
        return None
    from localaik.assets import tiny_mmproj  # noqa: PLC0415 - as above

    return _checked(tiny_mmproj(), "vision projector", "LOCALAIK_MMPROJ", embedded=True)


def _chat_template(settings: Settings) -> Path | None:
    """The absolute path of a readable text file, which is UTF-8. Raises `StartError`."""
    if not settings.chat_template:
        return None
    path = Path(settings.chat_template).expanduser()
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise StartError(f"The chat template {path} does not exist. Check LOCALAIK_CHAT_TEMPLATE.") from None
    except OSError as error:
        raise StartError(
            f"The chat template {path} can't be read: {error.strerror}. Check LOCALAIK_CHAT_TEMPLATE."
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise StartError(f"The chat template {path} holds no text. Check LOCALAIK_CHAT_TEMPLATE.")
    return path.absolute()


def _checked(path: Path, what: str, setting: str, *, embedded: bool = False) -> Path:
    """The absolute path of a readable GGUF file. Raises `StartError`."""
    remedy = "This installation is incomplete: install localaik again." if embedded else f"Check {setting}."
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except FileNotFoundError:
        raise StartError(f"The {what} file {path} does not exist. {remedy}") from None
    except OSError as error:
        raise StartError(f"The {what} file {path} can't be read: {error.strerror}. {remedy}") from None
    if magic != _GGUF_MAGIC:
        raise StartError(f"The {what} file {path} is no GGUF file. {remedy}")
    return path.absolute()
