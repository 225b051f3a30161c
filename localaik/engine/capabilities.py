"""What an engine can do, as far as it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["LLAMA_CPP", "LLAMA_CPP_PYTHON", "OLLAMA", "UNKNOWN", "VLLM", "Capabilities", "Kind"]

Kind = Literal["llamacpp", "llama_cpp_python", "vllm", "ollama", "unknown"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One engine at one address. The defaults are what any OpenAI-compatible server may be trusted with."""

    kind: Kind = "unknown"
    model_id: str = ""
    """The engine's own name of the model to ask for; empty where it lists none."""
    model_ids: tuple[str, ...] = ()
    """All names that it lists, in its order."""
    context_tokens: int = 0
    """Prompt and answer of one request together; 0 before anything is known."""
    trained_tokens: int = 0
    """The context that the model was trained with; 0 where the engine does not tell."""
    vocabulary: int = 0
    """Number of the model's tokens; 0 where the engine does not tell."""
    slots: int = 0
    """Generations that it runs at once; 0 where it does not tell."""
    vision: bool = False
    audio: bool = False
    template_caps: Mapping[str, bool] = field(default_factory=dict)
    """llama.cpp's `chat_template_caps` (`supports_system_role`, ...); empty elsewhere, which reads as "no" to all."""
    chat_template: str = ""
    """Jinja source, where it is told."""
    media_marker: str | None = None
    """Text that stands for an image in a rendered prompt; another one in every llama.cpp process."""
    build: str = ""
    """Name and version of the engine, as far as it tells."""
    grammar: bool = False
    """A GBNF `grammar` in the body binds the answer."""
    json_schema: bool = False
    """A JSON Schema in `response_format` binds the answer."""
    native_tools: bool = False
    """`tools` may go along: the model's own template tells it of them, and calls come back as such."""
    count_tokens: bool = False
    """`POST <base>/chat/completions/input_tokens` exists."""
    apply_template: bool = False
    """`POST <root>/apply-template` exists."""
    tokenize: bool = False
    """`POST <root>/tokenize` and `/detokenize` exist."""
    stop_strings: bool = False
    """`stop` may go along: the engine cuts at any number of strings, and reliably."""
    logprobs: bool = True
    """Log probabilities may be asked for."""
    progress: bool = False
    """`return_progress` tells the prompt's length before the first token."""
    completion_route: bool = False
    """`POST <root>/completion` takes exact prompts (text or token ids)."""
    keep_alive: bool = True
    """A connection serves another request after a stream."""
    usage_in_stream: bool = True
    """`stream_options.include_usage` may be asked for."""


UNKNOWN: Final = Capabilities()

LLAMA_CPP: Final = Capabilities(
    kind="llamacpp",
    grammar=True,
    count_tokens=True,
    apply_template=True,
    tokenize=True,
    stop_strings=True,
    progress=True,
    completion_route=True,
    keep_alive=False,  # its server closes after a streamed body, whatever its header promises
)

LLAMA_CPP_PYTHON: Final = Capabilities(
    kind="llama_cpp_python",
    slots=1,  # one lock around the model
    grammar=True,
    json_schema=True,
    usage_in_stream=False,  # ignored without a word
)

VLLM: Final = Capabilities(kind="vllm", json_schema=True, tokenize=True)

OLLAMA: Final = Capabilities(kind="ollama", json_schema=True)
