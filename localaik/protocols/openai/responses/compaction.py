"""Compaction: one item that stands for everything in a conversation but the user's messages. Pure: no I/O.

The item's `encrypted_content` is base64 of a version byte, a checksum and a digest: a JSON list of who said what, with
texts clipped to the room there is. The checksum is an HMAC with a constant key of this product. It tells damaged items
and those of other services from our own; it keeps nothing secret and proves no origin.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from localaik.content import Text
from localaik.errors import BadRequest
from localaik.generation.request import GenerationRequest, Message
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.responses.ids import new_id
from localaik.protocols.openai.responses.sealed import unseal

__all__ = ["compact", "compacted", "digest_of", "is_user_message", "summary_request", "visible"]

_KEY: Final = b"localaik compaction"
_VERSION: Final = b"\x01"
_CHECKSUM_BYTES: Final = 32
_HEADING: Final = "Earlier in this conversation (the user's own messages are not repeated here):"
_LEAST_TEXT: Final = 40
"""Entries are left out, oldest first, rather than have their texts clipped to less than this many characters."""
_LINE_EXTRA: Final = 5
"""Characters of a line beside who and text: its end, the dash, the colon, two spaces."""
_CUT: Final = "…"
_OPAQUE: Final = frozenset({"id", "type", "status", "encrypted_content", "call_id"})
_SUMMARISE: Final = (
    "Summarise the conversation below for somebody who takes it over: the goal, what was decided, what was found out, "
    "results of tools, and what is still to be done. Keep names, numbers and identifiers as they are. "
    "Write the summary alone."
)
_OMITTED: Final = "left out"
_SUMMARY: Final = "summary"


class _Entry(NamedTuple):
    """One thing that was said."""

    who: str
    """A role, or what kind of item it was and its name."""
    text: str

    @property
    def line(self) -> str:
        return f"- {self.who}: {self.text}"


def compact(items: Sequence[Object], *, max_chars: int, summary: str = "") -> Object:
    """A `compaction` item for `items`; its text for the model has `max_chars` characters at most.

    Earlier compaction items are taken up in it. Where a `summary` is given, it takes the place of what was said. Equal
    items give equal content. Raises `BadRequest` for a compaction item that is not ours.
    """
    entries = [_Entry(_SUMMARY, summary.strip())] if summary.strip() else _entries(items, with_users=False)
    return {
        "id": new_id("cmp"),
        "type": "compaction",
        "encrypted_content": _sealed(_fitted(entries, max_chars - len(_HEADING))),
    }


def compacted(items: Sequence[Object], compaction: Object) -> list[Object]:
    """What is left of `items` when `compaction` stands for the rest: the user's messages unchanged, and that item."""
    return [*(item for item in items if is_user_message(item)), compaction]


def visible(items: Sequence[Object]) -> list[Object]:
    """The items that the model is shown.

    Of those before the last compaction item, these are the user's messages, and calls whose results come after it. The
    order stays, but for a compaction item at the very end: it goes before the last message, which is to be answered.
    """
    last = max((place for place, item in enumerate(items) if item.get("type") == "compaction"), default=None)
    if last is None:
        return list(items)
    awaited = {item.get("call_id") for item in items[last:] if _is_result(item)}
    kept = [
        item
        for item in items[:last]
        if is_user_message(item) or (item.get("call_id") in awaited and not _is_result(item) and "call_id" in item)
    ]
    if last == len(items) - 1:
        return [*kept[:-1], items[last], *kept[-1:]]
    return [*kept, *items[last:]]


def digest_of(item: Object, path: str) -> str:
    """What a `compaction` item says, as text for the model; `path` is its place on the wire.

    Raises `BadRequest` (reason `invalid_value`) for one that is damaged or was not made here.
    """
    return "\n".join([_HEADING, *(entry.line for entry in _opened(item, path))])


def summary_request(items: Sequence[Object], model: str, *, max_chars: int, max_tokens: int) -> GenerationRequest:
    """Asks `model` for a summary of `items`, of which it is shown `max_chars` characters at most."""
    told = "\n".join(entry.line for entry in _fitted(_entries(items, with_users=True), max_chars))
    messages = [Message("system", [Text(_SUMMARISE)]), Message("user", [Text(told)])]
    return GenerationRequest(model=model, messages=messages, max_tokens=max_tokens)


def is_user_message(item: Object) -> bool:
    """True for a message of the user; the type may be left out."""
    return item.get("role") == "user" and item.get("type", "message") == "message"


def _is_result(item: Object) -> bool:
    return str(item.get("type")).endswith("_output")


def _entries(items: Sequence[Object], *, with_users: bool) -> list[_Entry]:
    names = {item["call_id"]: _name(item) for item in items if "call_id" in item and not _is_result(item)}
    entries: list[_Entry] = []
    for place, item in enumerate(items):
        if item.get("type") == "compaction":
            entries += _opened(item, f"input[{place}]")
        elif with_users or not is_user_message(item):
            entries += _of_item(item, names)
    return entries


