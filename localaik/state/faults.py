"""What can go wrong with stored things. Each is a kind of `LocalaikError`, so protocols need to know few of them."""

from localaik.errors import AlreadyExists, BadRequest, NotFound, Unavailable

__all__ = [
    "CachesFull",
    "DiskFull",
    "EmptyBatch",
    "FileTooLarge",
    "InvalidCursor",
    "InvalidId",
    "InvalidPageToken",
    "NameTaken",
    "NoActiveSession",
    "StoreFull",
    "UnknownBatch",
    "UnknownCache",
    "UnknownCompletion",
    "UnknownConversation",
    "UnknownFile",
    "UnknownItem",
    "UnknownResponse",
    "UnknownSession",
    "UnknownUpload",
    "UploadEnded",
    "WrongOffset",
    "WrongSize",
]

_DISK_SECONDS = 5
"""A person has to make room; but work that waits for it should not wait for ever."""


class InvalidId(BadRequest):
    """An id that no stored thing can have."""

    def __init__(self, value: str) -> None:
        super().__init__(
            f"The id {value[:100]!r} is not valid: it has 1 to 40 of a-z, 0-9 and `-`, and no `-` at its ends.",
            reason="invalid_id",
        )
        self.value = value[:100]


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


class CachesFull(BadRequest):
    """The cached content does not fit beside the others; the limit is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The size of all cached contents exceeds the limit: {limit} bytes (LOCALAIK_MAX_STORED_BYTES). Delete"
            " those that are not needed any more.",
            reason="store_full",
        )


class DiskFull(Unavailable):
    """The disk behind the data folder or the database has no room. What was stored before is as it was."""

    def __init__(self) -> None:
        super().__init__("Nothing can be stored: the disk is full.", reason="disk_full", retry_after=_DISK_SECONDS)


class EmptyBatch(BadRequest):
    """A batch without any request."""

    def __init__(self) -> None:
        super().__init__("The batch has no requests.", reason="empty_batch")


class UnknownBatch(NotFound):
    """No such batch: never made, or deleted."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"The batch {batch_id} does not exist.", reason="batch_not_found")
        self.batch_id = batch_id


class InvalidCursor(BadRequest):
    """The id behind which a page should begin is not in the list."""

    def __init__(self, cursor: str) -> None:
        message = f"Invalid value for 'after': '{cursor[:100]}' is not in this list."
        super().__init__(message, field="after", reason="invalid_value")


class UnknownResponse(NotFound):
    """No such response: never stored, deleted or expired."""

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Response with id '{response_id[:100]}' not found.", reason="response_not_found")


class UnknownConversation(NotFound):
    """No such conversation: never stored, or deleted."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation with id '{conversation_id[:100]}' not found.", reason="conversation_not_found")


class UnknownItem(NotFound):
    """No such item, or not where it was looked for."""

    def __init__(self, item_id: str) -> None:
        super().__init__(f"Item with id '{item_id[:100]}' not found.", reason="item_not_found")


class UnknownCompletion(NotFound):
    """No such chat completion: never stored, deleted or expired."""

    def __init__(self, completion_id: str) -> None:
        super().__init__(f"Chat completion with id '{completion_id[:100]}' not found.", reason="completion_not_found")


class UnknownSession(NotFound):
    """No such session: never made, or deleted."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"Session not found: {session_id}", reason="session_not_found")


class NoActiveSession(NotFound):
    """No session was created or loaded yet, or it was deleted."""

    def __init__(self) -> None:
        super().__init__("No active session", reason="session_not_found")
