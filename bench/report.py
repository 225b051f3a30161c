"""Figures, the bars they are held against, and how both are printed."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Bar", "Report", "added", "parse_arguments", "percentile", "table"]


def _yardstick() -> float:
    """Processor time of a fixed piece of pure Python, in milliseconds: least of 15.

    Machines differ, and so do builds of one Python version on one machine; figures compare after division by it.
    """
    best = float("inf")
    for _ in range(15):
        began = time.process_time()
        kept = {}
        for number in range(100_000):
            kept[number % 997] = (number, str(number))
        best = min(best, time.process_time() - began)
    return best * 1000


@dataclass(frozen=True, slots=True)
class Bar:
    """A goal for one figure."""

    figure: str
    limit: float
    unit: str
    better: Literal["below", "above"] = "below"

    def passed(self, value: float) -> bool:
        """Whether `value` reaches the goal."""
        return value < self.limit if self.better == "below" else value > self.limit

    def line(self, value: float) -> str:
        """One line: verdict, figure, value and goal."""
        verdict = "PASS" if self.passed(value) else "MISS"
        return f"{verdict}  {self.figure} = {value:,.4g} {self.unit} (bar: {self.better} {self.limit:,g} {self.unit})"


@dataclass(slots=True)
class Report:
    """All that one benchmark found."""

    name: str
    quick: bool
    notes: list[str] = field(default_factory=list)
    """How it was measured."""
    rows: list[Mapping[str, object]] = field(default_factory=list)
    verdicts: list[tuple[Bar, float]] = field(default_factory=list)
    yardstick_ms: float = field(default_factory=_yardstick)

    def check(self, bar: Bar, value: float) -> None:
        """Hold `value` against `bar`."""
        self.verdicts.append((bar, value))

    def text(self) -> str:
        """The table, the verdicts and one line of JSON."""
        lines = [f"bench.{self.name}{' (quick: too short for figures)' if self.quick else ''}"]
        lines.append(f"  Python {platform.python_version()}; the yardstick takes {self.yardstick_ms:.1f} ms")
        lines += [f"  {note}" for note in self.notes]
        lines += ["", table(self.rows), ""]
        lines += [bar.line(value) for bar, value in self.verdicts]
        return "\n".join([*lines, json.dumps(self.as_object(), separators=(",", ":"))])

    def as_object(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "bench": self.name,
            "quick": self.quick,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "yardstick_ms": _rounded(self.yardstick_ms),
            "notes": self.notes,
            "rows": [{name: _rounded(value) for name, value in row.items()} for row in self.rows],
            "bars": [
                {
                    "figure": bar.figure,
                    "value": _rounded(value),
                    "unit": bar.unit,
                    bar.better: bar.limit,
                    "passed": bar.passed(value),
                }
                for bar, value in self.verdicts
            ],
        }


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` (0 to 1) of the sorted values lie (nearest rank); 0.0 where there is none."""
    if not ordered:
        return 0.0
    return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)]


def added(measured: Sequence[float], baseline: Sequence[float]) -> float:
    """The median over rounds of what `measured` has more than `baseline` in the same round."""
    return statistics.median(one - other for one, other in zip(measured, baseline, strict=True))


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as aligned columns: text to the left, numbers to the right."""
    if not rows:
        return "(nothing measured)"
    cells = [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(len(name), *(len(line[column]) for line in cells)) for column, name in enumerate(rows[0])]
    pads: list[Callable[[str, int], str]] = [
        str.ljust if isinstance(value, str) else str.rjust for value in rows[0].values()
    ]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(pad(text, width) for text, width, pad in zip(texts, widths, pads, strict=True)).rstrip()

    return "\n".join([line(list(rows[0])), line(["-" * width for width in widths]), *map(line, cells)])


def parse_arguments(description: str | None, arguments: Sequence[str] | None = None) -> bool:
    """Read the command line, which has one option; True for `--quick`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds in all, to see that everything works")
    return bool(parser.parse_args(arguments).quick)


def _rounded(value: object) -> object:
    """No more digits than the measurement has."""
    return round(value, 4) if isinstance(value, float) else value


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
