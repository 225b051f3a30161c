"""Why a schema has no grammar."""

__all__ = ["InvalidSchemaError", "SchemaError", "UnsupportedKeywordError"]


class SchemaError(Exception):
    """Base of the faults of a schema. `path` leads from the schema's root to the fault (`properties.a.minItems`)."""

    reason = "invalid_schema"

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class InvalidSchemaError(SchemaError):
    """The schema is no schema, or no JSON value is valid under it."""


class UnsupportedKeywordError(SchemaError):
    """A grammar can't guarantee what the keyword asks for."""

    reason = "unsupported_schema_keyword"

    def __init__(self, path: str, why: str) -> None:
        keyword = path.rpartition(".")[2].partition("[")[0]
        super().__init__(path, f"The schema keyword `{keyword}` can't be guaranteed here: {why}.")
