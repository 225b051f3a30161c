"""The life of a server process: engine first, then the port, then requests until a signal or the engine's end."""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from localaik.engine.engine import Engine
from localaik.engine.start import StartError
from localaik.models.registry import ModelEntry, Registry
from localaik.settings import LoadedSettings, Settings

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Server", "StartError", "serve"]
