"""Writes the models as GGUF files. The same tensors give the same bytes: fixed key order, no time, no host, no path."""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf

from tools.tinymodel.shapes import RMS_EPSILON, EmbeddingShape, TextShape, VisionShape
from tools.tinymodel.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from tools.tinymodel.weights import Tensors

__all__ = ["CHECKSUMS", "write_checksums", "write_embedding", "write_text", "write_vision"]

CHECKSUMS = "SHA256SUMS"
"""Name of the checksum file, in the format of `sha256sum`."""

_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
_MAX_POSITIONAL_DIMENSIONS = 1
_SAMPLING_TEMPERATURE = 0.3


def _write(writer: gguf.GGUFWriter, tensors: Tensors, *, matrix: gguf.GGMLQuantizationType) -> None:
    for name in sorted(tensors):
        tensor = tensors[name]
        precise = tensor.ndim == _MAX_POSITIONAL_DIMENSIONS or name.startswith(("v.patch_embd", "v.position_embd"))
        kind = gguf.GGMLQuantizationType.F32 if precise else matrix
        writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _general(writer: gguf.GGUFWriter, *, kind: str, name: str, file_type: gguf.LlamaFileType) -> None:
    writer.add_type(kind)
    writer.add_name(name)
    writer.add_license("MIT")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary, *, end: bool) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types(vocabulary.types)
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_unk_token_id(UNK)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(end)
    writer.add_add_space_prefix(False)


def write_text(path: Path, shape: TextShape, vocabulary: Vocabulary, tensors: Tensors, *, half: bool = True) -> None:
    """Write the chat model, in F16 or (`half` false) q8_0, with a recommended sampling temperature that keeps answers
    on track.
    """
    writer = gguf.GGUFWriter(path, "gemma3")
    file_type = gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.MOSTLY_Q8_0
    _general(writer, kind="model", name="localaik tiny", file_type=file_type)
    writer.add_sampling_temp(_SAMPLING_TEMPERATURE)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.blocks)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_freq_base_swa(shape.rope_base_local)
    writer.add_sliding_window(shape.window)
    writer.add_sliding_window_pattern(shape.pattern)
    _tokenizer(writer, vocabulary, end=False)
    writer.add_chat_template(_TEMPLATE.read_text(encoding="utf-8").rstrip("\n"))
    _write(writer, tensors, matrix=gguf.GGMLQuantizationType.F16 if half else gguf.GGMLQuantizationType.Q8_0)


def write_vision(path: Path, shape: VisionShape, text_width: int, tensors: Tensors) -> None:
    """Write the vision tower and projector for a text model of `text_width` channels."""
    writer = gguf.GGUFWriter(path, "clip")
    _general(writer, kind="mmproj", name="localaik tiny vision", file_type=gguf.LlamaFileType.MOSTLY_F16)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("gemma3")
    writer.add_vision_use_gelu(True)
    writer.add_vision_projection_dim(text_width)
    writer.add_vision_image_size(shape.image)
    writer.add_vision_patch_size(shape.patch)
    writer.add_vision_embedding_length(shape.width)
    writer.add_vision_feed_forward_length(shape.feed_forward)
    writer.add_vision_block_count(shape.blocks)
    writer.add_vision_head_count(shape.heads)
    writer.add_vision_attention_layernorm_eps(RMS_EPSILON)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])
    writer.add_vision_projector_scale_factor(shape.pooling)
    _write(writer, tensors, matrix=gguf.GGMLQuantizationType.F16)


def write_embedding(path: Path, shape: EmbeddingShape, vocabulary: Vocabulary, tensors: Tensors) -> None:
    """Write the embedding model in q8_0; texts are pooled by the mean of their tokens."""
    writer = gguf.GGUFWriter(path, "gemma-embedding")
    _general(writer, kind="model", name="localaik tiny embedding", file_type=gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(len(shape.gains))
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_layer_norm_rms_eps(RMS_EPSILON)
    writer.add_rope_freq_base(1e6)
    writer.add_sliding_window(shape.window)
    writer.add_sliding_window_pattern(shape.pattern)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    _tokenizer(writer, vocabulary, end=True)
    _write(writer, tensors, matrix=gguf.GGMLQuantizationType.Q8_0)


def write_checksums(folder: Path) -> Path:
    """Write `SHA256SUMS` over the folder's GGUF files, sorted by name; gives back its path."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.glob("*.gguf"))
    ]
    target = folder / CHECKSUMS
    target.write_text("".join(lines), encoding="ascii")
    return target
