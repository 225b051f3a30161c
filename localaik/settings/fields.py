"""The settings themselves: names, types, defaults and help texts."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from localaik.settings.access import read_hosts, read_origins, read_surfaces
from localaik.settings.rates import read_proxies, read_rates

__all__ = ["LIMITS", "SECRETS", "SECTIONS", "ChatProfile", "PdfMode", "Settings"]

_EMBEDDED_MODEL: Final = "tiny"
_EMBEDDED_SLOTS: Final = 4
_MOST_PAGES_AT_ONCE: Final = 4

ChatProfile = Literal["passthrough", "subset"]
PdfMode = Literal["images", "text", "both"]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _readable_by(read: Callable[[str], object]) -> Callable[[str], str]:
    """A check that refuses the texts that `read` refuses; it leaves the others, and an empty one, as they are."""

    def check(text: str) -> str:
        if text:
            read(text)
        return text

    return check


class Settings(BaseModel):
    """The settings in force. Immutable; tests build one with `Settings(port=0, ...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on, or several with commas")
    port: int = Field(8090, ge=0, le=65535, description="Port to listen on; 0 picks a free one")
    workers: int = Field(
        1, ge=1, le=64, description="Processes that answer requests; they share the port, the engine and all limits"
    )
    api_key: str = Field(
        "",
        repr=False,
        description="Keys that callers must show one of, comma-separated, or `@` and the path of a file with one on "
        "each line; default: whoever reaches the port may call",
    )
    allowed_hosts: Annotated[str, AfterValidator(_readable_by(read_hosts))] = Field(
        "",
        description="More names that this server may be called by (`*.name` for all below one) while it listens on "
        "loopback and asks for no key",
    )
    cors_origin: Annotated[str, AfterValidator(_readable_by(read_origins))] = Field(
        "",
        description="Web pages that may call: `*` is all; default: `*`, but `none` with a credential for an upstream",
    )
    surfaces: Annotated[str, AfterValidator(_readable_by(read_surfaces))] = Field(
        "all", min_length=1, description="Groups of routes that are served; what belongs to another one is not there"
    )
    trusted_proxies: Annotated[str, AfterValidator(_readable_by(read_proxies))] = Field(
        "",
        description="Proxies that are believed about who calls (`X-Forwarded-For`): addresses and networks, "
        "comma-separated",
    )

    engine: Literal["xllamacpp", "llama-server", "llama-cpp-python"] = Field(
        "xllamacpp", description="What runs the model when no upstream is set"
    )
    model: str = Field("tiny", min_length=1, description="`tiny` (embedded) or the path of a GGUF file")
    mmproj: str = Field("", description="Path of the vision projector that belongs to the model file")
    chat_template: str = Field("", description="Path of a Jinja file to use instead of the model's own chat template")
    model_id: str = Field("", description="Public name of the model; default: `tiny`, or the file's name")
    model_aliases: str = Field("", description="More names to list for the model, comma-separated")
    strict_models: bool | None = Field(
        None,
        description="Refuse model names that are not listed; default: `on` with the chat profile `subset`, else `off`",
    )
    llama_server: str = Field("", description="Path of the llama-server binary; default: found in PATH")
    ctx_size: int = Field(8192, ge=256, description="Context window of one slot, in tokens")
    parallel: Count = Field(0, description="Slots of the engine; 0 is automatic (4 for the embedded model, else 1)")
    threads: Count = Field(0, description="Engine threads; 0 is automatic (cores - 1, at least 1)")
    threads_batch: Count = Field(0, description="Engine threads for prompts; 0 is as `threads`")
    batch_size: int = Field(2048, ge=1, description="Logical batch of the engine, in tokens")
    ubatch_size: int = Field(512, ge=1, description="Physical batch of the engine, in tokens")
    gpu_layers: str = Field("auto", pattern=r"^(auto|-1|\d+)$", description="Layers on the GPU: a number, or `auto`")
    flash_attn: Literal["auto", "on", "off"] = Field("auto", description="Flash attention")
    cache_prompt: Literal["auto", "on", "off"] = Field(
        "auto", description="Reuse earlier prompts; `auto` is off for the embedded model: no answer depends on others"
    )
    cont_batching: bool = Field(True, description="Continuous batching")
    mlock: bool = Field(False, description="Keep the model in memory")
    seed: int = Field(42, description="Seed of requests that bring none")
    tool_calls: Literal["auto", "native", "prompt"] = Field(
        "auto",
        description="How a model is told of functions: by its own template, by a prompt of localaik's, or `auto`: by "
        "its own template where the engine says that it takes functions",
    )
    thinking_pass: bool = Field(
        True, description="Let a model that was not taught to reason think first where thoughts are asked for (Gemini)"
    )

    upstream: str = Field(
        "", repr=False, description="URL of an OpenAI-compatible server to use instead of an own engine"
    )
    upstream_model: str = Field("", description="Model name to send to the upstream")
    upstream_auth_header: str = Field("", repr=False, description="Header line for the upstream, `Name: value`")
    upstream_constraint: Literal["auto", "grammar", "json_schema", "none"] = Field(
        "auto", description="What the upstream can hold an answer to; `auto` is what it is known for"
    )
    require_upstream: bool = Field(False, description="Refuse to start without an upstream")

    engine_restarts: Count = Field(3, description="Restarts of a crashed engine within 60 s; 0 exits at once")
    load_wait_seconds: Seconds = Field(120, description="How long a request waits for a loading model")
    upstream_connect_timeout_seconds: Seconds = Field(5, description="Time to connect to the engine")
    upstream_first_byte_timeout_seconds: Seconds = Field(600, description="Time to the engine's first byte")
    upstream_idle_timeout_seconds: Seconds = Field(120, description="Longest silence of the engine in an answer")
    upstream_max_event_bytes: Count = Field(8_388_608, description="Longest event of the engine")
    upstream_max_response_bytes: Count = Field(67_108_864, description="Longest answer of the engine")
    health_timeout_seconds: Seconds = Field(2, description="Time limit of a health probe")

    embeddings: Literal["lazy", "start", "off"] = Field(
        "lazy", description="When the engine for embeddings starts: with its first request, with the server, or never"
    )
    embedding_model: str = Field(
        "tiny",
        min_length=1,
        description="`tiny` (embedded) or the path of a GGUF file; with an upstream, the model name to send to it",
    )
    embedding_upstream: str = Field(
        "", repr=False, description="URL of an OpenAI-compatible server to ask for embeddings; default: the upstream"
    )
    embedding_upstream_auth_header: str = Field(
        "", repr=False, description="Header line for the server of `embedding_upstream`, `Name: value`"
    )
    embedding_prefixes: Literal["auto", "embeddinggemma", "none"] = Field(
        "auto", description="Words put before a text to tell the task; `auto`: EmbeddingGemma's for models of that name"
    )
    embedding_ctx_size: int = Field(2048, ge=64, description="Longest text to embed, in tokens")
    embedding_truncate: bool = Field(True, description="Cut longer texts instead of refusing them")
    embedding_idle_seconds: Seconds = Field(600, description="Idle time after which the engine for embeddings ends")
    embedding_cache_bytes: Count = Field(16_777_216, description="Memory for embeddings; 0 keeps none")

    rate_limits: Annotated[str, AfterValidator(_readable_by(read_rates))] = Field(
        "",
        description="Most calls of one client, for each group of routes: `embed=5/10,chat=10/60` are 5 calls in 10 s "
        "and 10 in 60 s; `egemma` is `embed=5/10,summarize=2/60,chat=100/60,conversation=100/60`; default: any number",
    )
    max_body_bytes: Count = Field(67_108_864, description="Longest request body, after decompression")
    max_json_depth: Count = Field(100, description="Deepest nesting of a request body")
    max_messages: Count = Field(4096, description="Most turns of a conversation")
    max_tools: Count = Field(512, description="Most functions of a request")
    body_idle_seconds: Seconds = Field(30, description="Longest silence inside a request body")
    write_idle_seconds: Seconds = Field(60, description="How long a caller may stop reading")
    keepalive_seconds: Seconds = Field(75, description="How long an idle connection is kept")
    header_timeout_seconds: Seconds = Field(10, description="Time for the head of a request, from its first byte on")
    max_connections: Count = Field(2048, description="Most connections; further callers get a 503. 0 is no limit")
    sse_ping_seconds: Seconds = Field(15, description="Silence after which OpenAI streams get a comment line")
    request_timeout_seconds: Seconds = Field(0, description="Time limit of a whole request")
    max_concurrent: Count = Field(0, description="Generations at once; 0 is the engine's slots (32 for an upstream)")
    queue_size: Count = Field(256, description="Most requests that wait for a slot")
    queue_timeout_seconds: Seconds = Field(120, description="How long a request waits for a slot")
    shutdown_grace_seconds: Seconds = Field(8, description="Time that running requests get when the server stops")

    pdf_max_pages: Count = Field(50, description="Most pages of a PDF")
    pdf_max_bytes: Count = Field(52_428_800, description="Largest PDF")
    pdf_dpi: int = Field(150, ge=18, le=1200, description="Resolution of PDF pages")
    pdf_max_side_px: int = Field(1792, ge=16, description="Longest side of a page image")
    pdf_timeout_seconds: Seconds = Field(60, description="Time limit for one PDF")
    pdf_workers: Count = Field(0, description="Pages rendered at once; 0 is automatic (cores, at most 4)")
    pdf_memory_bytes: Count = Field(
        1_073_741_824, description="Most memory of one program that renders PDF pages (Linux); 0 is no limit"
    )
    pdf_cache_bytes: Count = Field(134_217_728, description="Memory for rendered pages; 0 keeps none")
    pdf_mode: PdfMode = Field("images", description="What of a PDF the model sees")
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

    chat_profile: ChatProfile = Field(
        "passthrough",
        description="Requests of OpenAI's chat: all that is known, other fields travel on to the engine; or a small "
        "strict subset",
    )
    strict_wire: bool = Field(False, description="Refuse unknown fields instead of ignoring them")
    thought_signatures: Literal["accept", "strict"] = Field("accept", description="Check signatures of gemini-3 calls")
    server_tools: Literal["ignore", "refuse"] = Field(
        "ignore", description="Whether OpenAI's own tools (web search, code interpreter, ...) may be declared"
    )
    flag_marker: str = Field(
        "LOCALAIK_FLAG:", description="Text that moderations flag, with the name of a category behind it; empty: none"
    )
    egemma_compat: bool = Field(False, description="Add to OpenAI answers what clients of eGemma read")

    access_log: bool = Field(True, description="One line per request")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    log_format: Literal["text", "json"] = Field(
        "text", description="Form of the log: lines for people, or one JSON object per line"
    )
    metrics: bool = Field(True, description="Serve `GET /metrics` in the text format of Prometheus")
    otel: bool = Field(
        False, description="Send traces to OpenTelemetry (OTLP over HTTP, set up by its own `OTEL_` variables)"
    )

    state: Literal["disk", "memory"] = Field(
        "disk", description="Where uploaded files are kept: `memory` forgets them when the server stops"
    )
    data_dir: str = Field(
        "", description="Folder of what is kept on disk; default: `localaik` in the user's data folder"
    )
    database_url: str = Field(
        "",
        repr=False,
        description="SQLAlchemy URL of the database that lists what is kept; default: SQLite in `data_dir`",
    )
    session_overflow: Literal["refuse", "drop_oldest"] = Field(
        "refuse", description="What happens when a session has outgrown the context window"
    )
    compaction: Literal["digest", "model"] = Field(
        "digest", description="Who shortens a long conversation: localaik, always alike, or the model"
    )

    file_ttl_hours: int = Field(
        48, ge=0, le=876_000, description="Hours after which an uploaded file is deleted; 0 keeps it"
    )
    max_file_bytes: Count = Field(2_147_483_648, description="Largest uploaded file")
    max_stored_bytes: Count = Field(
        21_474_836_480, description="Most bytes of all uploaded files together, and of all cached contents together"
    )
    state_ttl_hours: int = Field(
        720, ge=0, le=876_000, description="Hours after which a stored answer is deleted; 0 keeps it"
    )
    max_state_bytes: Count = Field(
        2_147_483_648, description="Most bytes of stored answers; the oldest are deleted for new ones"
    )
    session_wait_seconds: Seconds = Field(60, description="How long a request waits for another one of its session")
    websocket_seconds: Seconds = Field(3600, description="How long a WebSocket may stay open")
    batch_concurrency: int = Field(1, ge=1, description="Requests of batches that run at once, beside all others")

    @property
    def upstream_is_set(self) -> bool:
        """True where a remote engine is used and none is started."""
        return bool(self.upstream)

    @property
    def cors(self) -> str:
        """`cors_origin`, or its default. With a credential of ours in it, the server is not for just any page."""
        if self.cors_origin:
            return self.cors_origin
        holds_credential = bool(self.upstream_auth_header or self.embedding_upstream_auth_header) or any(
            mark in url for url in (self.upstream, self.embedding_upstream) for mark in "@?"
        )
        return "none" if holds_credential else "*"

    def serves(self, surface: str) -> bool:
        """Whether a group of routes is switched on."""
        return surface in read_surfaces(self.surfaces)

    @property
    def names_are_strict(self) -> bool:
        """`strict_models`, or its default."""
        return self.chat_profile == "subset" if self.strict_models is None else self.strict_models

    @property
    def slots(self) -> int:
        """Slots of an engine started here."""
        return self.parallel or (_EMBEDDED_SLOTS if self.model_path() is None else 1)

    def model_path(self) -> Path | None:
        """The model file named by `model`, or None for the embedded model."""
        return None if self.model == _EMBEDDED_MODEL else Path(self.model).expanduser()

    @property
    def pages_at_once(self) -> int:
        """Pages of PDFs that are rendered at once."""
        return self.pdf_workers or min(_MOST_PAGES_AT_ONCE, os.cpu_count() or 1)

    @property
    def embedding_url(self) -> str:
        """The URL of the remote server that embeds, or "" where an engine is started for it."""
        return self.embedding_upstream or self.upstream

    def embedding_model_path(self) -> Path | None:
        """The model file named by `embedding_model`, or None for the embedded one."""
        return None if self.embedding_model == _EMBEDDED_MODEL else Path(self.embedding_model).expanduser()

    def data_path(self) -> Path:
        """The folder of what is kept on disk: `data_dir`, or `localaik` in the platform's folder of a user's data."""
        return Path(self.data_dir).expanduser() if self.data_dir else _user_data_folder(os.environ) / "localaik"


SECTIONS: Final[Mapping[str, str]] = {
    "host": "Listening",
    "engine": "Engine and model",
    "upstream": "Upstream",
    "engine_restarts": "Engine limits",
    "embeddings": "Embeddings",
    "rate_limits": "Requests",
    "pdf_max_pages": "Media",
    "chat_profile": "Wire",
    "access_log": "Logs",
    "state": "Storage",
    "file_ttl_hours": "Storage limits",
}
"""First field of each group of settings -> the group's title."""

LIMITS: Final = ("Engine limits", "Requests", "Media", "Storage limits")
"""Groups of settings that bound what callers can use."""

SECRETS: Final = frozenset(
    {"api_key", "upstream_auth_header", "embedding_upstream", "embedding_upstream_auth_header", "database_url"}
)
"""Fields whose value is never shown."""


def _user_data_folder(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps a user's data (XDG Base Directory Specification, and Apple's and Microsoft's ways)."""
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = Path(environ.get("XDG_DATA_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".local" / "share"
