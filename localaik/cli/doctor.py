"""`localaik doctor`: the checks and the settings in force, for people or as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from localaik.cli.checks import Check, run_checks
from localaik.cli.options import shown_value
from localaik.engine.upstream import redact
from localaik.settings import ALIASES, SECRETS, LoadedSettings, Settings, SettingsError, load, variable_name

__all__ = ["print_report"]

_PLAIN_WIDTH: Final = 160  # columns of a report that goes to a file or a pipe
_STYLES: Final = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def print_report(environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print what was found; the exit status: 1 where something would keep the server from working, else 0."""
    try:
        loaded = load({}, environ)
        checks: list[Check] = []
    except SettingsError as error:
        # The rest of the diagnosis is worth having all the same.
        loaded = load({}, {})
        checks = [Check("settings", "fault", line) for line in error.lines]
        checks.append(Check("settings", "warning", "What follows is for the defaults."))
    checks += [Check("settings", "warning", line) for line in loaded.warnings]
    checks += run_checks(loaded.settings)
    if as_json:
        print_json(loaded, checks)
    else:
        print_tables(loaded, checks)
    return int(any(check.verdict == "fault" for check in checks))


def print_json(loaded: LoadedSettings, checks: Sequence[Check]) -> None:
    """One document: `ok`, `checks`, `aliases` (alias -> the variable it stands for), `settings`."""
    document = {
        "ok": all(check.verdict != "fault" for check in checks),
        "checks": [{"name": check.name, "verdict": check.verdict, "detail": check.detail} for check in checks],
        "aliases": aliases_used(loaded),
        "settings": {
            field: {"value": value, "source": loaded.sources[field]}
            for field, value in shown_settings(loaded.settings).items()
        },
    }
    Console(soft_wrap=True, highlight=False, markup=False).print(json.dumps(document, indent=2))


def print_tables(loaded: LoadedSettings, checks: Sequence[Check]) -> None:
    """The checks, then the aliases in use, then every setting with its source."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in checks:
        table.add_row(Text(check.verdict, style=_STYLES[check.verdict]), Text(check.name), Text(check.detail))
    console.print(table)
    for alias, variable in aliases_used(loaded).items():
        console.print(Text(f"The alias {alias} is used for {variable}."))
    settings = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("setting", "value", "source"):
        settings.add_column(heading, overflow="fold")
    for field, value in shown_settings(loaded.settings).items():
        source = loaded.sources[field]
        style = "dim" if source == "default" else "bold"
        settings.add_row(Text(variable_name(field)), Text(shown_value(value)), Text(source), style=style)
    console.print()
    console.print(settings)


def aliases_used(loaded: LoadedSettings) -> dict[str, str]:
    """The aliases that a value in force came from -> the variables that they stand for."""
    return {source: variable_name(field) for field, source in loaded.sources.items() if source in ALIASES}


def shown_settings(settings: Settings) -> dict[str, object]:
    """Field name -> value, without secrets and without what an upstream's URL may hold of them."""
    values: dict[str, object] = settings.model_dump()
    values |= {field: "***" for field in SECRETS if values[field]}
    if settings.upstream_is_set:
        values["upstream"] = redact(settings.upstream)
    return values
