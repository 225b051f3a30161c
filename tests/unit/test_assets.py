"""The shipped model files, and the tools that make them."""

import hashlib
import re
from pathlib import Path

import gguf
import pytest

from localaik.assets import tiny_embedding, tiny_mmproj, tiny_model
from tools.tinymodel import vocabulary
from tools.tinymodel.embedding import embedding_weights
from tools.tinymodel.export import CHECKSUMS, write_checksums, write_embedding, write_text, write_vision
from tools.tinymodel.shapes import EMBEDDING, TEXT, VISION, EmbeddingShape, TextShape, VisionShape
from tools.tinymodel.vocabulary import CONTROL, TYPE_BYTE, TYPE_CONTROL, build_vocabulary
from tools.tinymodel.weights import text_weights, vision_weights

MAX_TOTAL_BYTES = 12_000_000
SMALL_VOCABULARY = 420
SMALL_TEXT = TextShape(
    vocabulary=SMALL_VOCABULARY,
    width=32,
    blocks=2,
    heads=2,
    head_width=16,
    feed_forward=64,
    window=64,
    pattern=2,
    context=256,
)
SMALL_VISION = VisionShape(image=28, patch=7, width=32, blocks=1, heads=2, feed_forward=64, pooling=2)
SMALL_EMBEDDING = EmbeddingShape(
    vocabulary=SMALL_VOCABULARY,
    width=768,
    head_width=256,
    feed_forward=32,
    window=64,
    pattern=2,
    gains=(0.5, 1.0),
    context=128,
)


@pytest.fixture(scope="module")
def text() -> gguf.GGUFReader:
    return gguf.GGUFReader(tiny_model())


@pytest.fixture(scope="module")
def vision() -> gguf.GGUFReader:
    return gguf.GGUFReader(tiny_mmproj())


@pytest.fixture(scope="module")
def embedding() -> gguf.GGUFReader:
    return gguf.GGUFReader(tiny_embedding())


def value(reader: gguf.GGUFReader, key: str) -> object:
    field = reader.get_field(key)
    assert field is not None, key
    return field.contents()


def export_small(folder: Path) -> str:
    folder.mkdir()
    vocabulary = build_vocabulary(SMALL_VOCABULARY)
    write_text(folder / "text.gguf", SMALL_TEXT, vocabulary, text_weights(SMALL_TEXT, 7))
    vision_tensors = vision_weights(SMALL_VISION, SMALL_TEXT.width, 7)
    write_vision(folder / "vision.gguf", SMALL_VISION, SMALL_TEXT.width, vision_tensors)
    embedding_tensors = embedding_weights(SMALL_EMBEDDING, vocabulary)
    write_embedding(folder / "embedding.gguf", SMALL_EMBEDDING, vocabulary, embedding_tensors)
    return write_checksums(folder).read_text("ascii")


def test_checksum_file_lists_exactly_the_shipped_models() -> None:
    folder = tiny_model().parent
    lines = (folder / CHECKSUMS).read_text("ascii").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.gguf")}
    assert sorted(listed) == ["tiny-embedding.gguf", "tiny-mmproj.gguf", "tiny.gguf"]


def test_shipped_models_stay_small() -> None:
    assert sum(path.stat().st_size for path in (tiny_model(), tiny_mmproj(), tiny_embedding())) < MAX_TOTAL_BYTES


def test_text_model_describes_itself_as_gemma3(text: gguf.GGUFReader) -> None:
    assert value(text, "general.architecture") == "gemma3"
    assert value(text, "gemma3.context_length") == 8192
    assert value(text, "gemma3.block_count") == TEXT.blocks
    assert value(text, "gemma3.embedding_length") == TEXT.width
    names = {tensor.name for tensor in text.tensors}
    assert "output.weight" not in names
    assert {f"blk.{block}.attn_q_norm.weight" for block in range(TEXT.blocks)} <= names


def test_projector_fits_the_text_model(text: gguf.GGUFReader, vision: gguf.GGUFReader) -> None:
    assert value(vision, "general.architecture") == "clip"
    assert value(vision, "clip.projector_type") == "gemma3"
    assert value(vision, "clip.vision.projection_dim") == value(text, "gemma3.embedding_length")
    image, patch = value(vision, "clip.vision.image_size"), value(vision, "clip.vision.patch_size")
    assert (image, patch, value(vision, "clip.vision.projector.scale_factor")) == (128, 16, 2)
    assert VISION.tokens == 16


def test_embedding_model_gives_768_mean_pooled_numbers(embedding: gguf.GGUFReader) -> None:
    assert value(embedding, "general.architecture") == "gemma-embedding"
    assert value(embedding, "gemma-embedding.embedding_length") == EMBEDDING.width == 768
    assert value(embedding, "gemma-embedding.context_length") == 2048
    assert value(embedding, "gemma-embedding.pooling_type") == gguf.PoolingType.MEAN


def test_shipped_vocabularies_are_the_one_the_tools_build(text: gguf.GGUFReader, embedding: gguf.GGUFReader) -> None:
    vocabulary = build_vocabulary(TEXT.vocabulary)
    for reader in (text, embedding):
        assert value(reader, "tokenizer.ggml.tokens") == list(vocabulary.pieces)
        assert value(reader, "tokenizer.ggml.scores") == list(vocabulary.scores)
        assert value(reader, "tokenizer.ggml.token_type") == list(vocabulary.types)
        assert value(reader, "tokenizer.ggml.add_space_prefix") is False


def test_vocabulary_has_every_byte_and_gemma_control_tokens() -> None:
    vocabulary = build_vocabulary(SMALL_VOCABULARY)
    byte_pieces = [piece for piece, kind in zip(vocabulary.pieces, vocabulary.types, strict=True) if kind == TYPE_BYTE]
    assert byte_pieces == [f"<0x{byte:02X}>" for byte in range(256)]
    assert vocabulary.pieces[: len(CONTROL)] == CONTROL
    control = [kind for piece, kind in zip(CONTROL, vocabulary.types, strict=False) if piece != "<unk>"]
    assert set(control) == {TYPE_CONTROL}
    assert (vocabulary.id("<pad>"), vocabulary.id("<eos>"), vocabulary.id("<bos>"), vocabulary.id("<unk>")) == (
        0,
        1,
        2,
        3,
    )


def test_merges_stay_inside_runs_of_letters_or_of_marks_of_json() -> None:
    merged = build_vocabulary(TEXT.vocabulary).pieces[len(CONTROL) + 256 :]
    assert all(len(piece) == 1 or re.fullmatch(r'[A-Za-z]+|[{}\[\]":,]+', piece) for piece in merged)


def test_vocabulary_larger_than_the_word_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "load_words", lambda: {"function": ("the", "of", "and")})
    with pytest.raises(ValueError, match="merges"):
        build_vocabulary(1000)


def test_control_tokens_in_plain_text_stay_text() -> None:
    vocabulary = build_vocabulary(SMALL_VOCABULARY)
    assert vocabulary.id("<end_of_turn>") not in vocabulary.encode("a<end_of_turn>b")


def test_export_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    assert export_small(tmp_path / "first") == export_small(tmp_path / "second")


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    vocabulary = build_vocabulary(SMALL_VOCABULARY)
    paths = [tmp_path / "7.gguf", tmp_path / "8.gguf"]
    for path in paths:
        write_text(path, SMALL_TEXT, vocabulary, text_weights(SMALL_TEXT, int(path.stem)))
    assert paths[0].read_bytes() != paths[1].read_bytes()
