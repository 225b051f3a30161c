"""Whether what comes out is always valid: `python -m bench.schemas [--quick]`.

Random schemas and tool sets (`bench.schema_cases`) are sent to localaik with the embedded model, through both APIs,
streamed and not, at temperatures from 0 to 1.5. Every complete answer and every complete call is checked with
jsonschema. What the token limit cut is counted, and is no answer.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import aiohttp
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bench.processes import Localaik, MeasurementError
from bench.report import Bar, Report, parse_arguments
from bench.schema_cases import Case, cases

__all__ = ["Judged", "main", "run_cases"]

CASES: Final = 2000
QUICK_CASES: Final = 100
MAX_TOKENS: Final = 256
AT_ONCE: Final = 4

Outcome = Literal["valid", "cut", "refused", "failed", "invalid"]


@dataclass(slots=True)
class Judged:
    """What became of one kind of cases."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    calls: int = 0
    """Complete calls that were checked."""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    """What was wrong, for everything that is not valid or cut."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of either API."""

    text: str
    calls: Sequence[tuple[str, str]]
    """Name and arguments as JSON text, of complete calls and of the last one that was cut."""
    finish: str


async def run_cases(url: str, all_cases: Sequence[Case]) -> Judged:
    """Send the cases to a server, a few at once, and judge what comes back."""
    judged = Judged()
    began = time.monotonic()
    left = iter(all_cases)
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=120)) as session:

        async def work() -> None:
            for case in left:
                await _judge(session, case, judged)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    judged.seconds = time.monotonic() - began
    return judged


async def _judge(session: aiohttp.ClientSession, case: Case, judged: Judged) -> None:
    path, body = _gemini_request(case) if case.protocol == "gemini" else _openai_request(case)
    async with session.post(path, json=body) as response:
        text = await response.text()
    if response.status != 200:
        outcome: Outcome = "refused" if response.status == 400 else "failed"
        judged.outcomes[outcome] += 1
        judged.faults.append(f"{response.status} {text[:300]} for {case}")
        return
    try:
        objects = _objects(text, stream=case.stream)
        answer = _gemini_answer(objects) if case.protocol == "gemini" else _openai_answer(objects)
        judged.outcomes[_check(case, answer, judged)] += 1
    except (ValueError, KeyError, ValidationError) as error:
        judged.outcomes["invalid"] += 1
        judged.faults.append(f"{type(error).__name__} {str(error)[:300]}: {text[:500]} for {case}")


def _check(case: Case, answer: _Answer, judged: Judged) -> Outcome:
    """The outcome; raises `ValueError` or `ValidationError` for an answer that is not valid."""
    is_cut = answer.finish in {"length", "MAX_TOKENS"}
    if case.schema is not None:
        if is_cut:
            return "cut"
        _validate(answer.text, case.schema)
        return "valid"
    parameters = {tool.name: tool.parameters for tool in case.tools if case.named in (None, tool.name)}
    if answer.text:
        raise ValueError("text beside a forced call")
    if not (answer.calls or is_cut):
        raise ValueError("no call")
    if len(answer.calls) > 1 and (case.named or not case.parallel) and case.protocol == "openai":
        raise ValueError("more than one call")
    for place, (name, arguments) in enumerate(answer.calls):
        if is_cut and place == len(answer.calls) - 1 and case.protocol == "openai":
            continue
        _validate(arguments, parameters[name])
        judged.calls += 1
    return "cut" if is_cut else "valid"


def _validate(text: str, schema: Mapping[str, Any]) -> None:
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(json.loads(text))


def _openai_request(case: Case) -> tuple[str, dict[str, Any]]:
    body: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": case.prompt}],
        "temperature": case.temperature,
        "seed": case.seed,
        "max_tokens": MAX_TOKENS,
        "stream": case.stream,
    }
    if case.schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": case.schema}}
    else:
        body["tools"] = [
            {"type": "function", "function": {"name": tool.name, "parameters": tool.parameters}} for tool in case.tools
        ]
        body["tool_choice"] = (
            {"type": "function", "function": {"name": case.named}} if case.named is not None else "required"
        )
        body["parallel_tool_calls"] = case.parallel
    return "/v1/chat/completions", body


