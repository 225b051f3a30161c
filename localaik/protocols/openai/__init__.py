"""The OpenAI API: chat completions, legacy completions, embeddings and models; and what Google serves of it."""

from localaik.protocols.openai.google import beside_gemini
from localaik.protocols.openai.routes import PROTOCOL, with_profile
from localaik.protocols.openai.transcript import read_transcript

__all__ = ["PROTOCOL", "beside_gemini", "read_transcript", "with_profile"]
