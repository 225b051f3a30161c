"""The results as Markdown, and their place in the page about the models."""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.tinymodel.exam.lines import GROUPS
from tools.tinymodel.exam.measures import Embeddings, File, Sameness, Speed
from tools.tinymodel.exam.running import Score

__all__ = ["PAGE", "Report", "faults", "markdown", "percent", "with_results"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "embedded-model.md"
_BEGIN = "<!-- exam: begin (written by `make model-eval`) -->"
_END = "<!-- exam: end -->"
_EMBEDDING_BAR = 99


@dataclass
class Report:
    """All results of one run; None where a measurement was left out."""

    files: Sequence[File] = ()
    scores: list[Score] = field(default_factory=list)
    ready_seconds: float | None = None
    memory: tuple[int, int] | None = None
    """Resident bytes after the start, and after all exams."""
    speed: Speed | None = None
    sameness: Sameness | None = None
    embeddings: Embeddings | None = None
    samples: Sequence[tuple[str, str]] = ()
    """Prompts with their answers."""


def percent(right: int, total: int) -> str:
    """A share in percent with one decimal at most, never rounded up."""
    return f"{math.floor(1000 * right / max(total, 1)) / 10:g} %"


def faults(report: Report) -> list[str]:
    """Why the exams are not passed: bars that were missed, and properties that do not hold."""
    found = [
        f"{score.line.name}: {percent(score.right, score.total)}, the bar is {score.line.bar} %"
        for score in report.scores
        if not score.passed
    ]
    found += [
        f"{file.name} has another checksum than the list beside it" for file in report.files if not file.is_listed
    ]
    if report.sameness is not None and report.sameness.equal < report.sameness.total:
        found.append(f"{report.sameness.total - report.sameness.equal} prompts had different answers")
    vectors = report.embeddings
    if vectors is not None:
        if 100 * vectors.nearer < _EMBEDDING_BAR * vectors.triples:
            found.append(f"embeddings: {percent(vectors.nearer, vectors.triples)}, the bar is {_EMBEDDING_BAR} %")
        if not vectors.is_normalised:
            found.append("vectors of texts do not have the length 1")
        if not vectors.is_repeatable:
            found.append("a text had another vector the second time")
    return found


def markdown(report: Report) -> str:
    """The results as tables. They name the files by their checksums and no date."""
    blocks = [_file_table(report.files)]
    for group in GROUPS:
        scores = [score for score in report.scores if score.line in group.lines]
        if scores:
            blocks.append(f"### {group.name}\n\n{_score_table(scores)}")
    blocks.append(f"### Beside the exams\n\n{_other_table(report)}")
    if report.samples:
        blocks.append(f"### What comes back\n\n{_sample_table(report.samples)}")
    return "\n\n".join(blocks)


def with_results(page: str, results: str) -> str:
    """The page with the results between its marks. Raises ValueError where it has no marks."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page has no place for the results")
    return f"{before}{_BEGIN}\n\n{results}\n\n{_END}{after}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _sample_table(samples: Sequence[tuple[str, str]]) -> str:
    rows = [[_shown(prompt), _shown(answer)] for prompt, answer in samples]
    return _table(["Prompt", "Answer at temperature 0"], rows)


def _shown(text: str) -> str:
    """Text as it is, in a cell: lines are parted by a mark."""
    return html.escape(text, quote=False).replace("\n", "<br>").replace("*", "&#42;").replace("_", "&#95;")


def _file_table(files: Sequence[File]) -> str:
    rows = [
        [
            f"`{file.name}`",
            f"`{file.architecture}`",
            f"{file.parameters:,}",
            f"{file.size / 1e6:.2f} MB",
            f"`{file.sha256[:16]}`",
        ]
        for file in files
    ]
    return _table(["File", "Architecture", "Parameters", "Size", "SHA-256 begins with"], rows)


def _score_table(scores: Sequence[Score]) -> str:
    functions = any(score.line.calls for score in scores)
    head = ["Exam", "What is asked", "Right", *(["Right function"] if functions else []), "Bar", "Instances"]
    rows = []
    for score in scores:
        line = score.line
        bar = "" if line.bar is None else f"{line.bar} %{'' if score.passed else ' (missed)'}"
        fitting = [percent(score.fitting, score.total) if line.calls else ""] if functions else []
        rows.append([line.name, line.told, percent(score.right, score.total), *fitting, bar, str(score.total)])
    return _table(head, rows)


def _other_table(report: Report) -> str:
    rows = []
    if report.sameness is not None:
        same = report.sameness
        what = "One and four requests at a time, one slot and four, before and after a restart"
        rows.append([f"Same answer in all of {same.runs} runs", what, f"{same.equal} of {same.total} prompts"])
    if report.embeddings is not None:
        found = report.embeddings
        what = "A text is nearer to one with its words in another order than to one that shares function words only"
        rows.append(["Similar texts", what, f"{percent(found.nearer, found.triples)} of {found.triples}"])
        what = f"{found.dimensions} numbers of length 1; the same again, alone and in a batch"
        rows.append(["Vectors", what, "yes" if found.is_normalised and found.is_repeatable else "no"])
    if report.ready_seconds is not None:
        rows.append(["Start", "From the start of the process to a loaded model", f"{report.ready_seconds:.2f} s"])
    if report.memory is not None:
        start, end = (f"{bytes_ / 1e6:.0f} MB" for bytes_ in report.memory)
        rows.append(["Memory", "Server and chat engine, 4 slots of 8192 tokens", f"{start}; after the exams {end}"])
    if report.speed is not None:
        reads, writes = (f"{round(rate, -2):,.0f} tokens/s" for rate in (report.speed.reads, report.speed.writes))
        where = f"one engine thread on {platform.machine()}"
        rows.append(
            ["Speed", f"Through the HTTP API, one request at a time, {where}", f"reads {reads}, writes {writes}"]
        )
    return _table(["What", "How", "Result"], rows)
