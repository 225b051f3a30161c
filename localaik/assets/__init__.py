"""Files that ship in the wheel."""

from pathlib import Path

__all__ = ["page_asset", "tiny_embedding", "tiny_mmproj", "tiny_model"]

_MODELS = Path(__file__).parent / "models"
_PAGES = Path(__file__).parent / "pages"


def tiny_model() -> Path:
    """The embedded chat model (GGUF, architecture `gemma3`)."""
    return _MODELS / "tiny.gguf"


def tiny_mmproj() -> Path:
    """The vision projector that belongs to `tiny_model` (GGUF, projector type `gemma3`)."""
    return _MODELS / "tiny-mmproj.gguf"


def tiny_embedding() -> Path:
    """The embedded embedding model (GGUF, architecture `gemma-embedding`): 768 numbers per text."""
    return _MODELS / "tiny-embedding.gguf"


def page_asset(name: str) -> Path:
    """A file of the pages that browsers get, by the name of one that there is."""
    return _PAGES / name
