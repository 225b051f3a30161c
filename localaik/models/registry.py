"""Which model names exist here, and what is known of the model behind them."""

from dataclasses import dataclass

from localaik.errors import UnknownModel

__all__ = ["ModelEntry", "Registry"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One listed model."""

    id: str
    created: int
    """Unix seconds, constant between starts: the time stamp of the model file."""
    owner: str
    context_tokens: int
    """Context of one slot, prompt and answer together."""
    description: str
    embeds: bool = False
    """True for a model that turns texts into vectors and does not write any."""


class Registry:
    """The names that are served. Any name is answered unless `strict`; only listed ones are listed."""

    def __init__(self, entries: list[ModelEntry], *, strict: bool = False) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._strict = strict

    def listed(self) -> list[ModelEntry]:
        """All entries, real models first, then aliases, in stable order."""
        return list(self._entries.values())

    def is_listed(self, name: str) -> bool:
        """True for real models and aliases."""
        return name in self._entries

    def resolve(self, name: str) -> ModelEntry:
        """The entry that answers for `name`. Raises `UnknownModel` for an unlisted name where names are strict."""
        entry = self._entries.get(name)
        if entry is not None:
            return entry
        if self._strict or not self._entries:
            raise UnknownModel(name)
        return next(iter(self._entries.values()))
