"""What the parent and its workers say to each other, as tagged structs in MessagePack.

Numbers `number` belong to questions: the `Answer` has the same one. Everything else is told and not answered.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = [
    "Answer",
    "Ask",
    "Came",
    "CancelJob",
    "Collect",
    "EngineIs",
    "Find",
    "FromParent",
    "FromWorker",
    "GaveBack",
    "Granted",
    "Hold",
    "IsHeld",
    "Lost",
    "Needs",
    "NeedsNot",
    "Pressure",
    "Pulse",
    "RateOf",
    "Refused",
    "Release",
    "Resized",
    "Serves",
    "Settle",
    "Setup",
    "Stop",
    "Wake",
    "Wanted",
    "WantedNot",
    "Went",
    "from_parent",
    "from_worker",
    "raw",
    "to_bytes",
]


class _Message(msgspec.Struct, tag=True, frozen=True):
    """One message."""


# Slots of engines


class Wanted(_Message, frozen=True):
    """A request of this worker waits for a slot."""

    engine: str
    background: bool


class WantedNot(_Message, frozen=True):
    """It has got one otherwise, or given up."""

    engine: str
    background: bool
    ahead: int = 0
    """Requests of this worker that have waited longer."""


class Granted(_Message, frozen=True):
    """A slot is lent to this worker."""

    engine: str


class Refused(_Message, frozen=True):
    """The queue is full: the request that came last has to go."""

    engine: str


class GaveBack(_Message, frozen=True):
    """Slots that were lent are free again."""

    engine: str
    slots: int
    asked: bool = False
    """Said, once, because others wait; there may be none."""


class Pressure(_Message, frozen=True):
    """Others wait, or do no longer: while they do, no worker keeps a slot that it does not use."""

    engine: str
    on: bool


class Resized(_Message, frozen=True):
    """The engine has told how many slots it has."""

    engine: str
    slots: int


# Engines


class Needs(_Message, frozen=True):
    """This worker is going to use an engine: is it there, or being started? The answer is "" or a reason why not."""

    number: int
    engine: str


class NeedsNot(_Message, frozen=True):
    """This worker no longer uses it."""

    engine: str


class Lost(_Message, frozen=True):
    """The engine could not be reached. The answer comes once it is known whether it lives."""

    number: int
    engine: str


class EngineIs(_Message, frozen=True):
    """How an engine stands: its address while it is ready, and what `/health` tells of it."""

    engine: str
    address: str | None
    state: Mapping[str, str | int | None]
    failed: int | None = None
    """Given up, with the status that the process should end with."""


# Names, limits, runs, jobs


class Hold(_Message, frozen=True):
    """May this worker hold a name? `seconds` as in `NamedLocks.take`. The answer is true or false."""

    number: int
    name: str
    seconds: float | None


class Release(_Message, frozen=True):
    """What was asked for by the question `number` is not held, or not waited for, any longer."""

    number: int


class IsHeld(_Message, frozen=True):
    """Does anybody hold a name?"""

    number: int
    name: str


class RateOf(_Message, frozen=True):
    """May this client call? The answer is a `Verdict`."""

    number: int
    bucket: str
    client: str


class Came(_Message, frozen=True):
    """Something that others may ask for is in this worker now."""

    run: str


class Went(_Message, frozen=True):
    """It is no longer."""

    run: str


class Find(_Message, frozen=True):
    """Which worker has it? The answer is the address of that worker, or ""."""

    number: int
    run: str


class Settle(_Message, frozen=True):
    """The answer, true, comes behind all that was said before has been acted on."""

    number: int


class Wake(_Message, frozen=True):
    """There may be background work; told on to the worker that does it."""


class CancelJob(_Message, frozen=True):
    """Stop the units of a job, wherever they run. The answer comes when they have stopped."""

    number: int
    job: str


class Collect(_Message, frozen=True):
    """What have all workers counted? The answer is a list of bytes, one entry for each worker."""

    number: int


class Pulse(_Message, frozen=True):
    """Are you there? The answer is the number of requests on each engine."""

    number: int


# Life


class Setup(_Message, frozen=True):
    """The first message to a worker: what it is, and the settings of the whole server as JSON."""

    index: int
    settings: bytes
    sockets: list[int]
    """File descriptors of the listening sockets."""
    folder: str
    """Of all workers: each has a socket for its neighbours there."""


class Serves(_Message, frozen=True):
    """The worker answers requests."""


class Stop(_Message, frozen=True):
    """Accept no more, let running requests end, and exit; a second time: at once."""


class Answer(_Message, frozen=True):
    """To a question."""

    number: int
    value: msgspec.Raw
    """MessagePack of what the question asks for."""


Ask = Needs | Lost | Hold | IsHeld | Settle | RateOf | Find | CancelJob | Collect | Pulse
FromWorker = (
    Wanted
    | WantedNot
    | GaveBack
    | Resized
    | Needs
    | NeedsNot
    | Lost
    | Hold
    | Release
    | IsHeld
    | RateOf
    | Came
    | Went
    | Find
    | Settle
    | Wake
    | CancelJob
    | Collect
    | Serves
    | Answer
)
FromParent = Setup | Granted | Refused | Pressure | EngineIs | Wake | CancelJob | Collect | Pulse | Stop | Answer

_ENCODER: Final = msgspec.msgpack.Encoder()
to_bytes: Final = _ENCODER.encode
"""Any message."""
from_worker: Final = msgspec.msgpack.Decoder(FromWorker).decode
"""What a worker has said."""
from_parent: Final = msgspec.msgpack.Decoder(FromParent).decode
"""What the parent has said."""


def raw(value: object) -> msgspec.Raw:
    """The value of an answer."""
    return msgspec.Raw(_ENCODER.encode(value))
