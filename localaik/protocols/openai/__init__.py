"""The OpenAI API: chat completions, legacy completions, embeddings and models; and what Google serves of it."""

from localaik.protocols.openai.google import GOOGLE
from localaik.protocols.openai.routes import PROTOCOL

__all__ = ["GOOGLE", "PROTOCOL"]
