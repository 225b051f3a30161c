"""The words that tell an embedding model what a vector is for. Pure.

Source: the model card of EmbeddingGemma, "Prompt instructions", and the `prompts` in its sentence-transformers
configuration. llama.cpp adds none of them.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal

__all__ = ["Prefixes", "Task", "prefix_family", "prefixed", "task_of_prompt_name"]

Prefixes = Literal["embeddinggemma", "none"]
"""Whose prefixes are used."""


class Task(Enum):
    """What a vector is for; the value is EmbeddingGemma's name for it."""

    QUERY = "search result"
    DOCUMENT = "document"
    CLUSTERING = "clustering"
    CLASSIFICATION = "classification"
    CODE = "code retrieval"
    SUMMARIZATION = "summarization"
    SIMILARITY = "sentence similarity"
    QUESTION = "question answering"
    FACT_CHECK = "fact checking"


_PROMPT_NAMES: Final[Mapping[str, Task]] = {
    "query": Task.QUERY,
    "document": Task.DOCUMENT,
    "bitextmining": Task.QUERY,
    "clustering": Task.CLUSTERING,
    "classification": Task.CLASSIFICATION,
    "instructionretrieval": Task.CODE,
    "multilabelclassification": Task.CLASSIFICATION,
    "pairclassification": Task.SIMILARITY,
    "reranking": Task.QUERY,
    "retrieval": Task.QUERY,
    "retrieval-query": Task.QUERY,
    "retrieval-document": Task.DOCUMENT,
    "sts": Task.SIMILARITY,
    "summarization": Task.SUMMARIZATION,
}
_GEMMA_NAME: Final = re.compile(r"embedding-?gemma|gemma-?embedding", re.IGNORECASE)


def task_of_prompt_name(name: str) -> Task | None:
    """The task that a prompt's name in sentence-transformers stands for; None for an unknown one.

    Names are compared without case, with `_` equal to `-`.
    """
    return _PROMPT_NAMES.get(name.lower().replace("_", "-"))


def prefix_family(setting: Literal["auto", "embeddinggemma", "none"], model: str, *, embedded: bool) -> Prefixes:
    """Whose prefixes the model named `model` gets. `embedded` is true for the one that ships with localaik."""
    if setting != "auto":
        return setting
    return "embeddinggemma" if embedded or _GEMMA_NAME.search(model) else "none"


def prefixed(text: str, task: Task, title: str, prefixes: Prefixes) -> str:
    """What is embedded for `text`: never nothing, since models give the zero vector for that.

    In a title, runs of white space become one space; a blank one counts as none.
    """
    if prefixes == "none":
        return text or " "
    if task is Task.DOCUMENT:
        return f"title: {' '.join(title.split()) or 'none'} | text: {text}"
    return f"task: {task.value} | query: {text}"
