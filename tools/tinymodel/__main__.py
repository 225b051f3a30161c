"""`python -m tools.tinymodel`: make the embedded models again, from nothing but this package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tools.tinymodel.embedding import embedding_weights
from tools.tinymodel.export import read_text, write_checksums, write_embedding, write_text, write_vision
from tools.tinymodel.shapes import EMBEDDING, TEXT, VISION
from tools.tinymodel.vocabulary import Vocabulary, build_vocabulary
from tools.tinymodel.weights import Tensors, deepen, text_weights, vision_weights

TEXT_SEED, VISION_SEED, LESSON_SEED, TOOL_SEED = 1, 2, 3, 20_000_000
TALK_STEPS, TOOL_STEPS = 950, 650
_TALK_BLOCKS = 4
MODELS = Path(__file__).resolve().parents[2] / "localaik" / "assets" / "models"


def main() -> None:
    """Write the three models and their checksums into a folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODELS, help="folder for the files (default: the package's own)")
    parser.add_argument("--start", type=Path, help="a text model that learned to talk, which then learns tools")
    parser.add_argument("--talk-steps", type=int, default=TALK_STEPS, help="training steps of talk")
    parser.add_argument("--steps", type=int, default=TOOL_STEPS, help="training steps with tools; 0 trains nothing")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="most seconds for the steps with tools")
    parser.add_argument("--q8", action="store_true", help="write the text model in q8_0 instead of F16")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    vocabulary = build_vocabulary(TEXT.vocabulary)
    write_vision(options.out / "tiny-mmproj.gguf", VISION, TEXT.width, vision_weights(VISION, TEXT.width, VISION_SEED))
    write_embedding(
        options.out / "tiny-embedding.gguf", EMBEDDING, vocabulary, embedding_weights(EMBEDDING, vocabulary)
    )
    target = options.out / "tiny.gguf"

    def save(tensors: Tensors) -> None:
        write_text(target, TEXT, vocabulary, tensors, half=not options.q8)

    tensors = text_weights(TEXT, TEXT_SEED)
    if options.steps:
        tensors = _train(options, vocabulary, save)
    save(tensors)
    sys.stdout.write(write_checksums(options.out).read_text(encoding="ascii"))


def _train(options: argparse.Namespace, vocabulary: Vocabulary, save: Callable[[Tensors], None]) -> Tensors:
    """Talk in a network with fewer blocks (or the file that learned it), then everything in the whole one."""
    # The trainer needs JAX, which the rest of this package does without.
    from tools.tinymodel.training import TALK, TOOLS, Schedule, train_text  # noqa: PLC0415

    small = replace(TEXT, blocks=_TALK_BLOCKS)
    if options.start:
        talker = read_text(options.start)
    else:
        talker = train_text(
            small,
            vocabulary,
            text_weights(small, TEXT_SEED),
            course=TALK,
            image_tokens=VISION.tokens,
            schedule=Schedule(options.talk_steps),
            seed=LESSON_SEED,
            save=lambda _: None,
        )
    return train_text(
        TEXT,
        vocabulary,
        deepen(talker, TEXT, TEXT_SEED),
        course=TOOLS,
        image_tokens=VISION.tokens,
        schedule=Schedule(options.steps, matrix_rate=4e-3, decay=0.6, seconds=options.seconds),
        seed=TOOL_SEED,
        save=save,
    )


if __name__ == "__main__":
    main()
