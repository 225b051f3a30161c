"""The OpenAI API: chat completions, legacy completions and models."""

from localaik.protocols.openai.routes import PROTOCOL

__all__ = ["PROTOCOL"]
