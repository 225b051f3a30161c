"""Files that ship in the wheel."""

from pathlib import Path

__all__ = ["tiny_embedding", "tiny_mmproj", "tiny_model"]

_MODELS = Path(__file__).parent / "models"


def tiny_model() -> Path:
    """The embedded chat model (GGUF, architecture `gemma3`)."""
    return _MODELS / "tiny.gguf"


def tiny_mmproj() -> Path:
    """The vision projector that belongs to `tiny_model` (GGUF, projector type `gemma3`)."""
    return _MODELS / "tiny-mmproj.gguf"


def tiny_embedding() -> Path:
    """The embedded embedding model (GGUF, architecture `gemma-embedding`): 768 numbers per text."""
    return _MODELS / "tiny-embedding.gguf"
