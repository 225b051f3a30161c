"""The Gemini Developer API: generation, streams, token counts and models, under all of its versions."""

from localaik.protocols.gemini.beside import read_google_fields
from localaik.protocols.gemini.routes import PROTOCOL

__all__ = ["PROTOCOL", "read_google_fields"]
