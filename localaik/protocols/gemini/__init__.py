"""The Gemini Developer API: generation, streams, token counts and models, under all of its versions."""

from localaik.protocols.gemini.routes import PROTOCOL

__all__ = ["PROTOCOL"]