def _of_item(item: Object, names: dict[object, str]) -> list[_Entry]:
    kind = str(item.get("type", "message"))
    if kind == "message":
        return [_Entry(str(item.get("role", "assistant")), _text(item.get("content")))]
    if kind in {"function_call", "custom_tool_call"}:
        return [_Entry(f"call of {_name(item)}", _text(item.get("arguments", item.get("input"))))]
    if kind in {"function_call_output", "custom_tool_call_output"}:
        name = names.get(item.get("call_id"))
        return [_Entry(f"result of {name}" if name else "result", _text(item.get("output")))]
    if kind == "reasoning":
        sealed = item.get("encrypted_content")
        thoughts = _text(item.get("content")) or _text(item.get("summary"))
        if not thoughts and isinstance(sealed, str):
            thoughts = unseal(sealed) or ""
        return [_Entry("thought", thoughts)] if thoughts else []
    if kind in {"compaction_trigger", "item_reference"}:
        return []
    return [_Entry(kind, _text({key: value for key, value in item.items() if key not in _OPAQUE}))]


def _name(item: Object) -> str:
    name, namespace = str(item.get("name", "")), item.get("namespace")
    return f"{namespace}.{name}" if namespace else name


def _text(content: object) -> str:
    """Text as it is, parts one behind the other with files by their kind; anything else as JSON."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return "\n".join(_part(part) for part in content)
    return orjson.dumps(content).decode()


def _part(part: Object) -> str:
    text = part.get("text", part.get("refusal"))
    if isinstance(text, str):
        return text
    name = part.get("filename")
    return f"[{str(part['type']).removeprefix('input_')}{f' {name}' if name else ''}]"


def _fitted(entries: Sequence[_Entry], room: int) -> list[_Entry]:
    """The entries with long texts clipped, as little as needed; the oldest go where even short ones have no room."""
    if sum(_size(entry) for entry in entries) <= room:
        return list(entries)
    omitted = 0
    while entries[omitted:]:
        note = _omission(entries[:omitted])
        rest = entries[omitted:]
        share = _share([len(entry.text) for entry in rest], room - _overhead([*note, *rest]) - _text_size(note))
        if share >= _LEAST_TEXT or omitted == len(entries) - 1:
            return [*note, *(entry._replace(text=_clipped(entry.text, max(share, 0))) for entry in rest)]
        omitted += max(1, len(rest) // 16)
        omitted = min(omitted, len(entries) - 1)
    return []


def _omission(gone: Sequence[_Entry]) -> list[_Entry]:
    """A line that counts what is left out, together with what was before."""
    if not gone:
        return []
    earlier = sum(int(entry.text) for entry in gone if entry.who == _OMITTED and entry.text.isdecimal())
    count = earlier + sum(entry.who != _OMITTED for entry in gone)
    return [_Entry(_OMITTED, str(count))]


def _share(lengths: Sequence[int], room: int) -> int:
    """The longest that texts may be for all of them to fit in `room`; less than 0 where not even nothing fits."""
    left = room
    for place, length in enumerate(sorted(lengths)):
        waiting = len(lengths) - place
        if length * waiting > left:
            return left // waiting
        left -= length
    return max(lengths, default=0) if left >= 0 else left


def _size(entry: _Entry) -> int:
    return len(entry.who) + len(entry.text) + _LINE_EXTRA


def _overhead(entries: Iterable[_Entry]) -> int:
    return sum(len(entry.who) + _LINE_EXTRA for entry in entries)


def _text_size(entries: Iterable[_Entry]) -> int:
    return sum(len(entry.text) for entry in entries)


def _clipped(text: str, most: int) -> str:
    """Beginning and end of a text, which say more than its middle."""
    if len(text) <= most:
        return text
    if most < 2 * len(_CUT) + 1:
        return text[:most]
    tail = (most - len(_CUT)) // 3
    return text[: most - len(_CUT) - tail] + _CUT + text[len(text) - tail :]


def _sealed(entries: Sequence[_Entry]) -> str:
    digest = orjson.dumps([_storable(entry) for entry in entries])
    return b64encode(_VERSION + _checksum(_VERSION + digest) + digest).decode()


def _storable(entry: _Entry) -> list[str]:
    return [value.encode("utf-8", "replace").decode() for value in entry]


def _opened(item: Object, path: str) -> list[_Entry]:
    content = item.get("encrypted_content")
    try:
        sealed = b64decode(content.encode() if isinstance(content, str) else b"", validate=True)
    except (Base64Error, UnicodeEncodeError):
        raise _foreign(path) from None
    checksum, digest = sealed[1 : 1 + _CHECKSUM_BYTES], sealed[1 + _CHECKSUM_BYTES :]
    if sealed[:1] != _VERSION or not hmac.compare_digest(checksum, _checksum(_VERSION + digest)):
        raise _foreign(path)
    try:
        return [_Entry(str(who), str(text)) for who, text in orjson.loads(digest)]
    except (TypeError, ValueError):  # the key is no secret: anybody can seal anything
        raise _foreign(path) from None


def _checksum(data: bytes) -> bytes:
    return hmac.digest(_KEY, data, "sha256")


def _foreign(path: str) -> BadRequest:
    return BadRequest(
        "The compaction item is damaged, or was made by another service.",
        field=f"{path}.encrypted_content",
        reason="invalid_value",
    )
