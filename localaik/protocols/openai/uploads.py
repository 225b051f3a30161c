"""Uploads of large files in parts that may come in any order."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

from aiohttp import web
from pydantic import Field

from localaik.errors import BadRequest, NotFound
from localaik.http.body import read_json
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.transfer import body_parts, part_pieces
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.files_types import ExpiresAfter, Purpose, file_object, new_file
from localaik.protocols.openai.reading import Findings, missing, read
from localaik.protocols.openai.types import Wire
from localaik.state.faults import UnknownUpload, UploadEnded

if TYPE_CHECKING:
    from localaik.state.part_uploads import PartUpload, PartUploads, StoredPart
    from localaik.state.records import StoredFile, UploadState

__all__ = ["UPLOAD_ROUTES"]

_UPLOAD: Final = "upload_"
_PART: Final = "part_"
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MAX_SHOWN_CHARS: Final = 100
_STATUSES: "Final[Mapping[UploadState, str]]" = {"active": "pending", "final": "completed", "cancelled": "cancelled"}


class CreateUpload(Wire):
    """POST uploads."""

    bytes: Annotated[int, Field(ge=0, le=2**62)]
    filename: str
    mime_type: str
    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class CompleteUpload(Wire):
    """POST uploads/{id}/complete."""

    part_ids: Annotated[list[str], Field(min_length=1, max_length=10_000)]
    md5: Annotated[str, Field(pattern="^[0-9A-Fa-f]{32}$")] | None = None


async def create_upload(call: Call, services: Services) -> web.StreamResponse:
    """POST uploads."""
    settings = services.settings
    wanted = read(CreateUpload, await read_json(call, settings))
    findings = Findings(settings.strict_wire)
    for name in wanted.model_extra or ():
        findings.unknown(name)
    call.ignored += findings.ignored
    new = new_file(
        wanted.filename,
        wanted.mime_type,
        size=wanted.bytes,
        purpose=wanted.purpose,
        expires_after=wanted.expires_after,
    )
    return json_response(_upload_object(await (await _store(services)).begin(new)))


async def add_part(call: Call, services: Services) -> web.StreamResponse:
    """POST uploads/{id}/parts: the bytes go to the disk as they come."""
    store, upload_id = await _store(services), _upload_id_of(call)
    with _naming(upload_id):
        await store.get(upload_id)
        async for part in body_parts(call.request, services.settings):
            if part.name == "data":
                added = await store.add(upload_id, part_pieces(part, services.settings))
                return json_response(_part_object(added))
            call.ignored.append((part.name or "")[:_MAX_SHOWN_CHARS])
    raise missing("data")


async def complete_upload(call: Call, services: Services) -> web.StreamResponse:
    """POST uploads/{id}/complete: the parts, in the order given, become the file."""
    wanted = read(CompleteUpload, await read_json(call, services.settings))
    store, upload_id = await _store(services), _upload_id_of(call)
    with _naming(upload_id):
        file = await store.complete(upload_id, [part.removeprefix(_PART) for part in wanted.part_ids], wanted.md5)
        return json_response(_upload_object(await store.get(upload_id), file))


async def cancel_upload(call: Call, services: Services) -> web.StreamResponse:
    """POST uploads/{id}/cancel."""
    store, upload_id = await _store(services), _upload_id_of(call)
    with _naming(upload_id):
        return json_response(_upload_object(await store.cancel(upload_id)))


async def _store(services: Services) -> "PartUploads":
    return (await services.store.files()).in_parts


def _upload_id_of(call: Call) -> str:
    """The id in the path, without its prefix. Raises `NotFound` for what no upload can be called."""
    text = call.params["upload"]
    if not text.startswith(_UPLOAD) or not _ID.fullmatch(text[len(_UPLOAD) :]):
        raise _unknown(text)
    return text[len(_UPLOAD) :]


@contextmanager
def _naming(upload_id: str) -> Iterator[None]:
    """Tell of faults of an upload with its id."""
    try:
        yield
    except UnknownUpload:
        raise _unknown(_UPLOAD + upload_id) from None
    except UploadEnded:
        raise BadRequest(
            f"The upload '{_UPLOAD}{upload_id}' is completed or cancelled and takes nothing more."
        ) from None


def _unknown(text: str) -> NotFound:
    return NotFound(f"No such Upload object: {text[:_MAX_SHOWN_CHARS]}", reason="upload_not_found")


def _upload_object(upload: "PartUpload", file: "StoredFile | None" = None) -> Object:
    return {
        "id": _UPLOAD + upload.id,
        "object": "upload",
        "bytes": upload.size,
        "created_at": int(upload.created.timestamp()),
        "filename": upload.display_name or "",
        "purpose": upload.purpose,
        "status": _STATUSES[upload.state],
        "expires_at": int(upload.expires.timestamp()),
        "file": None if file is None else file_object(file),
    }


def _part_object(part: "StoredPart") -> Object:
    return {
        "id": _PART + part.id,
        "object": "upload.part",
        "created_at": int(part.created.timestamp()),
        "upload_id": _UPLOAD + part.upload_id,
    }


UPLOAD_ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/uploads", create_upload),
    ("POST", "/uploads/{upload}/parts", add_part),
    ("POST", "/uploads/{upload}/complete", complete_upload),
    ("POST", "/uploads/{upload}/cancel", cancel_upload),
)
"""Method, path without prefix, and handler."""
