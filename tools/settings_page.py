"""Writes docs/settings.md from the settings themselves: `python -m tools.settings_page`."""

from pathlib import Path
from typing import Final

from localaik.cli.options import shown_value
from localaik.settings import ALIASES, RATE_ALIASES, Settings, allowed_values, flag_name, sections, variable_name

__all__ = ["PAGE", "main", "render"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD: Final = """# Settings

Every setting is a flag of `localaik serve` and an environment variable. A flag wins over its variable, the variable
over its alias, the alias over the default. An empty variable counts as unset. Times are in seconds, sizes in bytes. A
limit of 0 is off, unless the text says otherwise. Switches take `on` and `off`; as a flag, `--name` and `--no-name`.

`localaik doctor` prints the settings in force and where each came from. A value that can't be used ends the start with
status 2 and one line for each fault. A variable that begins with `LOCALAIK_` and is not listed here is ignored with a
warning.

This page is written by `make docs` from `localaik/settings.py`.
"""

_ALIASES: Final = """
## Aliases

These variables of the localaik that is written in Go, of eGemma and of GemmaKit are read too, with the meaning they
have there.

| Variable | Stands for | Meaning |
| --- | --- | --- |
"""

_MEANINGS: Final = {
    "LK_LOG": "only the word `off`, in any case, switches the access log off; anything else leaves the default",
    "LK_REQUIRE_UPSTREAM": "any text that is not empty switches it on",
    "LK_FLASH_ATTN": "`1` is `on`; anything else leaves the default",
    "LK_CONT_BATCHING": "`1` is `on`; anything else leaves the default",
    "LK_MLOCK": "`1` is `on`; anything else leaves the default",
    **dict.fromkeys(RATE_ALIASES, "its half of the bucket's rate; where only one half is set, the other is eGemma's"),
    "LK_CTX_SIZE": "the context of all slots together; each gets its share",
}


def render() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for section, fields in sections().items():
        parts.append(
            f"\n## {section}\n\n| Variable and flag | Default | Allowed | What it is |\n| --- | --- | --- | --- |\n"
        )
        parts += [_row(field) for field in fields]
    parts.append(_ALIASES)
    parts += [
        f"| `{alias}` | `{variable_name(field)}` | {_MEANINGS.get(alias, 'the same')} |\n"
        for alias, field in ALIASES.items()
    ]
    return "".join(parts)


def _row(field: str) -> str:
    info = Settings.model_fields[field]
    names = f"`{variable_name(field)}`<br>`{flag_name(field)}`"
    default = f"`{shown_value(info.default)}`" if info.default not in {"", None} else "-"
    return f"| {names} | {default} | {allowed_values(field)} | {info.description} |\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
