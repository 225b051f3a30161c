"""Puts the parts together: services, protocols, face."""

from collections.abc import Callable

from localaik.embeddings.embedder import Embedder
from localaik.engine.embedding import EmbeddingEngine
from localaik.engine.engine import Engine
from localaik.generation.run import Pipeline
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

__all__ = ["assemble"]


def assemble(
    settings: Settings, engine: Engine, embedding_engine: EmbeddingEngine | None, is_stopping: Callable[[], bool]
) -> tuple[Face, MediaLoader, Store, Runner]:
    """The face of a server on its engines; the loader and the store that must be closed with it; its background work,
    which is to be started and closed.
    """
    store = Store(settings)
    loader = MediaLoader(settings, stored=store)
    embedder = Embedder(embedding_engine, settings)
    jobs = Runner(settings.batch_concurrency)
    services = Services(settings, Pipeline(engine, settings, loader), served_models(settings), store, embedder, jobs)
    protocols = [GEMINI, OPENAI, OPENAI_BESIDE_GEMINI, service_protocol(engine, is_stopping)]
    for protocol in protocols:
        if protocol.background is not None:
            jobs.add(protocol.background(services))
    return Face(services, protocols), loader, store, jobs
