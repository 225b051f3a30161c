"""Puts the parts together: services, protocols, face."""

from collections.abc import Callable
from typing import NamedTuple

from localaik.embeddings.embedder import Embedder
from localaik.engine.embedding import EmbeddingEngine
from localaik.engine.engine import Engine
from localaik.generation.run import Pipeline
from localaik.jobs.live import LiveRuns
from localaik.jobs.runner import Runner
from localaik.media.loader import MediaLoader
from localaik.models.served import served_models
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.openai import GOOGLE as OPENAI_BESIDE_GEMINI
from localaik.protocols.openai import PROTOCOL as OPENAI
from localaik.server.app import Face
from localaik.server.health import service_protocol
from localaik.settings import Settings
from localaik.state.store import Store

__all__ = ["Assembled", "assemble"]


class Assembled(NamedTuple):
    """A server's face, and what lives and ends with it."""

    face: Face
    loader: MediaLoader
    """To be closed."""
    store: Store
    """To be closed, last of all."""
    jobs: Runner
    """To be started and closed."""
    live: LiveRuns
    """To be closed."""


def assemble(
    settings: Settings, engine: Engine, embedding_engine: EmbeddingEngine | None, is_stopping: Callable[[], bool]
) -> Assembled:
    """A server on its engines."""
    store = Store(settings)
    loader = MediaLoader(settings, stored=store)
    embedder = Embedder(embedding_engine, settings)
    jobs = Runner(settings.batch_concurrency)
    services = Services(settings, Pipeline(engine, settings, loader), served_models(settings), store, embedder, jobs)
    protocols = [GEMINI, OPENAI, OPENAI_BESIDE_GEMINI, service_protocol(engine, is_stopping)]
    for protocol in protocols:
        if protocol.background is not None:
            jobs.add(protocol.background(services))
    return Assembled(Face(services, protocols), loader, store, jobs, services.live)
