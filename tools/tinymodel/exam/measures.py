"""What is measured beside the exams: the files, the start, speed, equal answers, and the similarity of texts."""

from __future__ import annotations

import hashlib
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import gguf
import psutil

from tools.tinymodel.draw import Draw
from tools.tinymodel.exam.asking import MODEL, OPENAI_PATH, Question
from tools.tinymodel.exam.client import in_parallel, post, session_to
from tools.tinymodel.exam.lines import Line
from tools.tinymodel.exam.running import EXAM_SEED, conversations, question_for
from tools.tinymodel.exam.serving import SLOTS, serving
from tools.tinymodel.exam.triples import triple
from tools.tinymodel.export import CHECKSUMS

__all__ = ["Embeddings", "File", "Sameness", "Speed", "embeddings", "files", "memory", "sameness", "speed"]

SAMENESS_PROMPTS = 60
TRIPLES = 500
_NORM_TOLERANCE = 1e-3
_BATCH = 50
_SINGLE_TEXTS = 50
_WRITTEN_TOKENS = 400
_READ_WORDS = 3000
_REPEATS = 3


@dataclass(frozen=True)
class File:
    """A model file."""

    name: str
    architecture: str
    parameters: int
    size: int
    sha256: str
    is_listed: bool
    """The checksum file beside it has this digest."""


@dataclass(frozen=True)
class Speed:
    """Tokens of a second, with one thread and one request at a time."""

    reads: float
    writes: float


@dataclass(frozen=True)
class Sameness:
    """How many prompts had the same answer in every run."""

    equal: int
    total: int
    runs: int


@dataclass(frozen=True)
class Embeddings:
    """What was found of the vectors of texts."""

    dimensions: int
    triples: int
    nearer: int
    """Triples whose anchor is nearer to the text that shares its words."""
    is_normalised: bool
    is_repeatable: bool
    """A text has the same vector again, alone and among others."""


def files(folder: Path) -> list[File]:
    """The model files of a folder. Raises OSError where one of them or the checksum file is missing."""
    listed = {line.split()[-1]: line.split()[0] for line in (folder / CHECKSUMS).read_text("ascii").splitlines()}
    found = []
    for path in sorted(folder.glob("*.gguf"), key=lambda path: path.stem.count("-") * 10 + len(path.stem)):
        reader = gguf.GGUFReader(path)
        parameters = sum(int(tensor.n_elements) for tensor in reader.tensors)
        architecture = reader.fields["general.architecture"].contents()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        is_listed = listed.get(path.name) == digest
        found.append(File(path.name, str(architecture), parameters, path.stat().st_size, digest, is_listed))
    return found


def memory(pid: int) -> int:
    """Resident bytes of a server and of its engine."""
    server = psutil.Process(pid)
    return sum(int(process.memory_info().rss) for process in (server, *server.children(recursive=True)))


async def speed(url: str) -> Speed:
    """How fast the server at `url` reads a long prompt and writes a long answer: the median of three."""
    async with session_to(url) as session:

        async def seconds(words: int, tokens: int) -> tuple[float, int]:
            message = {"role": "user", "content": "the " * words}
            body = {"model": MODEL, "messages": [message], "max_tokens": tokens, "ignore_eos": True, "temperature": 0}
            begun = time.monotonic()
            _, answer = await post(session, OPENAI_PATH, body)
            usage = answer.get("usage") if isinstance(answer, dict) else None
            if not isinstance(usage, dict):
                raise TypeError(f"no usage in {str(answer)[:200]}")
            return time.monotonic() - begun, int(usage["prompt_tokens"] if words > 1 else usage["completion_tokens"])

        await seconds(1, 1)
        reads, writes = [], []
        for _ in range(_REPEATS):
            least, _ = await seconds(1, 1)
            read, prompt_tokens = await seconds(_READ_WORDS, 1)
            written, answer_tokens = await seconds(1, _WRITTEN_TOKENS)
            reads.append(prompt_tokens / (read - least))
            writes.append((answer_tokens - 1) / (written - least))
    return Speed(statistics.median(reads), statistics.median(writes))


async def sameness(models: Path, lines: Sequence[Line]) -> Sameness:
    """Ask prompts of all lines again and again: one and four at a time, with one slot and four, and after a restart."""
    questions = _questions(lines)
    runs: list[list[str]] = []
    for slots, concurrencies in ((SLOTS, (1, SLOTS, SLOTS)), (SLOTS, (SLOTS,)), (1, (1, SLOTS))):
        with serving(models, slots) as server:
            runs += [await _texts(server.url, questions, concurrency) for concurrency in concurrencies]
    equal = sum(len(set(answers)) == 1 for answers in zip(*runs, strict=True))
    return Sameness(equal, len(questions), len(runs))


def _questions(lines: Sequence[Line]) -> list[Question]:
    """One or more of every line, as many in all as are asked."""
    each = math.ceil(SAMENESS_PROMPTS / len(lines))
    drawn = [
        question_for(line, conversation, index)
        for line in lines
        for index, conversation in enumerate(islice(conversations(line, each), each))
    ]
    step = max(len(drawn) / SAMENESS_PROMPTS, 1)
    return [drawn[int(index * step)] for index in range(min(SAMENESS_PROMPTS, len(drawn)))]


async def _texts(url: str, questions: Sequence[Question], concurrency: int) -> list[str]:
    """The answers without what differs in every answer by its nature: ids and times."""
    async with session_to(url) as session:

        async def ask(question: Question) -> str:
            status, body = await post(session, question.path, question.body)
            return f"{status} {_said(body)}"

        return await in_parallel(ask, questions, concurrency)


def _said(value: object) -> object:
    """The contents of an answer: everything but ids, times and fingerprints."""
    if isinstance(value, dict):
        return {key: _said(member) for key, member in value.items() if key not in _PASSING}
    return [_said(item) for item in value] if isinstance(value, list) else value


_PASSING = frozenset({"id", "created", "responseId", "createTime", "system_fingerprint", "thoughtSignature"})


async def embeddings(url: str) -> Embeddings:
    """Compare texts with one that shares their words and one that shares none, through the server at `url`."""
    triples = [triple(Draw.of(EXAM_SEED + index, exam=True)) for index in range(TRIPLES)]
    texts = [text for three in triples for text in three]
    async with session_to(url) as session:

        async def embed(some: Sequence[str]) -> list[list[float]]:
            status, body = await post(session, "/v1/embeddings", {"model": MODEL, "input": list(some)})
            if status != 200 or not isinstance(body, dict):
                raise RuntimeError(f"no embeddings: {status} {str(body)[:200]}")
            return [item["embedding"] for item in body["data"]]

        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        vectors = [vector for batch in batches for vector in await embed(batch)]
        again = [vector for batch in batches for vector in await embed(batch)]
        alone = [vector for text in texts[:_SINGLE_TEXTS] for vector in await embed([text])]
    nearer = sum(
        _dot(vectors[start], vectors[start + 1]) > _dot(vectors[start], vectors[start + 2])
        for start in range(0, len(vectors), 3)
    )
    norms = [_dot(vector, vector) for vector in vectors]
    return Embeddings(
        len(vectors[0]),
        TRIPLES,
        nearer,
        all(abs(norm - 1) < _NORM_TOLERANCE for norm in norms),
        vectors == again and vectors[:_SINGLE_TEXTS] == alone,
    )


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(map(float.__mul__, map(float, left), map(float, right)))
