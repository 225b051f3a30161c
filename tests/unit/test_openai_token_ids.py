"""Token ids of OpenAI's tokenizer: read where its file is on this machine, and never fetched."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from localaik.protocols.openai import token_ids

CL100K = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"


class Letters:
    """An encoding of one letter per id."""

    def decode(self, ids: list[int]) -> str:
        if max(ids, default=0) > 127:
            raise KeyError("Invalid token for decoding")
        return "".join(map(chr, ids))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of tiktoken's that is empty, and a tiktoken that must not be asked for more than is in it."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    module = ModuleType("tiktoken")
    module.get_encoding = {"cl100k_base": Letters()}.__getitem__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    token_ids._encoding.cache_clear()
    yield tmp_path
    token_ids._encoding.cache_clear()


async def test_without_the_file_nothing_is_read() -> None:
    assert await token_ids.texts_of([[72, 105]]) is None


async def test_ids_become_texts(folder: Path) -> None:
    (folder / CL100K).touch()
    assert await token_ids.texts_of([[72, 105], [], (33,)]) == ["Hi", "", "!"]


async def test_ids_of_another_encoding_stay_ids(folder: Path) -> None:
    (folder / CL100K).touch()
    assert await token_ids.texts_of([[72], [100_000]]) is None


async def test_without_tiktoken_nothing_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / CL100K).touch()
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert await token_ids.texts_of([[72]]) is None


def test_the_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR")
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "gym"))
    assert token_ids._file() == tmp_path / "gym" / CL100K
    monkeypatch.delenv("DATA_GYM_CACHE_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert token_ids._file() == tmp_path / "data-gym-cache" / CL100K
