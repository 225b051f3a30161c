"""`python -m tools.tinymodel`: make the embedded models again, from nothing but this package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.tinymodel.embedding import embedding_weights
from tools.tinymodel.export import write_checksums, write_embedding, write_text, write_vision
from tools.tinymodel.shapes import EMBEDDING, TEXT, VISION
from tools.tinymodel.vocabulary import build_vocabulary
from tools.tinymodel.weights import text_weights, vision_weights

TEXT_SEED, VISION_SEED, LESSON_SEED = 1, 2, 3
STEPS = 950
MODELS = Path(__file__).resolve().parents[2] / "localaik" / "assets" / "models"


def main() -> None:
    """Write the three models and their checksums into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODELS, help="folder for the files (default: the package's own)")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps of the text model; 0 leaves it random")
    parser.add_argument("--q8", action="store_true", help="write the text model in q8_0 instead of F16")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    vocabulary = build_vocabulary(TEXT.vocabulary)
    write_vision(options.out / "tiny-mmproj.gguf", VISION, TEXT.width, vision_weights(VISION, TEXT.width, VISION_SEED))
    write_embedding(
        options.out / "tiny-embedding.gguf", EMBEDDING, vocabulary, embedding_weights(EMBEDDING, vocabulary)
    )
    tensors = text_weights(TEXT, TEXT_SEED)
    if options.steps:
        # The trainer needs JAX, which the rest of this package does without.
        from tools.tinymodel.training import Schedule, train_text  # noqa: PLC0415

        tensors = train_text(
            TEXT,
            vocabulary,
            tensors,
            image_tokens=VISION.tokens,
            schedule=Schedule(options.steps),
            seed=LESSON_SEED,
        )
    write_text(options.out / "tiny.gguf", TEXT, vocabulary, tensors, half=not options.q8)
    sys.stdout.write(write_checksums(options.out).read_text(encoding="ascii"))


if __name__ == "__main__":
    main()
