"""The registry that the settings describe."""

from pathlib import Path

from localaik.assets import tiny_model
from localaik.models.registry import ModelEntry, Registry
from localaik.settings import Settings

__all__ = ["served_models", "time_stamp"]

_OWNER = "localaik"


def served_models(settings: Settings) -> Registry:
    """The configured model under its public name, then its aliases."""
    path = settings.model_path() or tiny_model()
    created = time_stamp(path)
    name = settings.model_id or _default_name(settings)
    aliases = [alias.strip() for alias in settings.model_aliases.split(",") if alias.strip()]
    return Registry(
        [
            ModelEntry(entry, created, _OWNER, settings.ctx_size, description)
            for entry, description in [(name, f"Answered by {name}."), *((a, f"An alias of {name}.") for a in aliases)]
        ],
        strict=settings.names_are_strict,
    )


def _default_name(settings: Settings) -> str:
    if settings.upstream_is_set:
        return settings.upstream_model or "upstream"
    path = settings.model_path()
    return path.stem if path is not None else "tiny"


def time_stamp(path: Path) -> int:
    """Unix seconds of the file's last change, or 0 where there is no file (an upstream's model)."""
    try:
        return int(path.stat().st_mtime)
    except OSError:
        return 0
