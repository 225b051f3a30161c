"""localaik: LLM APIs on localhost, in front of a local model in llama.cpp."""

__all__ = ["__version__"]

__version__ = "0.1.0"
