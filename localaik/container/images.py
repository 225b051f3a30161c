"""Which image a container is made of."""

import os
from collections.abc import Mapping
from typing import Final, Literal, get_args

from localaik import __version__

__all__ = ["IMAGE_VARIABLE", "REPOSITORY", "TARGETS", "Target", "image_name"]

Target = Literal["tiny", "gemma3-4b", "gemma3-12b", "proxy"]

REPOSITORY: Final = "localaik/localaik"
"""Where released images are. Each release has the tags `v<version>-<target>`."""
IMAGE_VARIABLE: Final = "LOCALAIK_IMAGE"
TARGETS: Final[tuple[Target, ...]] = get_args(Target)


def image_name(target: Target = "tiny", environ: Mapping[str, str] = os.environ) -> str:
    """The reference of a target's image: the variable `LOCALAIK_IMAGE`, else that of this release.

    `{target}` in the variable stands for the target: `LOCALAIK_IMAGE=localaik:{target}`.
    """
    if named := environ.get(IMAGE_VARIABLE):
        return named.replace("{target}", target)
    return f"{REPOSITORY}:v{__version__}-{target}"
