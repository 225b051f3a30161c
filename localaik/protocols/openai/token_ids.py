"""Token ids of OpenAI's tokenizer, back to the texts that they stand for.

Clients that cut long texts themselves (LangChain does) send token ids of `cl100k_base`, the encoding of OpenAI's
embedding models, whatever model they ask for.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["texts_of"]

_ENCODING: Final = "cl100k_base"
_SOURCE: Final = f"https://openaipublic.blob.core.windows.net/encodings/{_ENCODING}.tiktoken"
_FOLDERS: Final = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")
_DEFAULT_FOLDER: Final = "data-gym-cache"


async def texts_of(lists: Sequence[Sequence[int]]) -> list[str] | None:
    """The texts of lists of token ids; None where they can't be told: tiktoken, or its file, is not on this machine."""
    encoding = await asyncio.to_thread(_encoding)
    if encoding is None:
        return None
    try:
        return [encoding.decode(list(ids)) for ids in lists]
    except (KeyError, OverflowError):  # an id that the encoding does not have: it is another one's
        return None


@cache
def _encoding() -> "Encoding | None":
    """The encoding, where it can be had without a network: tiktoken would download its file."""
    if not _file().is_file():
        return None
    try:
        import tiktoken  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        return None
    return tiktoken.get_encoding(_ENCODING)


def _file() -> Path:
    """Where tiktoken keeps what it has downloaded (`tiktoken.load.read_file_cached`)."""
    folder = next((os.environ[name] for name in _FOLDERS if name in os.environ), None)
    name = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()
    return Path(folder or Path(tempfile.gettempdir()) / _DEFAULT_FOLDER) / name
