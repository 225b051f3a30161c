"""Why a schema has no grammar."""

__all__ = ["InvalidSchemaError", "SchemaError", "UnsupportedKeywordError", "UnsupportedSchemaError"]


class SchemaError(Exception):
    """Base of the faults of a schema. `path` leads from the schema's root to the fault (`properties.a.minItems`)."""

    reason = "invalid_schema"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class InvalidSchemaError(SchemaError):
    """The schema is no schema, or no JSON value is valid under it."""


class UnsupportedSchemaError(SchemaError):
    """The schema is too large for a grammar."""

    reason = "unsupported_schema_keyword"

    def __init__(self, path: str = "", message: str = "The schema needs a grammar that is too large.") -> None:
        super().__init__(path, message)


class UnsupportedKeywordError(UnsupportedSchemaError):
    """A grammar can't guarantee what the keyword asks for."""

    def __init__(self, path: str, why: str) -> None:
        keyword = path.rpartition(".")[2].partition("[")[0]
        subject = f"The schema keyword `{keyword}`" if keyword else "The schema"
        super().__init__(path, f"{subject} can't be guaranteed here: {why}.")
