"""Batches as values: jobs, their requests, what is to be done next. Free of any wire format and of SQL."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

__all__ = ["ACTIVE", "Batch", "BatchItem", "BatchState", "NewBatch", "NewItem", "Step"]

BatchState = Literal["unchecked", "pending", "running", "succeeded", "failed", "cancelled", "expired"]
ACTIVE: Final = ("unchecked", "pending", "running")
"""The states of a job that has not ended; an `unchecked` one has no requests yet."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A job that is about to be stored."""

    kind: str
    """What its requests ask for, such as `generate`."""
    model: str
    display_name: str | None = None
    priority: int = 0
    """Jobs of a higher one go first."""
    from_file: bool = False
    """True where the requests came in a file, and the results go into one."""
    input_file: str | None = None
    """Id of that file, where it is told again."""
    body: str | None = None
    """What else the protocol keeps, in its own words."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """One request of a job."""

    request: str
    tag: str | None = None
    """What the caller knows the request by."""
    error: str | None = None
    """The result of a request that can't even be tried."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A job. Times are in UTC."""

    id: str
    kind: str
    model: str
    display_name: str | None
    from_file: bool
    state: BatchState
    cancelled: bool
    """True from the moment when somebody cancelled it."""
    expired: bool
    """True from the moment when it was given up for its age."""
    total: int
    succeeded: int
    failed: int
    created: datetime
    updated: datetime
    ended: datetime | None
    output_file: str | None
    """Id of the file with the results."""
    error: str | None
    """What went wrong with the job itself."""
    input_file: str | None = None
    error_file: str | None = None
    """Id of the file with the faults, where they have one of their own."""
    body: str | None = None
    usage: str | None = None
    """What all answers cost together, in the words of the protocol."""
    begun: datetime | None = None
    """When its requests could begin."""
    ending: datetime | None = None
    """When its last request was done."""
    abandoned: datetime | None = None
    """When it was cancelled or given up."""

    @property
    def active(self) -> bool:
        """True until the job has ended."""
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a job, and what became of it."""

    place: int
    """From 0, in the order of the input."""
    tag: str | None
    request: str
    state: Literal["waiting", "done", "failed"]
    result: str | None
    """The response, or the error where it failed."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next: `item`, or with None the end of the job, whose requests all have a result."""

    batch: Batch
    item: BatchItem | None
