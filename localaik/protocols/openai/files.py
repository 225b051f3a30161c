"""Stored files: uploaded, listed, looked at, deleted, downloaded. They are the same as those of the Gemini API."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from aiohttp import web

from localaik.errors import BadRequest
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.transfer import body_parts, part_pieces, send_pieces
from localaik.protocols.contract import Handler, Services
from localaik.protocols.openai.files_types import DEFAULT_MIME, FileForm, file_id_of, file_object, new_file, read_form
from localaik.protocols.openai.lists import list_object, read_list
from localaik.protocols.openai.reading import Findings, missing, read
from localaik.state.records import StoredFile

if TYPE_CHECKING:
    from localaik.state.uploads import Upload

__all__ = ["FILE_ROUTES", "small_text"]

_LARGEST_PAGE: Final = 10_000
_FIELD_BYTES: Final = 65_536
_MOST_PARTS: Final = 32
_MAX_FIELD_CHARS: Final = 100


async def create_file(call: Call, services: Services) -> web.StreamResponse:
    """POST files."""
    return json_response(file_object(await _store(call, services)))


async def list_files(call: Call, services: Services) -> web.StreamResponse:
    """GET files."""
    query = call.request.query
    wanted = read_list(query, default_limit=_LARGEST_PAGE, max_limit=_LARGEST_PAGE)
    files, has_more = await (await services.store.files()).page(
        wanted.limit, after=wanted.after, newest_first=wanted.newest_first, purpose=query.get("purpose") or None
    )
    return json_response(list_object([file_object(file) for file in files], has_more), gzip_for=call)


async def get_file(call: Call, services: Services) -> web.StreamResponse:
    """GET files/{id}."""
    file_id = file_id_of(call.params["file"])
    return json_response(file_object(await (await services.store.files()).get(file_id)))


async def delete_file(call: Call, services: Services) -> web.StreamResponse:
    """DELETE files/{id}."""
    file_id = file_id_of(call.params["file"])
    await (await services.store.files()).delete(file_id)
    return json_response({"id": file_id, "object": "file", "deleted": True})


async def get_content(call: Call, services: Services) -> web.StreamResponse:
    """GET files/{id}/content: the bytes."""
    store = await services.store.files()
    async with store.open(file_id_of(call.params["file"])) as reader:
        headers = {
            "Content-Type": reader.mime if "/" in reader.mime else DEFAULT_MIME,
            "Content-Disposition": "attachment",  # what was uploaded must not act as a page of this origin
        }
        return await send_pieces(
            call,
            reader.pieces(),
            size=reader.size,
            status=200,
            headers=headers,
            write_idle_seconds=services.settings.write_idle_seconds,
        )


async def small_text(name: str, pieces: AsyncIterator[bytes]) -> str:
    """A field of a form that is a word or two. Raises `BadRequest`."""
    held = bytearray()
    async for piece in pieces:
        held += piece
        if len(held) > _FIELD_BYTES:
            raise BadRequest(f"The field '{name}' has more than {_FIELD_BYTES} bytes.", field=name)
    try:
        return held.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"The field '{name}' is not UTF-8.", field=name, reason="invalid_value") from None


async def _store(call: Call, services: Services) -> StoredFile:
    """The file of a form, whose bytes go to the disk as they come; its other fields stand before or behind it."""
    settings = services.settings
    store = await services.store.files()
    findings = Findings(settings.strict_wire)
    fields: dict[str, str] = {}
    begun: Upload | None = None
    parts = 0
    try:
        async for part in body_parts(call.request, settings):
            parts += 1
            if parts > _MOST_PARTS:
                raise BadRequest(f"The form has more than {_MOST_PARTS} fields.")
            name = (part.name or "")[:_MAX_FIELD_CHARS]
            if name != "file":
                fields[name] = await small_text(name, part_pieces(part, settings))
                if name == "purpose":
                    read(FileForm, {name: fields[name]})  # a caller should not send gigabytes to learn of a fault here
                continue
            if begun is not None:
                raise BadRequest("The form has more than one 'file'.", field="file", reason="invalid_value")
            begun = await store.begin(new_file(part.filename, part.headers.get("Content-Type", "")))
            await begun.append(0, part_pieces(part, settings))
        if begun is None:
            raise missing("file")
        form = read_form(fields, findings)
        seconds = None if form.expires_after is None else form.expires_after.seconds
        await begun.describe(purpose=form.purpose, lifetime=seconds)
        call.ignored += findings.ignored
        return await begun.finish()
    except BaseException:
        if begun is not None:
            await begun.cancel()
        raise


FILE_ROUTES: Final[tuple[tuple[str, str, Handler], ...]] = (
    ("POST", "/files", create_file),
    ("GET", "/files", list_files),
    ("GET", "/files/{file}", get_file),
    ("DELETE", "/files/{file}", delete_file),
    ("GET", "/files/{file}/content", get_content),
)
"""Method, path without prefix, and handler."""
