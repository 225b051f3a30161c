"""Files as the Gemini API names and describes them. Pure: no I/O.

Source: the REST reference of `files` and `media.upload`.
"""

import re
from base64 import b64encode
from datetime import datetime
from typing import Final

from localaik.errors import BadRequest
from localaik.protocols.gemini.proto3 import Int64, Message
from localaik.state.faults import InvalidId
from localaik.state.ids import check_id
from localaik.state.records import NewFile, StoredFile

__all__ = ["DEFAULT_MIME", "CreateFileRequest", "file_id_of", "file_object", "new_file"]

DEFAULT_MIME: Final = "application/octet-stream"
_TOP_LEVEL: Final = "application|audio|example|font|haptics|image|message|model|multipart|text|video"
_MIME: Final = re.compile(rf"(?:{_TOP_LEVEL})/[\w!#$&^.+-]+\s*(?:;[\x20-\x7e]*)?", re.IGNORECASE | re.ASCII)
_BATCH_INPUT: Final = "jsonl"
_MAX_NAME_CHARS: Final = 512
_WITHOUT_EFFECT: Final = (
    ("create_time", "createTime"),
    ("update_time", "updateTime"),
    ("expiration_time", "expirationTime"),
    ("sha256_hash", "sha256Hash"),
    ("uri", "uri"),
    ("download_uri", "downloadUri"),
    ("state", "state"),
    ("source", "source"),
    ("error", "error"),
    ("video_metadata", "videoMetadata"),
)


class File(Message):
    """The description that comes with an upload; what only answers have is taken and without effect."""

    name: str | None = None
    display_name: str | None = None
    mime_type: str | None = None
    size_bytes: Int64 | None = None
    create_time: object = None
    update_time: object = None
    expiration_time: object = None
    sha256_hash: object = None
    uri: object = None
    download_uri: object = None
    state: object = None
    source: object = None
    error: object = None
    video_metadata: object = None


class CreateFileRequest(Message):
    """The body of the start of an upload."""

    file: File | None = None


def new_file(request: CreateFileRequest, *, mime: str, size: int | None, ignored: list[str]) -> NewFile:
    """The file that an upload describes. `mime` and `size` are what its headers say (empty and None: nothing).

    Paths of fields without effect are added to `ignored`. Raises `BadRequest`.
    """
    file = request.file or File()
    ignored += [f"file.{camel}" for snake, camel in _WITHOUT_EFFECT if getattr(file, snake) is not None]
    if file.size_bytes is not None and file.size_bytes < 0:
        raise BadRequest("* CreateFileRequest.file.size_bytes: must be at least 0", field="file.sizeBytes")
    if None not in {size, file.size_bytes} and size != file.size_bytes:
        raise BadRequest(
            f"* CreateFileRequest.file.size_bytes: is {file.size_bytes}, but the upload's headers announce {size}",
            field="file.sizeBytes",
        )
    if len(file.display_name or "") > _MAX_NAME_CHARS:
        raise BadRequest(
            f"* CreateFileRequest.file.display_name: has more than {_MAX_NAME_CHARS} characters",
            field="file.displayName",
        )
    return NewFile(
        mime=_checked_mime(file.mime_type or mime or DEFAULT_MIME),
        id=_wanted_id(file.name) if file.name else None,
        display_name=file.display_name or None,
        size=file.size_bytes if size is None else size,
    )


def file_id_of(name: str) -> str:
    """The id in a path's last part: an id, or a whole address of a file, as SDKs paste it in.

    Raises `BadRequest` for what is neither.
    """
    file_id = name.rpartition("/")[2] if "://" in name else name
    try:
        return check_id(file_id)
    except InvalidId:
        raise BadRequest(
            f"* GetFileRequest.name: files/{name[:100]} is not a valid name of a file", field="name"
        ) from None


def file_object(file: StoredFile, uri: str) -> dict[str, object]:
    """The resource; `uri` is its address here."""
    resource: dict[str, object] = {"name": f"files/{file.id}"}
    if file.display_name is not None:
        resource["displayName"] = file.display_name
    resource |= {
        "mimeType": file.mime,
        "sizeBytes": str(file.size),
        "createTime": _timestamp(file.created),
        "updateTime": _timestamp(file.created),
    }
    if file.expires is not None:
        resource["expirationTime"] = _timestamp(file.expires)
    resource |= {
        "sha256Hash": b64encode(file.sha256.encode()).decode(),  # of the hexadecimal digits, as the service has it
        "uri": uri,
        "state": "ACTIVE",
        "source": "GENERATED" if file.generated else "UPLOADED",
    }
    if file.generated:
        resource["downloadUri"] = f"{uri}:download?alt=media"
    return resource


def _checked_mime(mime: str) -> str:
    if mime != _BATCH_INPUT and not _MIME.fullmatch(mime):
        raise BadRequest(f"Unsupported MIME type: {mime[:100]}", field="file.mimeType")
    return mime


def _wanted_id(name: str) -> str:
    try:
        return check_id(name.removeprefix("files/"))
    except InvalidId:
        raise BadRequest(
            f"* CreateFileRequest.file.name: {name[:100]} is not a valid name of a file: it has 1 to 40 of a-z, 0-9 and"
            " `-`, and no `-` at its ends",
            field="file.name",
        ) from None


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"