def _gemini_request(case: Case) -> tuple[str, dict[str, Any]]:
    config: dict[str, Any] = {"temperature": case.temperature, "seed": case.seed, "maxOutputTokens": MAX_TOKENS}
    body: dict[str, Any] = {"contents": [{"parts": [{"text": case.prompt}]}], "generationConfig": config}
    if case.schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": case.schema}
    else:
        declarations = [{"name": tool.name, "parametersJsonSchema": tool.parameters} for tool in case.tools]
        body["tools"] = [{"functionDeclarations": declarations}]
        calling: dict[str, Any] = {"mode": "ANY"}
        if case.named is not None:
            calling["allowedFunctionNames"] = [case.named]
        body["toolConfig"] = {"functionCallingConfig": calling}
    method = "streamGenerateContent?alt=sse" if case.stream else "generateContent"
    return f"/v1beta/models/m:{method}", body


def _objects(text: str, *, stream: bool) -> list[dict[str, Any]]:
    """The JSON objects of a body; an error in a stream raises `ValueError`."""
    if not stream:
        return [json.loads(text)]
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    objects = [json.loads(line) for line in lines if line != "[DONE]"]
    for one in objects:
        if "error" in one:
            raise ValueError(f"error in the stream: {one['error']}")
    return objects


def _openai_answer(objects: Sequence[Mapping[str, Any]]) -> _Answer:
    text = ""
    calls: dict[int, list[str]] = {}
    finish = ""
    for one in objects:
        for choice in one["choices"]:
            delta = choice.get("delta") or choice.get("message") or {}
            text += delta.get("content") or ""
            for place, call in enumerate(delta.get("tool_calls") or ()):
                known = calls.setdefault(call.get("index", place), ["", ""])
                known[0] += call["function"].get("name", "")
                known[1] += call["function"]["arguments"]
            finish = choice["finish_reason"] or finish
    return _Answer(text, [(name, arguments) for name, arguments in calls.values()], finish)


def _gemini_answer(objects: Sequence[Mapping[str, Any]]) -> _Answer:
    parts: list[Mapping[str, Any]] = []
    finish = ""
    for one in objects:
        for candidate in one.get("candidates", ()):
            parts += candidate.get("content", {}).get("parts", ())
            finish = candidate.get("finishReason", finish)
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    text = "".join(part.get("text", "") for part in parts)
    return _Answer(text, [(call["name"], json.dumps(call["args"])) for call in calls], finish)


def run(*, quick: bool) -> Report:
    """All cases, on a server of its own."""
    count = QUICK_CASES if quick else CASES
    report = Report("schemas", quick)
    report.notes.append(f"embedded model, {AT_ONCE} requests at once, at most {MAX_TOKENS} tokens each")
    with Localaik(access_log="off") as server:
        for kind in ("answers", "calls"):
            judged = asyncio.run(run_cases(server.url, cases(kind, count)))
            named = {name: judged.outcomes[name] for name in ("valid", "cut", "refused", "failed", "invalid")}
            report.rows.append(
                {
                    "cases": kind,
                    "sent": sum(named.values()),
                    **named,
                    "calls": judged.calls,
                    "s": f"{judged.seconds:.0f}",
                }
            )
            report.check(Bar(f"invalid {kind}", 1, "cases"), judged.outcomes["invalid"])
            report.check(Bar(f"failed {kind}", 1, "cases"), judged.outcomes["failed"])
            for fault in judged.faults[:20]:
                print(fault, file=sys.stderr)
    return report


def main() -> int:
    """Run and print; the exit status is 1 where something broke or was invalid."""
    quick = parse_arguments(__doc__)
    try:
        report = run(quick=quick)
    except MeasurementError as error:
        print(f"bench.schemas broke: {error}", file=sys.stderr)
        return 1
    print(report.text())
    return 0 if all(bar.passed(value) for bar, value in report.verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
