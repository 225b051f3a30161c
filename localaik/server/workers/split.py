"""What each of several workers may use of what the settings give to the whole server."""

from pathlib import Path
from typing import Final

from localaik.settings import Settings

__all__ = ["settings_of_worker"]

_STATE_FOLDER: Final = "state"


def settings_of_worker(settings: Settings, folder: Path) -> Settings:
    """The settings of one of `settings.workers`. `folder` belongs to all of them and ends with the server.

    Connections, memory for what is kept, and programs that draw pages are divided. What would live in the memory of
    one process lives in the folder instead, since all workers must see it.
    """
    share = settings.workers
    divided = {
        "max_connections": _part(settings.max_connections, share),
        "pdf_cache_bytes": settings.pdf_cache_bytes // share,
        "embedding_cache_bytes": settings.embedding_cache_bytes // share,
        "pdf_workers": _part(settings.pages_at_once, share),
    }
    kept = {"state": "disk", "data_dir": str(folder / _STATE_FOLDER)} if settings.state == "memory" else {}
    return settings.model_copy(update=divided | kept)


def _part(whole: int, share: int) -> int:
    """A part of a limit; 0, which is none, stays so."""
    return -(-whole // share)
