"""Stored files: looked at, listed, deleted, downloaded. Uploads are in `uploads`."""

from typing import Final

from aiohttp import web

from localaik.errors import BadRequest, FailedPrecondition
from localaik.http.call import Call
from localaik.http.respond import json_response
from localaik.http.transfer import UNSATISFIABLE, requested_range, send_pieces
from localaik.protocols.contract import Handler, Services
from localaik.protocols.gemini.files_types import DEFAULT_MIME, file_id_of, file_object
from localaik.protocols.gemini.listing import page_size, page_token
from localaik.protocols.gemini.respond import JSON_TYPE
from localaik.protocols.gemini.uploads import UPLOAD_ID, upload
from localaik.state.records import StoredFile

__all__ = ["file_routes"]

_DEFAULT_PAGE: Final = 10
_LARGEST_PAGE: Final = 100
_DEFAULT_VERSION: Final = "/v1beta"


def file_routes(version: str) -> tuple[tuple[str, str, Handler, str | None], ...]:
    """Method, whole path, handler and `key_parameter` of the routes of files under a version such as `/v1`, or none."""

    def base(call: Call) -> str:
        """Where files are to this caller, without their id."""
        return f"{call.request.scheme}://{call.request.host}{version or _DEFAULT_VERSION}/files/"

    async def take_upload(call: Call, services: Services) -> web.StreamResponse:
        return await upload(call, services, file_base=base(call), upload_path=f"/upload{version}/files")

    async def get(call: Call, services: Services) -> web.StreamResponse:
        return await _get(call, services, base(call))

    async def list_files(call: Call, services: Services) -> web.StreamResponse:
        return await _list(call, services, base(call))

    return (
        ("POST", f"/upload{version}/files", take_upload, UPLOAD_ID),
        ("PUT", f"/upload{version}/files", take_upload, UPLOAD_ID),
        ("POST", f"{version}/files", _refuse_bytes, None),
        ("GET", f"{version}/files", list_files, None),
        ("GET", f"{version}/files/{{file:rest}}", get, None),
        ("DELETE", f"{version}/files/{{file:rest}}", _delete, None),
        ("GET", f"{version}/files/{{file:rest}}:download", _download, None),
        ("GET", f"/download{version}/files/{{file:rest}}:download", _download, None),
        ("GET", f"/download{version}/files/{{file:rest}}", _download, None),
    )


async def _get(call: Call, services: Services, base: str) -> web.StreamResponse:
    """GET files/{id}: the resource, or with `alt=media` the bytes."""
    if (call.request.query.get("alt") or call.request.query.get("$alt")) == "media":
        return await _download(call, services)
    store = await services.store.files()
    file = await store.get(file_id_of(call.params["file"]))
    return json_response(file_object(file, base + file.id), content_type=JSON_TYPE, gzip_for=call)


async def _list(call: Call, services: Services, base: str) -> web.StreamResponse:
    """GET files: newest first."""
    query = call.request.query
    size = page_size(query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
    page = await (await services.store.files()).list(size, page_token(query))
    body: dict[str, object] = {"files": [file_object(file, base + file.id) for file in page.items]}
    if page.next_token is not None:
        body["nextPageToken"] = page.next_token
    return json_response(body, content_type=JSON_TYPE, gzip_for=call)


async def _delete(call: Call, services: Services) -> web.StreamResponse:
    """DELETE files/{id}."""
    await (await services.store.files()).delete(file_id_of(call.params["file"]))
    return json_response({}, content_type=JSON_TYPE, gzip_for=call)


async def _download(call: Call, services: Services) -> web.StreamResponse:
    """GET files/{id}:download: the bytes, whole or the range that is asked for."""
    store = await services.store.files()
    async with store.open(file_id_of(call.params["file"])) as reader:
        file = reader.file
        if services.settings.strict_wire and not file.generated:
            raise FailedPrecondition(f"The file {file.id} was uploaded: only generated files can be downloaded.")
        etag = f'"{file.sha256}"'
        same = call.request.headers.get("If-Range", etag) == etag
        wanted = requested_range(call.request.headers.get("Range"), file.size) if same else None
        if wanted == UNSATISFIABLE:
            return _unsatisfiable(file)
        start, end = wanted or (0, file.size)
        headers = {
            "Content-Type": file.mime if "/" in file.mime else DEFAULT_MIME,
            "Content-Disposition": "attachment",  # what was uploaded must not act as a page of this origin
            "Accept-Ranges": "bytes",
            "ETag": etag,
        }
        if wanted is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
        return await send_pieces(
            call,
            reader.pieces(start, end),
            size=end - start,
            status=200 if wanted is None else 206,
            headers=headers,
            write_idle_seconds=services.settings.write_idle_seconds,
        )


async def _refuse_bytes(call: Call, _services: Services) -> web.StreamResponse:
    """POST files: bytes go elsewhere."""
    raise BadRequest(f"Send the bytes of a file to /upload{call.request.path.rstrip('/')}.")


def _unsatisfiable(file: StoredFile) -> web.Response:
    """Status 416 (RFC 9110, section 15.5.17), which no other fault has."""
    message = f"The range lies outside of the file, which has {file.size} bytes."
    return json_response(
        {"error": {"code": 416, "message": message, "status": "OUT_OF_RANGE"}},
        status=416,
        headers={"Content-Range": f"bytes */{file.size}"},
        content_type=JSON_TYPE,
    )
