"""One flag for each setting, made from the fields of `Settings`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast, get_args, get_origin

import typer

from localaik.settings import Settings, flag_name, is_switch, sections

__all__ = ["shown_value", "with_setting_flags"]


def with_setting_flags(command: Callable[[Mapping[str, object]], None]) -> Callable[..., None]:
    """`command` as Typer takes it: with a flag for each setting, in the settings' groups.

    `command` is given field name -> value, for the flags that the person gave. Values are texts, or booleans for
    switches: `settings.load` reads them, so that flags and variables have the same rules and the same messages.
    """

    def call(**flags: object) -> None:
        command({field: value for field, value in flags.items() if value is not None})

    parameters = [_parameter(field, section) for section, fields in sections().items() for field in fields]
    # Typer reads both attributes; functions have no declared type for the first.
    cast("Any", call).__signature__ = inspect.Signature(parameters)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = command.__doc__
    return call


def _parameter(field: str, section: str) -> inspect.Parameter:
    flag = flag_name(field)
    switch = is_switch(field)
    option = typer.Option(
        None,
        f"{flag}/--no-{flag.removeprefix('--')}" if switch else flag,
        help=_help(field),
        metavar="" if switch else _metavar(field),
        show_default=False,
        rich_help_panel=section,
    )
    annotation = bool | None if switch else str | None
    return inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _help(field: str) -> str:
    info = Settings.model_fields[field]
    parts = [info.description or ""]
    if get_origin(info.annotation) is Literal:
        parts.append(f"One of {', '.join(get_args(info.annotation))}")
    if info.default not in {"", None}:
        parts.append(f"Default: {shown_value(info.default)}")
    return ". ".join(parts) + "."


def _metavar(field: str) -> str:
    annotation = Settings.model_fields[field].annotation
    if annotation is int:
        return "N"
    if annotation is float:
        return "SECONDS"
    return "WORD" if get_origin(annotation) is Literal else "TEXT"


def shown_value(value: object) -> str:
    """A value of a setting as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
