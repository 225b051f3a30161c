"""The results of batches: what is kept of each line, and the lines of the files that tell them. Pure: no I/O."""

from typing import Final

import orjson

from localaik.errors import LocalaikError
from localaik.protocols.openai.encode import Object
from localaik.protocols.openai.errors import answer_of, error_object
from localaik.state.batch_records import BatchItem
from localaik.state.ids import new_id

__all__ = ["ABANDONED", "EXPIRED", "UsageSum", "answered", "refused", "result_line"]

_ID_CHARS: Final = 32


def answered(body: bytes | Object) -> str:
    """What is kept of a line that was answered with `body`, which is JSON already or becomes it."""
    return _kept(200, orjson.Fragment(body) if isinstance(body, bytes) else body)


def refused(error: LocalaikError, prompt_field: str) -> str:
    """What is kept of a line that was answered with a fault."""
    status = answer_of(error, prompt_field=prompt_field).status
    return _kept(status, error_object(error, prompt_field=prompt_field))


def _kept(status: int, body: object) -> str:
    response = {"status_code": status, "request_id": new_id("req_", _ID_CHARS), "body": body}
    return orjson.dumps({"response": response, "error": None}).decode()


def _never_answered(code: str, message: str) -> str:
    return orjson.dumps({"response": None, "error": {"code": code, "message": message}}).decode()


ABANDONED: Final = _never_answered("batch_cancelled", "The batch was cancelled before this request was answered.")
EXPIRED: Final = _never_answered(
    "batch_expired", "This request could not be executed before the completion window expired."
)


def result_line(item: BatchItem, kept: Object) -> bytes:
    """The line of a request's result, with its line break."""
    line = {"id": new_id("batch_req_", _ID_CHARS), "custom_id": item.tag, **kept}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class UsageSum:
    """The tokens of all answers together, whatever they call them."""

    def __init__(self) -> None:
        self._input = self._output = self._cached = self._reasoning = 0

    def add(self, kept: Object) -> None:
        """Add those of one answer."""
        response = kept.get("response")
        body = response.get("body") if isinstance(response, dict) else None
        usage = body.get("usage") if isinstance(body, dict) else None
        if not isinstance(usage, dict):
            return
        self._input += _number(usage, "prompt_tokens", "input_tokens")
        self._output += _number(usage, "completion_tokens", "output_tokens")
        for name in ("prompt_tokens_details", "input_tokens_details"):
            self._cached += _number(usage.get(name), "cached_tokens")
        for name in ("completion_tokens_details", "output_tokens_details"):
            self._reasoning += _number(usage.get(name), "reasoning_tokens")

    def told(self) -> str:
        """As the object of the batch has it."""
        return orjson.dumps(
            {
                "input_tokens": self._input,
                "input_tokens_details": {"cached_tokens": self._cached},
                "output_tokens": self._output,
                "output_tokens_details": {"reasoning_tokens": self._reasoning},
                "total_tokens": self._input + self._output,
            }
        ).decode()


def _number(counts: object, *names: str) -> int:
    values = [counts.get(name) for name in names] if isinstance(counts, dict) else []
    return sum(value for value in values if isinstance(value, int))
