"""Puts the parts together: services, protocols, application."""

from collections.abc import Callable

from aiohttp import web

from localaik.engine.engine import Engine
from localaik.generation.run import Pipeline
from localaik.media.loader import MediaLoader
from localaik.models.served import served_models
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.openai import PROTOCOL as OPENAI
from localaik.server.app import create_app
from localaik.server.health import service_protocol
from localaik.settings import Settings

__all__ = ["assemble"]


def assemble(
    settings: Settings, engine: Engine, is_stopping: Callable[[], bool]
) -> tuple[web.Application, Callable[[], int]]:
    """The application on `engine`, and a function that tells how many requests it is answering."""
    loader = MediaLoader(settings)
    services = Services(settings, Pipeline(engine, settings, loader), served_models(settings))
    app, active = create_app(services, [GEMINI, OPENAI, service_protocol(engine, is_stopping)])

    async def close_loader(_app: web.Application) -> None:
        await loader.close()

    app.on_cleanup.append(close_loader)
    return app, active
