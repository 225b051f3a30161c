"""From flags and environment variables to settings, with the history of each value and every fault by its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args, get_origin

from pydantic import ValidationError

from localaik import __version__
from localaik.settings.access import SURFACES, is_loopback, read_keys
from localaik.settings.fields import LIMITS, SECRETS, SECTIONS, Settings
from localaik.settings.rates import BUCKETS, RATE_ALIASES, faulty_rate_aliases, rates_of_aliases, read_rates

__all__ = [
    "ALIASES",
    "ENV_PREFIX",
    "TEST_PREFIX",
    "LoadedSettings",
    "SettingsError",
    "allowed_values",
    "flag_name",
    "is_switch",
    "limits",
    "load",
    "sections",
    "variable_name",
]

ENV_PREFIX: Final = "LOCALAIK_"
TEST_PREFIX: Final = "LOCALAIK_TEST_"
"""Variables of the test suite; `load` takes no notice of them."""

_IMAGE_VARIABLE: Final = "LOCALAIK_IMAGE"  # for the container helper, which is no server
_MAX_SHOWN_CHARS: Final = 60


class SettingsError(Exception):
    """Flags or variables hold bad values. The message has one readable line per fault, as has `lines`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with their history: where each value came from, and what the person should be told."""

    settings: Settings
    sources: Mapping[str, str]
    """Field name -> `flag`, the environment variable's name, or `default`."""
    warnings: tuple[str, ...]


ALIASES: Final[Mapping[str, str]] = {
    "PORT": "port",
    "LK_UPSTREAM": "upstream",
    "LK_UPSTREAM_AUTH_HEADER": "upstream_auth_header",
    "LK_REQUIRE_UPSTREAM": "require_upstream",
    "LK_LOG": "access_log",
    "LK_CTX_SIZE": "ctx_size",
    "LK_THREADS": "threads",
    "LK_THREADS_BATCH": "threads_batch",
    "LK_BATCH_SIZE": "batch_size",
    "LK_UBATCH_SIZE": "ubatch_size",
    "LK_GPU_LAYERS": "gpu_layers",
    "LK_PARALLEL": "parallel",
    "LK_FLASH_ATTN": "flash_attn",
    "LK_CONT_BATCHING": "cont_batching",
    "LK_MLOCK": "mlock",
    "LLAMA_SERVER_BIN": "llama_server",
    "WORKBENCH_API_KEY": "api_key",
    "GEMMAKIT_API_KEY": "api_key",
    "GEMMAKIT_CORS_ORIGIN": "cors_origin",
    **dict.fromkeys(RATE_ALIASES, "rate_limits"),
}
"""A variable of the localaik written in Go, of eGemma or of GemmaKit -> our field; of two that are set, the first wins.

`LK_CTX_SIZE` counts all slots together. Those of `rate_limits` each say a part of it.
"""


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
    "allowed_hosts": "names without a port, comma-separated",
    "cors_origin": "`*`, `none`, or origins such as `http://localhost:3000`, comma-separated without blanks",
    "surfaces": "`all`, or some of " + ", ".join(f"`{name}`" for name in ("openai", *SURFACES)) + ", comma-separated",
    "trusted_proxies": "addresses and networks such as `10.0.0.0/8`, comma-separated",
    "rate_limits": "`egemma`, or rates such as `embed=5/10` for some of "
    + ", ".join(f"`{bucket}`" for bucket in BUCKETS)
    + ", comma-separated",
    "gpu_layers": "`auto` or a whole number of at least 0",
}


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return ENV_PREFIX + field.upper()


def flag_name(field: str) -> str:
    """The flag of a field."""
    return "--" + field.replace("_", "-")


def is_switch(field: str) -> bool:
    """True for a field that is on or off. Where its default depends on other fields, it is None until it is given."""
    return Settings.model_fields[field].annotation in {bool, bool | None}


def sections() -> dict[str, list[str]]:
    """Title of each group of settings -> its fields, all in the order in which they are declared."""
    grouped: dict[str, list[str]] = {}
    for name in Settings.model_fields:
        if name in SECTIONS:
            fields = grouped[SECTIONS[name]] = []
        fields.append(name)
    return grouped


def limits(settings: Settings) -> dict[str, object]:
    """The limits in force by their settings' names; 0 where there is none. Rates are told by the bucket."""
    values = {name: getattr(settings, name) for title, names in sections().items() if title in LIMITS for name in names}
    rates = {bucket: rate._asdict() for bucket, rate in read_rates(settings.rate_limits).items()}
    return {**values, "pdf_workers": settings.pages_at_once, "rate_limits": rates}


def allowed_values(field: str) -> str:
    """What a field may hold, as the end of a sentence that begins with "must be"."""
    info = Settings.model_fields[field]
    if get_origin(info.annotation) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(info.annotation))
    if is_switch(field):
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
        *([_open_to_all(settings.host)] if not settings.api_key and not is_loopback(settings.host) else []),
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
    for alias in (alias for alias, meant in ALIASES.items() if meant == field):
        text = environ.get(alias)
        if not text:
            continue
        meaning = _ALIAS_MEANINGS[alias](text) if alias in _ALIAS_MEANINGS else text
        if field == "ctx_size":
            meaning = _share_of_slot(text, _slots(flags, environ))
        elif field == "rate_limits":
            meaning = rates_of_aliases(environ)
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
        faults += [line for field in fields for line in _faults(field, sources[field], flags, environ)]
    try:
        read_keys(str(chosen.get("api_key", "")))
    except ValueError as error:
        faults.append(f"{_named('api_key', sources['api_key'])}: {error}.")
    if faults:
        raise SettingsError(faults)
    return settings


def _faults(field: str, source: str, flags: Mapping[str, object], environ: Mapping[str, str]) -> list[str]:
    """A line for the value of a field that can't be used; one for each alias where several make up the value."""
    wanted = allowed_values(field)
    if source in RATE_ALIASES:
        faulty = faulty_rate_aliases(environ)
        return [f"{name} must be {wanted}, not {_shortened(environ[name])!r}." for name, wanted in faulty.items()]
    if ALIASES.get(source) == "ctx_size":
        low, slots = _bounds(field)[0] or 1, _slots(flags, environ)
        wanted = f"a whole number of at least {low * slots} ({low} for each of the {slots} slots)"
    value = flags[field] if source == "flag" else environ[source]
    shown = "" if field in SECRETS else f", not {_shortened(value)!r}"
    return [f"{_named(field, source)} must be {wanted}{shown}."]


def _named(field: str, source: str) -> str:
    """The flag or the variable that a value of `field` came from."""
    return flag_name(field) if source == "flag" else source


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
    for alias, field in ALIASES.items():
        variable = variable_name(field)
        values = dict(_candidates(field, {}, environ))
        if sources[field] != variable or alias not in values:
            continue
        if _meaning(field, values[variable]) != _meaning(field, values[alias]):
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
        if name not in known and name != _IMAGE_VARIABLE
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


def _open_to_all(host: str) -> str:
    return (
        f"Listening on {_shortened(host)}, which is no loopback address, and no key is asked for: whoever reaches this "
        "port can use the model. Set LOCALAIK_API_KEY to ask for one."
    )
