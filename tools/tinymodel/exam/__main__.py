"""`python -m tools.tinymodel.exam`: what the embedded models can do, measured through the server's public API.

Starts `localaik serve` with the shipped files (or those of a folder), asks fresh questions of every kind at temperature
0, compares exactly, and ends with status 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from tools.tinymodel.exam import measures
from tools.tinymodel.exam.lines import GROUPS, Line
from tools.tinymodel.exam.page import PAGE, Report, faults, markdown, percent, with_results
from tools.tinymodel.exam.running import Score, examine
from tools.tinymodel.exam.samples import samples
from tools.tinymodel.exam.serving import SHIPPED, SLOTS, serving

_MEASURES = ("samples", "speed", "embeddings", "sameness")


def main() -> int:
    """Run the exams; 0 if all bars are reached."""
    options = _options()
    wanted = [name.lower() for name in options.only]
    lines = [line for group in GROUPS for line in group.lines if _is_wanted(wanted, group.name, line.name)]
    extra = [name for name in _MEASURES if _is_wanted(wanted, name)]
    if not lines and not extra:
        sys.exit(f"There is no exam of that name. Groups: {', '.join(group.name for group in GROUPS)}")
    report = asyncio.run(_run(options, lines, extra))
    if options.write:
        PAGE.write_text(with_results(PAGE.read_text("utf-8"), markdown(report)), "utf-8")
    missed = faults(report)
    print("\n".join(missed) if missed else "All bars are reached.")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.tinymodel.exam", description=__doc__)
    parser.add_argument("--models", type=Path, default=SHIPPED, help="folder with the files and their checksums")
    parser.add_argument("--count", type=int, help="instances of each line (default: as the line says)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="groups, lines or measurements")
    parser.add_argument("--write", action="store_true", help="write the results into docs/embedded-model.md")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print so many wrong answers of each line")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write needs all exams, so --only can't be given")
    return options


def _is_wanted(wanted: list[str], *names: str) -> bool:
    return not wanted or any(part in name.lower() for part in wanted for name in names)


async def _run(options: argparse.Namespace, lines: list[Line], extra: list[str]) -> Report:
    report = Report(files=measures.files(options.models))
    for file in report.files:
        print(f"{file.name}: {file.parameters:,} parameters, {file.size:,} bytes, SHA-256 {file.sha256}", flush=True)
    with serving(options.models) as server:
        report.ready_seconds = server.ready_seconds
        print(f"ready after {server.ready_seconds:.2f} s, port open after {server.listening_seconds:.2f} s", flush=True)
        before = measures.memory(server.pid)
        if "samples" in extra:
            report.samples = await samples(server.url)
            print("\n".join(f"    {prompt!r} -> {answer!r}" for prompt, answer in report.samples), flush=True)
        if "speed" in extra:
            report.speed = await measures.speed(server.url)
            print(f"reads {report.speed.reads:,.0f} tokens/s, writes {report.speed.writes:,.0f} tokens/s", flush=True)
        for line in lines:
            begun = time.monotonic()
            score = await examine(server.url, line, options.count or line.count, SLOTS)
            report.scores.append(score)
            _print(score, time.monotonic() - begun, options.show)
        report.memory = before, measures.memory(server.pid)
        if "embeddings" in extra:
            report.embeddings = await measures.embeddings(server.url)
            print(f"embeddings: {report.embeddings}", flush=True)
    if "sameness" in extra:
        report.sameness = await measures.sameness(options.models, lines or _all_lines())
        print(f"same answers: {report.sameness}", flush=True)
    return report


def _all_lines() -> list[Line]:
    return [line for group in GROUPS for line in group.lines]


def _print(score: Score, seconds: float, show: int) -> None:
    line = score.line
    bar = "" if line.bar is None else f"bar {line.bar} %{'' if score.passed else ' MISSED'}"
    fitting = f"right function {percent(score.fitting, score.total)}" if line.calls else ""
    print(
        f"{line.name:34} {percent(score.right, score.total):>7} of {score.total:<4} {bar:16} {fitting} {seconds:.1f} s"
    )
    for wrong in score.wrong[:show]:
        print(f"    asked    {wrong.prompt!r}\n    expected {wrong.expected!r}\n    got      {wrong.got!r}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
