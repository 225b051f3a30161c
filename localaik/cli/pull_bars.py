"""How far the pull of an image is: a bar for each layer on a terminal, a line elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from localaik.container import LayerProgress

__all__ = ["PullBars"]

_DONE = {"Pull complete", "Already exists"}


class PullBars:
    """A context manager. Nothing is printed before the first news, so not where no image is pulled."""

    def __init__(self, image: str, console: Console | None = None) -> None:
        self._image = image
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[size]}", markup=False),
            TextColumn("{task.fields[status]}", markup=False),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._has_begun and self._console.is_terminal:
            self._progress.stop()

    def show(self, news: LayerProgress) -> None:
        """Take the news about one layer."""
        if not self._has_begun:
            self._has_begun = True
            self._console.print(f"Pulling {self._image}", markup=False, highlight=False, soft_wrap=True)
            if self._console.is_terminal:
                self._progress.start()
        if not self._console.is_terminal:
            return
        task = self._tasks.get(news.layer)
        if task is None:
            task = self._tasks[news.layer] = self._progress.add_task(news.layer, total=None, size="", status="")
        if news.total is not None:
            size = f"{news.total / 1e6:.1f} MB"
            self._progress.update(task, completed=news.done or 0, total=news.total, size=size)
        if news.status in _DONE:
            self._progress.update(task, completed=1, total=1)
        self._progress.update(task, status=news.status)
