"""A localaik server in a Docker container, for tests and scripts. Needs the extra `container` and a Docker engine."""

from localaik.container.container import LocalaikContainer
from localaik.container.errors import ContainerError
from localaik.container.images import IMAGE_VARIABLE, TARGETS, Target, image_name
from localaik.container.pulling import LayerProgress

__all__ = ["IMAGE_VARIABLE", "TARGETS", "ContainerError", "LayerProgress", "LocalaikContainer", "Target", "image_name"]
