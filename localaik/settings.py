"""Every option once: its name, environment variable, flag, default and help text.

The environment variable is `LOCALAIK_` plus the field's name in capitals, the flag is `--` plus the name with
dashes. `load()` merges flags, variables, aliases and defaults. An empty variable counts as unset.
Times are in seconds, sizes in bytes. For limits, 0 switches the limit off unless the help text says otherwise.
"""

import ipaddress
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localaik import __version__

__all__ = [
    "ALIASES",
    "ENV_PREFIX",
    "SECRETS",
    "SECTIONS",
    "TEST_PREFIX",
    "LoadedSettings",
    "PdfMode",
    "Settings",
    "SettingsError",
    "allowed_values",
    "flag_name",
    "load",
    "sections",
    "variable_name",
]

ENV_PREFIX: Final = "LOCALAIK_"
TEST_PREFIX: Final = "LOCALAIK_TEST_"
"""Variables of the test suite; `load` takes no notice of them."""

_EMBEDDED_MODEL: Final = "tiny"
_EMBEDDED_SLOTS: Final = 4
_MAX_SHOWN_CHARS: Final = 60

PdfMode = Literal["images", "text", "both"]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SettingsError(Exception):
    """Flags or variables hold bad values. The message has one readable line per fault, as has `lines`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Settings(BaseModel):
    """The settings in force. Immutable; tests build one with `Settings(port=0, ...)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on")
    port: int = Field(8090, ge=0, le=65535, description="Port to listen on; 0 picks a free one")

    engine: Literal["xllamacpp", "llama-server", "llama-cpp-python"] = Field(
        "xllamacpp", description="What runs the model when no upstream is set"
    )
    model: str = Field("tiny", min_length=1, description="`tiny` (embedded) or the path of a GGUF file")
    mmproj: str = Field("", description="Path of the vision projector that belongs to the model file")
    chat_template: str = Field("", description="Path of a Jinja file to use instead of the model's own chat template")
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
    engine_restarts: Count = Field(3, description="Restarts of a crashed engine within 60 s; 0 exits at once")
    load_wait_seconds: Seconds = Field(120, description="How long a request waits for a loading model")

    upstream: str = Field(
        "", repr=False, description="URL of an OpenAI-compatible server to use instead of an own engine"
    )
    upstream_model: str = Field("", description="Model name to send to the upstream")
    upstream_auth_header: str = Field("", repr=False, description="Header line for the upstream, `Name: value`")
    upstream_constraint: Literal["auto", "grammar", "json_schema", "none"] = Field(
        "auto", description="What the upstream can hold an answer to; `auto` is what it is known for"
    )
    require_upstream: bool = Field(False, description="Refuse to start without an upstream")
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

    max_body_bytes: Count = Field(67_108_864, description="Longest request body, after decompression")
    max_json_depth: Count = Field(100, description="Deepest nesting of a request body")
    max_messages: Count = Field(4096, description="Most turns of a conversation")
    max_tools: Count = Field(512, description="Most functions of a request")
    body_idle_seconds: Seconds = Field(30, description="Longest silence inside a request body")
    write_idle_seconds: Seconds = Field(60, description="How long a caller may stop reading")
    keepalive_seconds: Seconds = Field(75, description="How long an idle connection is kept")
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

    strict_wire: bool = Field(False, description="Refuse unknown fields instead of ignoring them")
    thought_signatures: Literal["accept", "strict"] = Field("accept", description="Check signatures of gemini-3 calls")

    access_log: bool = Field(True, description="One line per request")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

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
    file_ttl_hours: int = Field(
        48, ge=0, le=876_000, description="Hours after which an uploaded file is deleted; 0 keeps it"
    )
    max_file_bytes: Count = Field(2_147_483_648, description="Largest uploaded file")
    max_stored_bytes: Count = Field(21_474_836_480, description="Most bytes of all uploaded files together")
    batch_concurrency: int = Field(1, ge=1, description="Requests of batches that run at once, beside all others")

    @property
    def upstream_is_set(self) -> bool:
        """True where a remote engine is used and none is started."""
        return bool(self.upstream)

    @property
    def slots(self) -> int:
        """Slots of an engine started here."""
        return self.parallel or (_EMBEDDED_SLOTS if self.model_path() is None else 1)

    def model_path(self) -> Path | None:
        """The model file named by `model`, or None for the embedded model."""
        return None if self.model == _EMBEDDED_MODEL else Path(self.model).expanduser()

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


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with their history: where each value came from, and what the person should be told."""

    settings: Settings
    sources: Mapping[str, str]
    """Field name -> `flag`, the environment variable's name, or `default`."""
    warnings: tuple[str, ...]


SECTIONS: Final[Mapping[str, str]] = {
    "host": "Listening",
    "engine": "Engine and model",
    "upstream": "Upstream",
    "embeddings": "Embeddings",
    "max_body_bytes": "Requests",
    "pdf_max_pages": "Media",
    "strict_wire": "Wire",
    "access_log": "Logs",
    "state": "Storage",
}
"""First field of each group of settings -> the group's title."""

SECRETS: Final = frozenset(
    {"upstream_auth_header", "embedding_upstream", "embedding_upstream_auth_header", "database_url"}
)
"""Fields whose value is never shown."""

ALIASES: Final[Mapping[str, str]] = {
    "port": "PORT",
    "upstream": "LK_UPSTREAM",
    "upstream_auth_header": "LK_UPSTREAM_AUTH_HEADER",
    "require_upstream": "LK_REQUIRE_UPSTREAM",
    "access_log": "LK_LOG",
    "ctx_size": "LK_CTX_SIZE",
    "threads": "LK_THREADS",
    "threads_batch": "LK_THREADS_BATCH",
    "batch_size": "LK_BATCH_SIZE",
    "ubatch_size": "LK_UBATCH_SIZE",
    "gpu_layers": "LK_GPU_LAYERS",
    "parallel": "LK_PARALLEL",
    "flash_attn": "LK_FLASH_ATTN",
    "cont_batching": "LK_CONT_BATCHING",
    "mlock": "LK_MLOCK",
    "llama_server": "LLAMA_SERVER_BIN",
}
"""Field -> the variable that the localaik written in Go reads for it. `LK_CTX_SIZE` counts all slots together."""


def _only_one_switches_on(text: str) -> str | None:
    return "on" if text == "1" else None


# Where a variable of the Go localaik is no plain value: its text -> ours, or None for "our default stays".
_ALIAS_MEANINGS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "LK_REQUIRE_UPSTREAM": lambda _text: "on",
    "LK_LOG": lambda text: "off" if text.lower() == "off" else None,
    "LK_FLASH_ATTN": _only_one_switches_on,
    "LK_CONT_BATCHING": _only_one_switches_on,
    "LK_MLOCK": _only_one_switches_on,
}

# What a text must look like where a pattern or a least length guards it.
_TEXT_FORMS: Final[Mapping[str, str]] = {
    "host": "an address or a name",
    "model": "`tiny` or a path",
    "embedding_model": "`tiny`, a path or a name",
    "gpu_layers": "`auto` or a whole number of at least 0",
}


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return ENV_PREFIX + field.upper()


def flag_name(field: str) -> str:
    """The flag of a field."""
    return "--" + field.replace("_", "-")


def sections() -> dict[str, list[str]]:
    """Title of each group of settings -> its fields, all in the order in which they are declared."""
    grouped: dict[str, list[str]] = {}
    for name in Settings.model_fields:
        if name in SECTIONS:
            fields = grouped[SECTIONS[name]] = []
        fields.append(name)
    return grouped


def allowed_values(field: str) -> str:
    """What a field may hold, as the end of a sentence that begins with "must be"."""
    info = Settings.model_fields[field]
    if get_origin(info.annotation) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(info.annotation))
    if info.annotation is bool:
        return "`on` or `off`"
    if info.annotation is str:
        return _TEXT_FORMS.get(field, "a text")
    number = "a whole number" if info.annotation is int else "a number"
    low, high = _bounds(field)
    if low is None:
        return number
    return f"{number} of at least {low}" if high is None else f"{number} from {low} to {high}"


def load(flags: Mapping[str, object], environ: Mapping[str, str]) -> LoadedSettings:
    """Merge `flags` (field name -> value; absent where the person gave none) over `environ` over the defaults.

    A flag wins over `LOCALAIK_*`, that over the variable's alias, that over the default. Raises `SettingsError` with
    every fault that was found, naming the flag or variable it came from.
    """
    unknown = flags.keys() - Settings.model_fields.keys()
    if unknown:
        raise TypeError(f"no such settings: {', '.join(sorted(unknown))}")
    chosen: dict[str, object] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for field in Settings.model_fields:
        for source, value in _candidates(field, flags, environ):
            chosen[field], sources[field] = value, source
            break
    settings = _validated(chosen, sources, flags, environ)
    warnings = [
        *_disagreements(sources, environ),
        *_strangers(environ),
        *([_open_to_all(settings.host)] if not _is_loopback(settings.host) else []),
    ]
    return LoadedSettings(settings, sources, tuple(warnings))


def _candidates(field: str, flags: Mapping[str, object], environ: Mapping[str, str]) -> list[tuple[str, object]]:
    """Source and value of everything that sets `field`, what wins first."""
    found: list[tuple[str, object]] = []
    if field in flags:
        found.append(("flag", flags[field]))
    variable = variable_name(field)
    if text := environ.get(variable):
        found.append((variable, text))
    alias = ALIASES.get(field, "")
    if text := environ.get(alias):
        meaning = _ALIAS_MEANINGS[alias](text) if alias in _ALIAS_MEANINGS else text
        if field == "ctx_size":
            meaning = _share_of_slot(text, _slots(flags, environ))
        if meaning is not None:
            found.append((alias, meaning))
    return [(source, _without_case(field, value)) for source, value in found]


def _without_case(field: str, value: object) -> object:
    """A choice may be written in capitals and with blanks around it."""
    if isinstance(value, str) and get_origin(Settings.model_fields[field].annotation) is Literal:
        return value.strip().lower()
    return value


def _slots(flags: Mapping[str, object], environ: Mapping[str, str]) -> int:
    """The slots that will be; as by default where a setting that they depend on is faulty."""
    found = {field: _candidates(field, flags, environ)[:1] for field in ("model", "parallel")}
    try:
        return Settings.model_validate({field: first[0][1] for field, first in found.items() if first}).slots
    except ValidationError:
        return Settings().slots


def _share_of_slot(total: str, slots: int) -> str:
    """What each slot gets of `total` tokens, as text; `total` itself where it is no number."""
    try:
        return str(int(total) // slots)
    except ValueError:
        return total


def _validated(
    chosen: Mapping[str, object], sources: Mapping[str, str], flags: Mapping[str, object], environ: Mapping[str, str]
) -> Settings:
    faults: list[str] = []
    if "upstream" in flags and not flags["upstream"]:
        faults.append(
            "--upstream is empty: leave it out to run an engine here, or name a server such as http://127.0.0.1:8080/v1."
        )
    try:
        settings = Settings.model_validate(chosen)
    except ValidationError as error:
        fields = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors(include_url=False))
        faults += [_fault(field, sources[field], flags, environ) for field in fields]
    if faults:
        raise SettingsError(faults)
    return settings


def _fault(field: str, source: str, flags: Mapping[str, object], environ: Mapping[str, str]) -> str:
    wanted = allowed_values(field)
    if source == ALIASES["ctx_size"]:
        low, slots = _bounds(field)[0] or 1, _slots(flags, environ)
        wanted = f"a whole number of at least {low * slots} ({low} for each of the {slots} slots)"
    value = flags[field] if source == "flag" else environ[source]
    shown = "" if field in SECRETS else f", not {_shortened(value)!r}"
    return f"{flag_name(field) if source == 'flag' else source} must be {wanted}{shown}."


def _bounds(field: str) -> tuple[int | None, int | None]:
    """Least and greatest number that a field may hold."""
    found: dict[str, int] = {}
    for item in Settings.model_fields[field].metadata:
        found |= {key: getattr(item, key) for key in ("ge", "le") if hasattr(item, key)}
    return found.get("ge"), found.get("le")


def _shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "..."


def _disagreements(sources: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """A line for each variable that is used although its alias says something else."""
    lines = []
    for field, alias in ALIASES.items():
        variable = variable_name(field)
        values = [value for _, value in _candidates(field, {}, environ)]
        if sources[field] == variable and len(values) > 1 and _meaning(field, values[0]) != _meaning(field, values[1]):
            lines.append(f"{variable} and its alias {alias} are set to different values; {variable} is used.")
    return lines


def _meaning(field: str, value: object) -> object:
    """The value that a text stands for, so that `1` and `on` are equal."""
    try:
        return Settings.model_validate({field: value}).model_dump()[field]
    except ValidationError:
        return value


def _strangers(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable that looks like ours and is none."""
    known = [variable_name(field) for field in Settings.model_fields]
    strangers = sorted(
        name
        for name in environ
        if name.startswith(ENV_PREFIX) and not name.startswith(TEST_PREFIX)
        if name not in known
    )
    if not strangers:
        return []
    from difflib import get_close_matches  # noqa: PLC0415 - only for a warning that is rarely due

    lines = []
    for name in strangers:
        near = get_close_matches(name.upper(), known, n=1, cutoff=0.8)
        hint = f" Did you mean {near[0]}?" if near else ""
        lines.append(f"{_shortened(name)} is no setting of localaik {__version__} and is ignored.{hint}")
    return lines


def _user_data_folder(environ: Mapping[str, str]) -> Path:
    """Where the platform keeps a user's data (XDG Base Directory Specification, and Apple's and Microsoft's ways)."""
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    named = Path(environ.get("XDG_DATA_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".local" / "share"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _open_to_all(host: str) -> str:
    return (
        f"Listening on {_shortened(host)}, which is no loopback address, and no key is asked for: whoever reaches this "
        "port can use the model."
    )
