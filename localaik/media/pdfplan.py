"""Which renderer draws which pages, and how large."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PageRange", "Scale", "plan_ranges"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Pages are drawn at `dpi`, and smaller where their longer side would pass `side_px` pixels."""

    dpi: float
    side_px: int

    def halved(self) -> "Scale":
        """Half the width and height of every page."""
        return Scale(self.dpi / 2, max(self.side_px // 2, 1))

    def option(self, longest_side: float) -> tuple[str, str]:
        """The option of `pdftoppm` for a page whose longer side has that many points."""
        if longest_side * self.dpi / 72 > self.side_px:
            return "-scale-to", str(self.side_px)
        return "-r", f"{self.dpi:g}"


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages `first` to `last` (from 1, both included), drawn by one process with one `option`."""

    first: int
    last: int
    option: tuple[str, str]

    @property
    def pages(self) -> range:
        """The page numbers."""
        return range(self.first, self.last + 1)


def plan_ranges(pages: Sequence[int], longest_sides: Sequence[float], scale: Scale, workers: int) -> list[PageRange]:
    """Cut `pages` (ascending, from 1) into ranges of about equal length, as many as workers where sizes allow it.

    One process draws neighbours at one resolution only, so a gap or a page of another size starts a new range.
    """
    longest = max(-(-len(pages) // workers), 1)
    ranges: list[PageRange] = []
    for page in pages:
        option = scale.option(longest_sides[page - 1])
        last = ranges[-1] if ranges else None
        if last is not None and last.last == page - 1 and last.option == option and len(last.pages) < longest:
            ranges[-1] = PageRange(last.first, page, option)
        else:
            ranges.append(PageRange(page, page, option))
    return ranges
