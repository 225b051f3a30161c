"""The commands `serve`, `doctor`, `health`, `up`, `down`, `logs` and `version`."""

import logging
import os
from collections.abc import Mapping
from typing import Annotated

import typer

from localaik import __version__
from localaik.cli import container_commands
from localaik.cli.options import with_setting_flags
from localaik.settings import Settings, SettingsError, load, variable_name

__all__ = ["main"]

_log = logging.getLogger(__name__)

app = typer.Typer(
    name="localaik",
    help="LLM APIs on localhost: Gemini and OpenAI on one port, in front of a local model in llama.cpp.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command that the arguments name, and end the process: 0 well, 1 a fault, 2 a bad flag or variable."""
    app(prog_name="localaik")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"localaik {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """LLM APIs on localhost: Gemini and OpenAI on one port, in front of a local model in llama.cpp."""


def _serve(flags: Mapping[str, object]) -> None:
    """Serve until Ctrl-C. Each flag has a variable, which it wins over: --port is LOCALAIK_PORT.

    The port is open before the model is loaded. Scripts wait with: localaik health --wait 60
    """
    try:
        loaded = load(flags, os.environ)
    except SettingsError as error:
        wanted = flags.get("log_format") or os.environ.get(variable_name("log_format"), "")
        raise _failure(*error.lines, status=2, as_json=str(wanted).strip().lower() == "json") from None
    # Imported only now: neither the help page nor a bad flag needs the server.
    from localaik.server.main import StartError, serve  # noqa: PLC0415

    try:
        status = serve(loaded, announce=typer.echo)
    except StartError as error:
        raise _failure(error.message, status=error.status, as_json=loaded.settings.log_format == "json") from None
    raise typer.Exit(status)


app.command("serve", no_args_is_help=False)(with_setting_flags(_serve))


@app.command("doctor")
def _doctor(
    *, json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False
) -> None:
    """Look at this machine and at the settings in the environment, and say what would not work."""
    from localaik.cli.doctor import print_report  # noqa: PLC0415 - imports more than the other commands need

    raise typer.Exit(print_report(os.environ, as_json=json))


@app.command("health")
def _health(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is. Else from the environment.")] = "",
    *,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0.0, help="Ask again for so long.")] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Print what the server tells of itself.")] = False,
) -> None:
    """Ask a running server whether an answer can come: status 0 yes, 1 no, with the reason."""
    from localaik.cli.health import report  # noqa: PLC0415 - no other command needs it

    raise typer.Exit(report(url, wait=wait, as_json=json, environ=os.environ))


container_commands.add_to(app)


@app.command("version")
def _version() -> None:
    """Print the version."""
    _print_version(wanted=True)


def _failure(*lines: str, status: int, as_json: bool) -> typer.Exit:
    """The end of a start, told on lines for people or, where the log is in JSON, in the log."""
    if as_json:
        from localaik.server.logs import set_up_logging  # noqa: PLC0415 - most starts do not fail

        set_up_logging(Settings(log_format="json"))
        for line in lines:
            _log.error("%s", line)
    else:
        for line in lines:
            typer.echo(f"localaik: {line}", err=True)
    return typer.Exit(status)
