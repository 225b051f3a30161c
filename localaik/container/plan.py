"""What a container is made with, as plain values: checked, and with a digest that tells equal ones."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

__all__ = ["CONTAINER_PORT", "DATA_FOLDER", "DIGEST_LABEL", "LABEL", "MODEL_FOLDER", "Plan"]

CONTAINER_PORT: Final = 8090
"""The port inside, which every image listens on."""
DATA_FOLDER: Final = "/data"
MODEL_FOLDER: Final = "/mnt/models"
LABEL: Final = "localaik.container"
"""The label of every container and volume that is made here."""
DIGEST_LABEL: Final = "localaik.container.digest"
_PORT_VARIABLES: Final = ("LOCALAIK_PORT", "PORT")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a container is made with. Raises `ValueError` for what can't work.

    The port is published on `bind` alone; None is a free one. `model_dir` is a folder of this machine, and `model` and
    `mmproj` are names of files in it. `memory` is in Docker's form: `2g`.
    """

    image: str
    environment: Mapping[str, str] = field(default_factory=dict)
    api_key: str | None = None
    upstream: str | None = None
    model_dir: Path | None = None
    model: str | None = None
    mmproj: str | None = None
    bind: str = "127.0.0.1"
    port: int | None = None
    data_volume: str | None = None
    memory: str | None = None
    pids: int = 512

    def __post_init__(self) -> None:
        if any(name in self.environment for name in _PORT_VARIABLES):
            raise ValueError("The port inside the container is fixed. Choose the one outside with `port`.")
        if self.api_key is not None and (not self.api_key.strip() or self.api_key[0] == "@" or "," in self.api_key):
            raise ValueError("`api_key` must be one key, without commas and without @ at its beginning.")
        if self.model_dir is None and (self.model or self.mmproj):
            raise ValueError("`model` and `mmproj` are names of files in `model_dir`, which is not given.")
        if self.mmproj and not self.model:
            raise ValueError("`mmproj` belongs to a `model`, which is not given.")
        if self.upstream and _is_loopback(self.upstream):
            raise ValueError(
                f"Inside a container, {self.upstream!r} is the container itself. A server on this machine is "
                "http://host.docker.internal:PORT there; it must listen on more than 127.0.0.1."
            )
        for name in filter(None, (self.model, self.mmproj)):
            if self.model_dir is not None and not (self.model_dir / name).is_file():
                raise ValueError(f"There is no file {name!r} in the folder {str(self.model_dir)!r}.")

    def variables(self) -> dict[str, str]:
        """The environment of the container. What `environment` names wins over the other fields."""
        variables = {}
        if self.api_key:
            variables["LOCALAIK_API_KEY"] = self.api_key
        if self.upstream:
            variables["LOCALAIK_UPSTREAM"] = self.upstream
        if self.model:
            variables["LOCALAIK_MODEL"] = f"{MODEL_FOLDER}/{self.model}"
            variables["LOCALAIK_MMPROJ"] = f"{MODEL_FOLDER}/{self.mmproj}" if self.mmproj else ""
            variables["LOCALAIK_MODEL_ID"] = ""  # what the image says of its own model is not true of this one
        return variables | dict(self.environment)

    def volumes(self) -> dict[str, dict[str, str]]:
        """What is mounted, in the form of the Docker SDK."""
        volumes = {}
        if self.model_dir is not None:
            volumes[str(self.model_dir.resolve())] = {"bind": MODEL_FOLDER, "mode": "ro"}
        if self.data_volume is not None:
            volumes[self.data_volume] = {"bind": DATA_FOLDER, "mode": "rw"}
        return volumes

    def digest(self, image_id: str) -> str:
        """64 hexadecimal digits, the same for plans that make the same container of the same image."""
        values = asdict(self) | {"image": image_id, "environment": self.variables()}
        return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"
