"""`localaik up`, `down` and `logs`: a server in a Docker container, from the command line."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from localaik.container import IMAGE_VARIABLE, ContainerError, LocalaikContainer, Target
from localaik.container.docker_engine import DockerEngine

__all__ = ["add_to"]

_DEFAULT_NAME: Final = "localaik"
_Name = Annotated[str, typer.Option("--name", help="Name of the container.")]


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands."""
    app.command("up")(_up)
    app.command("down")(_down)
    app.command("logs")(_logs)


def _up(
    *,
    target: Annotated[Target, typer.Option(help="What the image holds: a model, or none for an upstream.")] = "tiny",
    image: Annotated[
        str | None,
        typer.Option(help=f"Image to use instead of the released one of the target. Variable: {IMAGE_VARIABLE}."),
    ] = None,
    bind: Annotated[str, typer.Option(help="Address to publish the port on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to publish.")] = 8090,
    name: _Name = _DEFAULT_NAME,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", "-e", metavar="NAME=VALUE", help="A setting; NAME alone takes it from here."),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(help="URL of an OpenAI-compatible server, as seen from inside the container.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A GGUF file of this machine to run.")] = None,
    mmproj: Annotated[Path | None, typer.Option(help="Its vision projector, in the same folder.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds that it may take until it is ready.")] = 120.0,
) -> None:
    """Start a server in a Docker container, pull its image where it is missing, and wait until it is ready.

    What it stores is kept in a volume, NAME-data. A container of the same name that runs already, of the same image and
    with the same values, is left as it is.
    """
    from localaik.cli.pull_bars import PullBars  # noqa: PLC0415 - draws with rich, which other commands don't need

    with _faults_told():
        try:
            folder, model_name, mmproj_name = _model_files(model, mmproj)
            container = LocalaikContainer(
                image,
                target=target,
                env=_variables(env or [], os.environ),
                upstream=upstream,
                model_dir=folder,
                model=model_name,
                mmproj=mmproj_name,
                bind=bind,
                port=port,
                name=name,
                data_volume=_volume(name),
                reuse=True,
                timeout=wait,
            )
        except ValueError as error:
            _fail(str(error), status=2)
        with PullBars(container.image) as bars:
            container.start(on_pull=bars.show)
        for line in _banner(container, name):
            typer.echo(line)


def _down(
    *,
    name: _Name = _DEFAULT_NAME,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove what it has stored, too.")] = False,
) -> None:
    """Stop the container of `localaik up` and remove it. Where there is none, there is nothing to do."""
    with _faults_told():
        engine = DockerEngine.connect()
        container = engine.find(name)
        if container is None:
            typer.echo(f"There is no container {name}.")
        else:
            container.stop()
            container.remove()
            typer.echo(f"Stopped and removed {name}.")
        if volumes and engine.remove_volume(_volume(name)):
            typer.echo(f"Removed the volume {_volume(name)}.")


def _logs(
    *,
    name: _Name = _DEFAULT_NAME,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the container ends.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="The last lines only.")] = None,
) -> None:
    """Print what the server in the container of `localaik up` has written."""
    with _faults_told():
        container = DockerEngine.connect().find(name)
        if container is None:
            raise ContainerError(f"There is no container {name}. `localaik up` starts one.")
        if not follow:
            typer.echo(container.log(tail), nl=False)
            return
        try:
            for piece in container.follow_log(tail):
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
        except KeyboardInterrupt:
            raise typer.Exit from None


def _volume(name: str) -> str:
    return f"{name}-data"


def _variables(given: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """`NAME=VALUE` as it says, `NAME` from `environ`. Raises `ValueError` for a name that is nowhere."""
    variables = {}
    for item in given:
        name, sign, value = item.partition("=")
        if not name or (not sign and name not in environ):
            raise ValueError(f"--env {item!r}: give NAME=VALUE, or the NAME of a variable that is set here.")
        variables[name] = value if sign else environ[name]
    return variables


def _model_files(model: Path | None, mmproj: Path | None) -> tuple[Path | None, str | None, str | None]:
    """The folder to mount and the names in it. Raises `ValueError` where the files are in two folders."""
    if model is None:
        if mmproj is not None:
            raise ValueError("--mmproj belongs to a --model.")
        return None, None, None
    if mmproj is not None and mmproj.resolve().parent != model.resolve().parent:
        raise ValueError("--mmproj must be in the folder of --model.")
    return model.parent, model.name, None if mmproj is None else mmproj.name


def _banner(container: LocalaikContainer, name: str) -> list[str]:
    """The words of `serve`, for a server that was started here."""
    key = "an API key is asked for" if container.asks_for_key else "any API key will do"
    stop = "localaik down" if name == _DEFAULT_NAME else f"localaik down --name {name}"
    return [
        f"localaik is listening on {container.url}",
        f"  image   {container.image}",
        f"  Gemini  GOOGLE_GEMINI_BASE_URL={container.gemini_base_url}",
        f"  OpenAI  OPENAI_BASE_URL={container.openai_base_url}",
        f"  health  {container.url}/health   ({key})",
        f"  stop    {stop}",
    ]


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except ContainerError as error:
        _fail(str(error), status=1)


def _fail(message: str, *, status: int) -> NoReturn:
    typer.echo(f"localaik: {message}", err=True)
    raise typer.Exit(status) from None
