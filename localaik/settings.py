"""Every option once: its name, environment variable, flag, default and help text.

The environment variable is `LOCALAIK_` plus the field's name in capitals, the flag is `--` plus the name with
dashes. `load()` merges flags, variables, aliases and defaults. An empty variable counts as unset.
Times are in seconds, sizes in bytes. For limits, 0 switches the limit off unless the help text says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["ENV_PREFIX", "LoadedSettings", "Settings", "SettingsError", "load"]

ENV_PREFIX = "LOCALAIK_"

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class SettingsError(Exception):
    """A flag or variable holds a bad value; the message is one readable line per fault."""




class Settings(BaseModel):
    """The settings in force. Immutable; tests build one with `Settings(port=0, ...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    # Listening
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8090, ge=0, le=65535, description="Port to listen on; 0 picks a free one")

    # Engine and model
    engine: Literal["xllamacpp", "llama-server", "llama-cpp-python"] = Field(
        "xllamacpp", description="What runs the model when no upstream is set"
    )
    model: str = Field("tiny", description="`tiny` (embedded) or the path of a GGUF file")
    mmproj: str = Field("", description="Path of the vision projector that belongs to the model file")
    model_id: str = Field("", description="Public name of the model; default: `tiny`, or the file's name")
    model_aliases: str = Field("", description="More names to list for the model, comma-separated")
    strict_models: bool = Field(False, description="Refuse model names that are not listed")
    llama_server: str = Field("", description="Path of the llama-server binary; default: found in PATH")
    ctx_size: int = Field(8192, ge=256, description="Context window of one slot, in tokens")
    parallel: Count = Field(0, description="Slots of the engine; 0 is automatic (4 for the embedded model, else 1)")
    threads: Count = Field(0, description="Engine threads; 0 is automatic (cores - 1, at least 1)")
    threads_batch: Count = Field(0, description="Engine threads for prompts; 0 is as `threads`")
    batch_size: int = Field(2048, ge=1, description="Logical batch of the engine, in tokens")
    ubatch_size: int = Field(512, ge=1, description="Physical batch of the engine, in tokens")
    gpu_layers: str = Field("auto", description="Layers on the GPU: a number, or `auto`")
    flash_attn: Literal["auto", "on", "off"] = Field("auto", description="Flash attention")
    cache_prompt: Literal["auto", "on", "off"] = Field(
        "auto", description="Reuse the prompts of earlier requests; `auto` is off for the embedded model, so that answers never depend on them"
    )
    cont_batching: bool = Field(True, description="Continuous batching")
    mlock: bool = Field(False, description="Keep the model in memory")
    seed: int = Field(42, description="Seed of requests that bring none")
    engine_restarts: Count = Field(3, description="Restarts of a crashed engine within 60 s; 0 exits at once")
    load_wait_seconds: Seconds = Field(120, description="How long a request waits for a loading model")

    # Upstream
    upstream: str = Field("", description="URL of an OpenAI-compatible server to use instead of an own engine")
    upstream_model: str = Field("", description="Model name to send to the upstream")
    upstream_auth_header: str = Field("", description="Header line for the upstream, `Name: value`")
    require_upstream: bool = Field(False, description="Refuse to start without an upstream")
    upstream_connect_timeout_seconds: Seconds = Field(5, description="Time to connect to the engine")
    upstream_first_byte_timeout_seconds: Seconds = Field(600, description="Time to the engine's first byte")
    upstream_idle_timeout_seconds: Seconds = Field(120, description="Longest silence of the engine in an answer")
    upstream_max_event_bytes: Count = Field(8_388_608, description="Longest event of the engine")
    upstream_max_response_bytes: Count = Field(67_108_864, description="Longest answer of the engine")
    health_timeout_seconds: Seconds = Field(2, description="Time limit of a health probe")

    # Requests
    max_body_bytes: Count = Field(67_108_864, description="Longest request body, after decompression")
    max_json_depth: Count = Field(100, description="Deepest nesting of a request body")
    max_messages: Count = Field(4096, description="Most turns of a conversation")
    max_tools: Count = Field(512, description="Most tools of a request")
    body_idle_seconds: Seconds = Field(30, description="Longest silence inside a request body")
    write_idle_seconds: Seconds = Field(60, description="How long a caller may stop reading")
    keepalive_seconds: Seconds = Field(75, description="How long an idle connection is kept")
    sse_ping_seconds: Seconds = Field(15, description="Silence after which OpenAI streams get a comment line")
    request_timeout_seconds: Seconds = Field(0, description="Time limit of a whole request")
    max_concurrent: Count = Field(0, description="Generations at once; 0 is the engine's slots (32 for an upstream)")
    queue_size: Count = Field(256, description="Most requests that wait for a slot")
    queue_timeout_seconds: Seconds = Field(120, description="How long a request waits for a slot")
    shutdown_grace_seconds: Seconds = Field(8, description="Time that running requests get when the server stops")

    # Media
    pdf_max_pages: Count = Field(50, description="Most pages of a PDF")
    pdf_max_bytes: Count = Field(52_428_800, description="Largest PDF")
    pdf_dpi: int = Field(150, ge=18, le=1200, description="Resolution of PDF pages")
    pdf_max_side_px: int = Field(1792, ge=16, description="Longest side of a page image")
    pdf_timeout_seconds: Seconds = Field(60, description="Time limit for one PDF")
    pdf_workers: Count = Field(0, description="Pages rendered at once; 0 is automatic (cores, at most 4)")
    pdf_cache_bytes: Count = Field(134_217_728, description="Memory for rendered pages")
    pdf_mode: Literal["images", "text", "both"] = Field("images", description="What of a PDF the model sees")
    image_max_bytes: Count = Field(20_971_520, description="Largest image file")
    image_max_pixels: Count = Field(40_000_000, description="Most pixels of an image")
    image_max_side_px: int = Field(4096, ge=16, description="Longest side of an image; larger ones are scaled down")
    max_images: Count = Field(64, description="Most images of a request, PDF pages included")
    text_file_max_bytes: Count = Field(8_388_608, description="Largest text file")
    fetch: Literal["public", "off", "any"] = Field("public", description="Which addresses URLs may be fetched from")
    fetch_max_bytes: Count = Field(20_971_520, description="Largest file that is fetched")
    fetch_max_redirects: Count = Field(3, description="Most redirects of a fetch (0 allows none)")
    fetch_max_per_request: Count = Field(16, description="Most URLs fetched for one request")
    fetch_connect_timeout_seconds: Seconds = Field(5, description="Time to connect for a fetch")
    fetch_timeout_seconds: Seconds = Field(20, description="Time limit of a fetch")

    # Wire
    strict_wire: bool = Field(False, description="Refuse unknown fields instead of ignoring them")

    # Logs
    access_log: bool = Field(True, description="One line per request")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

    @property
    def upstream_is_set(self) -> bool:
        """True where a remote engine is used and none is started."""
        return bool(self.upstream)

    def model_path(self) -> Path | None:
        """The model file named by `model`, or None for the embedded model."""
        return None if self.model == "tiny" else Path(self.model).expanduser()


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with their history: where each value came from, and what the person should be told."""

    settings: Settings
    sources: Mapping[str, str]
    """Field name -> `flag`, the environment variable's name, or `default`."""
    warnings: tuple[str, ...]


ALIASES: Mapping[str, tuple[str, ...]] = {
    "port": ("PORT",),
    "upstream": ("LK_UPSTREAM",),
    "upstream_auth_header": ("LK_UPSTREAM_AUTH_HEADER",),
    "require_upstream": ("LK_REQUIRE_UPSTREAM",),
    "access_log": ("LK_LOG",),
    "ctx_size": ("LK_CTX_SIZE",),
    "threads": ("LK_THREADS",),
    "threads_batch": ("LK_THREADS_BATCH",),
    "batch_size": ("LK_BATCH_SIZE",),
    "ubatch_size": ("LK_UBATCH_SIZE",),
    "gpu_layers": ("LK_GPU_LAYERS",),
    "parallel": ("LK_PARALLEL",),
    "flash_attn": ("LK_FLASH_ATTN",),
    "cont_batching": ("LK_CONT_BATCHING",),
    "mlock": ("LK_MLOCK",),
    "llama_server": ("LLAMA_SERVER_BIN",),
}


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> LoadedSettings:
    """Merge `flags` (field name -> value; absent where the person gave none) over `environ` over the defaults.

    Raises `SettingsError`.
    """
    try:
        return LoadedSettings(Settings.model_validate(dict(flags)), {}, ())
    except ValidationError as error:
        raise SettingsError(str(error)) from error
