"""Puts the parts together: services, protocols, face."""

from collections.abc import Callable

from localaik.engine.engine import Engine
from localaik.generation.run import Pipeline
from localaik.media.loader import MediaLoader
from localaik.models.served import served_models
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.openai import PROTOCOL as OPENAI
from localaik.server.app import Face
from localaik.server.health import service_protocol
from localaik.settings import Settings

__all__ = ["assemble"]


def assemble(settings: Settings, engine: Engine, is_stopping: Callable[[], bool]) -> tuple[Face, MediaLoader]:
    """The face of a server on `engine`, and the loader that must be closed with it."""
    loader = MediaLoader(settings)
    services = Services(settings, Pipeline(engine, settings, loader), served_models(settings))
    return Face(services, [GEMINI, OPENAI, service_protocol(engine, is_stopping)]), loader
