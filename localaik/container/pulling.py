"""What Docker tells while it pulls an image."""

from collections.abc import Mapping
from dataclasses import dataclass

from localaik.container.errors import ContainerError

__all__ = ["LayerProgress", "read_pull_event"]


@dataclass(frozen=True, slots=True)
class LayerProgress:
    """One layer of an image that is pulled: what Docker does with it now, and how far it is, in bytes."""

    layer: str
    status: str
    done: int | None = None
    total: int | None = None


def read_pull_event(event: Mapping[str, object], image: str) -> LayerProgress | None:
    """The news about one layer in a line of `POST /images/create` (Docker Engine API); None where there are none.

    Raises `ContainerError` where the line tells of a fault.
    """
    if fault := event.get("error"):
        raise ContainerError(f"Can't pull {image}: {fault}")
    layer, status, detail = event.get("id"), event.get("status"), event.get("progressDetail")
    if not isinstance(layer, str) or not isinstance(status, str) or status.startswith("Pulling from"):
        return None
    figures = detail if isinstance(detail, Mapping) else {}
    done, total = figures.get("current"), figures.get("total")
    return LayerProgress(
        layer, status, done if isinstance(done, int) else None, total if isinstance(total, int) and total > 0 else None
    )
