"""Puts the parts together: services, protocols, face."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from localaik.embeddings.embedder import Embedder
from localaik.engine.embedding import EmbeddingEngine
from localaik.engine.engine import Engine
from localaik.engine.launchers.base import StartError
from localaik.generation.run import Pipeline
from localaik.jobs.ended import EndedWork
from localaik.jobs.live import LiveRuns
from localaik.jobs.runner import Runner
from localaik.media.loader import MediaLoader
from localaik.models.served import served_models
from localaik.protocols.contract import Services
from localaik.protocols.gemini import PROTOCOL as GEMINI
from localaik.protocols.gemini import read_google_fields
from localaik.protocols.openai import beside_gemini, read_transcript
from localaik.protocols.openai import with_profile as openai_with_profile
from localaik.protocols.workbench import workbench
from localaik.server.app import Face
from localaik.server.background import log_work
from localaik.server.company import Company
from localaik.server.health import service_protocol
from localaik.server.metrics import Metrics, engine_figures, metrics_route
from localaik.server.pages import with_pages
from localaik.server.windows import LocalRates
from localaik.settings import Settings, read_rates
from localaik.state.store import Store

if TYPE_CHECKING:
    from localaik.server.tracing import Tracing

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
    tracing: "Tracing | None"
    """To be closed, away from the event loop."""
    counted: Callable[[], bytes]
    """The figures for `/metrics` so far; nothing where they are off."""


def assemble(
    settings: Settings,
    engine: Engine,
    embedding_engine: EmbeddingEngine | None,
    is_stopping: Callable[[], bool],
    company: Company,
) -> Assembled:
    """A server on its engines, with what it shares with others."""
    metrics = Metrics() if settings.metrics else None

    def ended(work: EndedWork) -> None:
        if metrics is not None:
            metrics.record_work(work)
        if settings.access_log:
            log_work(work)

    store = Store(settings)
    loader = MediaLoader(settings, stored=store)
    embedder = Embedder(embedding_engine, settings)
    jobs = company.jobs or Runner(settings.batch_concurrency)
    services = Services(
        settings,
        Pipeline(engine, settings, loader),
        served_models(settings),
        store,
        embedder,
        jobs,
        LiveRuns(company.directory),
        company.locks,
        ended,
    )
    tracing = _tracing() if settings.otel else None
    told = () if metrics is None else (metrics_route(metrics, engine, embedding_engine, company.collect),)
    protocols = [
        GEMINI,
        openai_with_profile(settings.chat_profile),
        beside_gemini(read_google_fields),
        workbench(read_transcript),
        with_pages(service_protocol(engine, embedding_engine, is_stopping, told, company.settings), lambda: protocols),
    ]
    for protocol in protocols:
        if protocol.background is not None:
            jobs.add(protocol.background(services))
    limited = read_rates(settings.rate_limits)
    rates = company.rates or (LocalRates(limited) if limited else None)
    face = Face(services, protocols, metrics, tracing, rates)

    def counted() -> bytes:
        return b"" if metrics is None else metrics.dump(engine_figures(engine, embedding_engine))

    return Assembled(face, loader, store, jobs, services.live, tracing, counted)


def _tracing() -> "Tracing":
    try:
        from localaik.server.tracing import Tracing  # noqa: PLC0415 - most servers do without its packages
    except ModuleNotFoundError as error:
        raise StartError(f"Traces need a package that is missing ({error.name}): install `localaik[otel]`.") from None
    return Tracing()
