"""Cached contents as the Gemini API names and describes them. Pure: no I/O.

Source: the REST reference of `cachedContents`; `Duration` and `Timestamp` in the "ProtoJSON Format" page of the
Protocol Buffers documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import orjson

from localaik.errors import BadRequest
from localaik.protocols.gemini.proto3 import Message, Repeated
from localaik.protocols.gemini.reading import Findings
from localaik.protocols.gemini.types import Content, GenerateContentRequest, SystemInstruction, Tool, ToolConfig
from localaik.state.records import NewCache, StoredCache

__all__ = [
    "CachedContent",
    "CachedPrompt",
    "Lifetime",
    "cache_id_of",
    "cache_name_of",
    "cache_object",
    "expiry_of",
    "new_cache",
    "prompt_of",
    "unsupported_mask",
]

_PREFIX: Final = "cachedContents/"
_DEFAULT_SECONDS: Final = 3600
_MAX_NAME_CHARS: Final = 128
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_HELD: Final = ("contents", "systemInstruction", "tools", "toolConfig")
_SNAKE: Final = {"systemInstruction": "system_instruction", "toolConfig": "tool_config"}
_LIFETIME_FIELDS: Final = frozenset({"ttl", "expireTime", "expire_time"})


class Lifetime(Message):
    """The body of a change: nothing but the lifetime can be changed."""

    ttl: str | None = None
    expire_time: str | None = None


class CachedContent(Lifetime):
    """The body of a creation; what only answers have is taken and without effect."""

    # Without them something else would be cached than what was meant.
    refused: ClassVar[frozenset[str]] = frozenset({"generationConfig", "generation_config"})

    model: str | None = None
    contents: Repeated[Content] | None = None
    system_instruction: SystemInstruction = None
    tools: Repeated[Tool] | None = None
    tool_config: ToolConfig | None = None
    display_name: str | None = None
    name: object = None
    create_time: object = None
    update_time: object = None
    usage_metadata: object = None

    def as_request(self) -> GenerateContentRequest:
        """What it puts into a request that uses it."""
        return GenerateContentRequest.model_construct(
            contents=self.contents,
            system_instruction=self.system_instruction,
            tools=self.tools,
            tool_config=self.tool_config,
        )


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """A cached content as a request uses it."""

    model: str
    """Without `models/`."""
    request: GenerateContentRequest
    """Its contents, system instruction and tools."""
    tokens: int
    """Its size as a prompt, or 0 where the engine can't tell."""


def cache_id_of(name: str) -> str:
    """The id in a path's last part. Raises `BadRequest` for names of other kinds of things."""
    cache_id = name.removeprefix(_PREFIX)
    if not cache_id or "/" in cache_id:
        raise BadRequest(
            f"* GetCachedContentRequest.name: {name[:100]} is not a valid name of a cached content", field="name"
        )
    return cache_id


def cache_name_of(text: str) -> str | None:
    """The id in `cachedContents/ID`, or None where `text` is no such name."""
    cache_id = text.removeprefix(_PREFIX)
    return cache_id if text.startswith(_PREFIX) and cache_id and "/" not in cache_id else None


def expiry_of(lifetime: Lifetime, now: datetime, root: str) -> datetime | None:
    """When a content expires, or None where nothing is said. `root` is the wire's name of the message.

    Raises `BadRequest` for two statements, for what can't be read, and for what is over at `now`.
    """
    findings = Findings(root)
    expires = None
    field = "ttl" if lifetime.ttl is not None else "expireTime"
    if lifetime.ttl is not None and lifetime.expire_time is not None:
        findings.refuse("ttl", "only one of ttl and expire_time can be set")
    elif lifetime.ttl is not None:
        length = _duration(lifetime.ttl)
        if length is None:
            findings.refuse(field, 'must be a duration in seconds, such as "3600s"')
        else:
            expires = _later(now, length)
            if expires is None:
                findings.refuse(field, "is too long")
    elif lifetime.expire_time is not None:
        expires = _moment(lifetime.expire_time)
        if expires is None:
            findings.refuse(field, 'must be a time in RFC 3339, such as "2030-01-01T00:00:00Z"')
    if expires is not None and expires <= now:
        findings.refuse(field, "must lie in the future")
    findings.raise_if_any()
    return expires


def unsupported_mask(query: Mapping[str, str]) -> str | None:
    """A field that the query's mask names and that can't be changed, or None."""
    mask = query.get("updateMask") or query.get("update_mask") or ""
    return next((name for name in mask.replace(" ", "").split(",") if name and name not in _LIFETIME_FIELDS), None)


def new_cache(
    request: CachedContent, body: Mapping[str, object], *, model: str, tokens: int | None, now: datetime
) -> NewCache:
    """What is to be stored of a request that was checked; `body` is the JSON that it was read from.

    Raises `BadRequest` for a bad lifetime or display name.
    """
    root = "CreateCachedContentRequest.cached_content"
    if len(request.display_name or "") > _MAX_NAME_CHARS:
        findings = Findings(root)
        findings.refuse("displayName", f"has more than {_MAX_NAME_CHARS} characters")
        findings.raise_if_any()
    expires = expiry_of(request, now, root) or now + timedelta(seconds=_DEFAULT_SECONDS)
    held = {}
    for camel in _HELD:
        value = body.get(camel)
        held[camel] = body.get(_SNAKE.get(camel, camel)) if value is None else value
    return NewCache(
        model=model,
        body=orjson.dumps({name: value for name, value in held.items() if value is not None}).decode(),
        created=now,
        expires=expires,
        display_name=request.display_name or None,
        tokens=tokens,
    )


def prompt_of(cache: StoredCache, body: str) -> CachedPrompt:
    """A stored content, ready for use."""
    return CachedPrompt(cache.model, GenerateContentRequest.model_validate(orjson.loads(body)), cache.tokens or 0)


def cache_object(cache: StoredCache) -> dict[str, object]:
    """The resource, which never shows what it holds."""
    resource: dict[str, object] = {"name": _PREFIX + cache.id, "model": f"models/{cache.model}"}
    if cache.display_name is not None:
        resource["displayName"] = cache.display_name
    resource |= {
        "createTime": _timestamp(cache.created),
        "updateTime": _timestamp(cache.updated),
        "expireTime": _timestamp(cache.expires),
    }
    if cache.tokens is not None:
        resource["usageMetadata"] = {"totalTokenCount": cache.tokens}
    return resource


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    sign, seconds, fraction = found.groups()
    length = timedelta(seconds=int(seconds), microseconds=int((fraction or "").ljust(6, "0")[:6]))
    return -length if sign else length


def _later(now: datetime, length: timedelta) -> datetime | None:
    try:
        return now + length
    except OverflowError:
        return None


def _moment(text: str) -> datetime | None:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone in 'Zz' else zone}")
        return whole.astimezone(UTC) + timedelta(microseconds=int((fraction or "").ljust(6, "0")[:6]))
    except (ValueError, OverflowError):
        return None


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
