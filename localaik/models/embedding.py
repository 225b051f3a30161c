"""The registry of models that embed, as the settings describe them."""

from localaik.assets import tiny_embedding
from localaik.models.registry import ModelEntry, Registry
from localaik.models.served import time_stamp
from localaik.settings import Settings

__all__ = ["embedding_models"]

_OWNER = "localaik"


def embedding_models(settings: Settings) -> Registry:
    """The one model that embeds; none where embeddings are off. A remote server's has the name that is sent to it."""
    if settings.embeddings == "off":
        return Registry([], strict=True)
    path = settings.embedding_model_path()
    if settings.embedding_url:
        name, created = settings.embedding_model if path is not None else "embedding", 0
    else:
        file = path or tiny_embedding()
        name, created = file.stem, time_stamp(file)
    entry = ModelEntry(name, created, _OWNER, settings.embedding_ctx_size, f"Embeddings by {name}.", embeds=True)
    return Registry([entry], strict=settings.names_are_strict)
