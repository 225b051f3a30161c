"""What can go wrong with stored things. Each is a kind of `LocalaikError`, so protocols need to know few of them."""

from localaik.errors import AlreadyExists, BadRequest, NotFound

__all__ = [
    "EmptyBatch",
    "FileTooLarge",
    "InvalidId",
    "InvalidPageToken",
    "NameTaken",
    "StoreFull",
    "UnknownBatch",
    "UnknownCache",
    "UnknownFile",
    "UnknownUpload",
    "UploadEnded",
    "WrongOffset",
    "WrongSize",
]


class InvalidId(BadRequest):
    """An id that no stored thing can have."""

    def __init__(self, value: str) -> None:
        super().__init__(
            f"The id {value[:100]!r} is not valid: it has 1 to 40 of a-z, 0-9 and `-`, and no `-` at its ends.",
            reason="invalid_id",
        )


class InvalidPageToken(BadRequest):
    """A page token that was not issued here."""

    def __init__(self) -> None:
        super().__init__("The page token is invalid.", reason="invalid_page_token")


class NameTaken(AlreadyExists):
    """The id that the caller wants belongs to another file."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"The file {file_id} already exists.", reason="file_exists")


class UnknownCache(NotFound):
    """No such cached content: never stored, deleted or expired."""

    def __init__(self) -> None:
        super().__init__("CachedContent not found (or permission denied)", reason="cached_content_not_found")


class UnknownFile(NotFound):
    """No such file: never stored, deleted or expired."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"The file {file_id} does not exist.", reason="file_not_found")
        self.file_id = file_id


class UnknownUpload(NotFound):
    """No such upload: never begun, or expired."""

    def __init__(self) -> None:
        super().__init__("The upload does not exist or has expired.", reason="upload_not_found")


class UploadEnded(BadRequest):
    """The upload is complete or cancelled and takes nothing more."""

    def __init__(self) -> None:
        super().__init__("Upload has already been terminated.", reason="upload_ended")


class WrongOffset(BadRequest):
    """A chunk that does not begin where the last one ended (both in bytes)."""

    def __init__(self, offset: int, received: int) -> None:
        super().__init__(
            f"The upload offset is {offset}, but {received} bytes were received.", reason="wrong_upload_offset"
        )
        self.received = received


class WrongSize(BadRequest):
    """More or fewer bytes than were declared. The upload is dropped."""

    def __init__(self, received: int, declared: int) -> None:
        relation = "More than the declared" if received > declared else f"{received} of the declared"
        super().__init__(f"{relation} {declared} bytes were received; the upload is dropped.", reason="wrong_size")


class FileTooLarge(BadRequest):
    """The file passes the limit for one file, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The file size exceeds the limit: {limit} bytes (LOCALAIK_MAX_FILE_BYTES).", reason="file_too_large"
        )


class StoreFull(BadRequest):
    """The file does not fit beside those that are stored; the limit is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The size of all stored files exceeds the limit: {limit} bytes (LOCALAIK_MAX_STORED_BYTES). Delete files"
            " that are not needed any more.",
            reason="store_full",
        )


class EmptyBatch(BadRequest):
    """A batch without any request."""

    def __init__(self) -> None:
        super().__init__("The batch has no requests.", reason="empty_batch")


class UnknownBatch(NotFound):
    """No such batch: never made, or deleted."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"The batch {batch_id} does not exist.", reason="batch_not_found")
