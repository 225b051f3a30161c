"""Uploads: resumable in chunks, as the SDKs send them; in one request as multipart or raw bytes.

Source: the protocol of the service's upload server, as the official SDKs speak it. Clients take an answer without
`X-Goog-Upload-Status` for lost, wait and send the chunk again; so every answer to a chunk has that header.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest, LocalaikError
from localaik.http.body import parse_json, read_body
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.transfer import body_parts, body_pieces, part_pieces
from localaik.protocols.contract import Services
from localaik.protocols.gemini.files_types import CreateFileRequest, file_object, new_file
from localaik.protocols.gemini.reading import read
from localaik.protocols.gemini.respond import JSON_TYPE
from localaik.settings import Settings
from localaik.state.faults import FileTooLarge, NameTaken, StoreFull, UnknownUpload, WrongSize
from localaik.state.records import StoredFile

if TYPE_CHECKING:
    from localaik.state.uploads import Upload

__all__ = ["UPLOAD_ID", "upload"]

UPLOAD_ID: Final = "upload_id"
"""The query parameter of commands to an upload. It is as good as a key: SDKs send none with the bytes."""

_STATUS: Final = "X-Goog-Upload-Status"
_RECEIVED: Final = "X-Goog-Upload-Size-Received"
_GRANULARITY_BYTES: Final = 262_144  # of the service; any size is taken here
_COMMANDS: Final = ({"upload"}, {"upload", "finalize"}, {"finalize"}, {"query"}, {"cancel"})
_ENDING: Final = (WrongSize, FileTooLarge, StoreFull, NameTaken)
_METADATA_BYTES: Final = 1 << 20


async def upload(call: Call, services: Services, *, file_base: str, upload_path: str) -> web.StreamResponse:
    """POST or PUT upload/files: the start of an upload, a command to one, or a whole file.

    `file_base` is the address of a file without its id, `upload_path` the path of uploads.
    """
    request = call.request
    upload_id = request.query.get(UPLOAD_ID)
    if upload_id:
        return await _continue(call, services, upload_id, file_base)
    protocol = (request.headers.get("X-Goog-Upload-Protocol") or request.query.get("uploadType") or "").lower()
    if protocol == "resumable":
        return await _start(call, services, upload_path)
    if protocol == "multipart":
        file = await _store_multipart(call, services)
    elif protocol in {"raw", "media"}:
        file = await _store_raw(call, services)
    else:
        raise BadRequest(
            f"Invalid value for X-Goog-Upload-Protocol: {protocol[:100]!r}. Allowed are resumable, multipart and raw."
        )
    return _file_answer(call, file, file_base)


async def _start(call: Call, services: Services, upload_path: str) -> web.StreamResponse:
    headers = call.request.headers
    command = headers.get("X-Goog-Upload-Command", "").strip().lower()
    if command != "start":
        raise BadRequest(f"Invalid value for X-Goog-Upload-Command: {command[:100]!r}. An upload begins with start.")
    announced = _number(call, "X-Goog-Upload-Header-Content-Length")
    description = _read_description(call, services.settings, await read_body(call.request, services.settings))
    new = new_file(
        description, mime=headers.get("X-Goog-Upload-Header-Content-Type", ""), size=announced, ignored=call.ignored
    )
    begun = await (await services.store.files()).begin(new)
    url = f"{call.request.scheme}://{call.request.host}{upload_path}?upload_id={begun.id}&upload_protocol=resumable"
    return json_response(
        {},
        headers={
            _STATUS: "active",
            "X-Goog-Upload-URL": url,
            "X-Goog-Upload-Control-URL": url,
            "X-Goog-Upload-Chunk-Granularity": str(_GRANULARITY_BYTES),
        },
        content_type=JSON_TYPE,
    )


async def _continue(call: Call, services: Services, upload_id: str, file_base: str) -> web.StreamResponse:
    """A command to an upload that has begun. Its answer, whatever it is, tells where the upload stands."""
    told = {_STATUS: "final"}  # what can't be told from the fault, as a defect of ours: the client must not go on
    protocol_headers = call.protocol_headers
    call.protocol_headers = lambda this: {**protocol_headers(this), **told}
    begun: Upload | None = None
    try:
        begun = await (await services.store.files()).upload(upload_id)
        return await _obey(call, services, begun, file_base, told)
    except LocalaikError as error:
        told.update(await _standing(error, begun))
        raise


async def _obey(
    call: Call, services: Services, begun: "Upload", file_base: str, told: dict[str, str]
) -> web.StreamResponse:
    text = call.request.headers.get("X-Goog-Upload-Command", "")
    commands = {word.strip().lower() for word in text.split(",")}
    if commands not in _COMMANDS:
        raise BadRequest(
            f"Invalid value for X-Goog-Upload-Command: {text[:100]!r}."
            " Allowed are upload, finalize, both of them, query and cancel."
        )
    if "cancel" in commands:
        await begun.cancel()
        told[_STATUS] = "cancelled"
        return web.Response()
    if "query" in commands:
        status = await begun.status()
        told.update({_STATUS: status.state, _RECEIVED: str(status.received)})
        return web.Response()
    if "upload" in commands:
        offset = _number(call, "X-Goog-Upload-Offset")
        if offset is None:
            raise BadRequest("The header X-Goog-Upload-Offset is missing.")
        received = await begun.append(offset, body_pieces(call.request, services.settings))
        told[_RECEIVED] = str(received)
    if "finalize" not in commands:
        told[_STATUS] = "active"
        return web.Response()
    return _file_answer(call, await begun.finish(), file_base)


async def _standing(error: LocalaikError, begun: "Upload | None") -> dict[str, str]:
    """Where an upload stands after a fault, in headers."""
    if isinstance(error, _ENDING):
        return {_STATUS: "final"}
    if begun is None or isinstance(error, UnknownUpload):
        return {_STATUS: "cancelled" if isinstance(error, UnknownUpload) else "final"}
    if isinstance(error, BadRequest):
        status = await begun.status()
        return {_STATUS: status.state, _RECEIVED: str(status.received)}
    return {_STATUS: "final"}


async def _store_multipart(call: Call, services: Services) -> StoredFile:
    """Two parts: the description as JSON, and the bytes."""
    settings = services.settings
    store = await services.store.files()
    description: CreateFileRequest | None = None
    begun: Upload | None = None
    try:
        async for part in body_parts(call.request, settings):
            if begun is not None:
                raise BadRequest("The multipart body has more than two parts.")
            if description is None:
                description = _read_description(call, settings, await _small(part_pieces(part, settings)))
                continue
            mime = part.headers.get("Content-Type", "")
            begun = await store.begin(new_file(description, mime=mime, size=None, ignored=call.ignored))
            await begun.append(0, part_pieces(part, settings))
        if begun is None:
            raise BadRequest("The multipart body must have two parts: the description as JSON, and the bytes.")
        return await begun.finish()
    except BaseException:
        if begun is not None:
            await begun.cancel()
        raise


async def _store_raw(call: Call, services: Services) -> StoredFile:
    """The body is the file."""
    new = new_file(
        CreateFileRequest(),
        mime=call.request.headers.get("Content-Type", ""),
        size=call.request.content_length if "Content-Encoding" not in call.request.headers else None,
        ignored=call.ignored,
    )
    return await (await services.store.files()).add(new, body_pieces(call.request, services.settings))


def _file_answer(call: Call, file: StoredFile, file_base: str) -> web.Response:
    return json_response(
        {"file": file_object(file, file_base + file.id)},
        headers={_STATUS: "final"},
        content_type=JSON_TYPE,
        gzip_for=call,
    )


def _read_description(call: Call, settings: Settings, body: bytes) -> CreateFileRequest:
    if not body.strip():
        return CreateFileRequest()
    value = parse_json(body, settings.max_json_depth)
    return read(CreateFileRequest, value, strict=settings.strict_wire, ignored=call.ignored)


async def _small(pieces: AsyncIterator[bytes]) -> bytes:
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > _METADATA_BYTES:
            raise BadRequest(f"The description of the file has more than {_METADATA_BYTES} bytes.")
    return bytes(held)


def _number(call: Call, header: str) -> int | None:
    """The number in a header, or None where it is missing. Raises `BadRequest`."""
    text = call.request.headers.get(header, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise BadRequest(f"Invalid value for {header}: {text[:100]!r}. It must be a number of bytes.")
    return int(text)
