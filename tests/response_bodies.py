"""Requests for responses and their pieces, as the tests of the Responses API write them."""

import pytest

from localaik.errors import BadRequest
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.reading import Findings
from localaik.protocols.openai.responses.decode import DecodedResponse, decode_response, new_items, read_create
from localaik.protocols.openai.responses.items import normalise

Fault = tuple[str | None, str | None, str]
"""Reason, field and message of a refusal."""


def decode(
    *,
    strict: bool = False,
    max_messages: int = 0,
    max_tools: int = 0,
    refuse_server_tools: bool = False,
    egemma: bool = False,
    **body: object,
) -> DecodedResponse:
    """A request that continues nothing, translated."""
    request = read_create({"model": "m", "input": "Hi", **body})
    return decode_response(
        request,
        new_items(request, strict=strict),
        max_messages=max_messages,
        max_tools=max_tools,
        strict=strict,
        refuse_server_tools=refuse_server_tools,
        egemma=egemma,
    )


def refusal(*, strict: bool = False, max_messages: int = 0, max_tools: int = 0, **body: object) -> Fault:
    """Why such a request is refused."""
    with pytest.raises(BadRequest) as refused:
        decode(strict=strict, max_messages=max_messages, max_tools=max_tools, **body)
    return fault_of(refused.value)


def fault_of(error: BadRequest) -> Fault:
    return error.reason, error.field, error.message


def kept(value: object, path: str = "input", *, strict: bool = False) -> tuple[list[Object], list[str]]:
    """The items of a field, and the paths of what has no effect in them."""
    findings = Findings(strict)
    return normalise(value, path, findings=findings), findings.ignored


def said(role: str, *content: object, **more: object) -> Object:
    """A message of parts."""
    return {"role": role, "content": list(content), **more}


def call(call_id: str = "call_1", name: str = "f", arguments: str = "{}", **more: object) -> Object:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments, **more}


def result(call_id: str = "call_1", output: object = "4", **more: object) -> Object:
    return {"type": "function_call_output", "call_id": call_id, "output": output, **more}


def custom_call(call_id: str = "call_1", name: str = "c", text: str = "x", **more: object) -> Object:
    return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": text, **more}


def custom_result(call_id: str = "call_1", output: object = "4", **more: object) -> Object:
    return {"type": "custom_tool_call_output", "call_id": call_id, "output": output, **more}


def function(name: object = "f", **more: object) -> Object:
    return {"type": "function", "name": name, **more}


def custom(name: object = "c", **more: object) -> Object:
    return {"type": "custom", "name": name, **more}


def namespace(name: object = "crm", *tools: object, description: object = "Customers") -> Object:
    return {"type": "namespace", "name": name, "description": description, "tools": list(tools)}
