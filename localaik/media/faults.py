"""What is wrong with a file, before anybody knows which field of which request it came from."""

__all__ = ["MediaError", "over_limit"]


class MediaError(Exception):
    """A file or URL that can't be used. The loader turns it into `InvalidMedia` with the field of the attachment.

    One fault may be told to several requests at once (the same broken PDF), so it knows no field.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def over_limit(reason: str, what: str, unit: str, *, actual: int | str, limit: int, setting: str) -> MediaError:
    """The refusal of a limit: both numbers and the setting that moves it (its `LOCALAIK_` name)."""
    return MediaError(reason, f"{what} has {actual} {unit}, the limit is {limit} ({setting}).")
