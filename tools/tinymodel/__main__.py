"""`python -m tools.tinymodel`: make the embedded models again, from nothing but this repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.tinymodel.embedding import embedding_weights
from tools.tinymodel.export import write_checksums, write_embedding, write_text, write_vision
from tools.tinymodel.shapes import EMBEDDING, TEXT, VISION
from tools.tinymodel.training import Schedule, train_text
from tools.tinymodel.vision.training import train_vision
from tools.tinymodel.vocabulary import build_vocabulary
from tools.tinymodel.weights import text_weights, vision_weights

TEXT_SEED, LESSON_SEED, VISION_SEED, PICTURE_SEED = 1, 3, 2, 4
MODELS = Path(__file__).resolve().parents[2] / "localaik" / "assets" / "models"
_PARTS = ("embedding", "vision", "text")


def main() -> None:
    """Write the three models and their checksums into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODELS, help="folder for the files (default: the package's own)")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="folder for checkpoints")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="make these alone")
    parser.add_argument("--text-seconds", type=float, default=5400, help="length of the text model's training")
    parser.add_argument("--vision-seconds", type=float, default=1800, help="length of the vision tower's training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    vocabulary = build_vocabulary(TEXT.vocabulary)
    if "embedding" in options.only:
        tensors = embedding_weights(EMBEDDING, vocabulary)
        write_embedding(options.out / "tiny-embedding.gguf", EMBEDDING, vocabulary, tensors)
    if "vision" in options.only:
        start = vision_weights(VISION, TEXT.width, VISION_SEED)
        tensors = train_vision(
            VISION,
            start,
            text_width=TEXT.width,
            seconds=options.vision_seconds,
            seed=PICTURE_SEED,
            target=options.work / "vision.npz",
        )
        write_vision(options.out / "tiny-mmproj.gguf", VISION, TEXT.width, tensors)
    if "text" in options.only:
        schedule = Schedule(options.text_seconds)
        start = text_weights(TEXT, TEXT_SEED)
        tensors = train_text(TEXT, start, schedule=schedule, seed=LESSON_SEED, target=options.work / "text.npz")
        write_text(options.out / "tiny.gguf", TEXT, vocabulary, tensors)
    sys.stdout.write(write_checksums(options.out).read_text(encoding="ascii"))


if __name__ == "__main__":
    main()
