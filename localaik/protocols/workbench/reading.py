"""Bodies of the workbench: none, or one JSON object."""

from typing import TypeVar

from pydantic import ValidationError

from localaik.http.body import check_content_type, parse_json, read_body
from localaik.http.call import Call
from localaik.protocols.contract import Services
from localaik.protocols.workbench.errors import of_validation
from localaik.protocols.workbench.types import Wire

__all__ = ["read_optional"]

W = TypeVar("W", bound=Wire)


async def read_optional(call: Call, services: Services, kind: type[W]) -> W:
    """The body; without one, `kind` without any field.

    Raises `InvalidParameters` for an object of another form, and what `http.body` raises for what is no JSON.
    """
    body = await read_body(call.request, services.settings)
    if not body.strip():
        return kind()
    check_content_type(call.request)
    try:
        asked = kind.model_validate(parse_json(body, services.settings.max_json_depth))
    except ValidationError as error:
        raise of_validation(error) from None
    call.ignored += asked.model_extra or ()
    return asked
