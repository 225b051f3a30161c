"""Whole answers, and the pieces that they share with streams. Pure: no I/O.

Source of the shapes: GenerateContentResponse in the REST reference of the Gemini API.
"""

import codecs
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from localaik.generation.events import FinishReason, TokenLogprob, Usage
from localaik.generation.fold import Choice, FoldedCall, Generation
from localaik.protocols.gemini.decode import Answering
from localaik.protocols.gemini.signatures import signature_of

__all__ = [
    "FINISH_REASONS",
    "LogprobWriter",
    "cached_count",
    "call_part",
    "candidate_object",
    "count_object",
    "encode_generation",
    "is_blocked",
    "prompt_details",
    "response_object",
    "text_parts",
    "usage_object",
]

FINISH_REASONS: Final[Mapping[FinishReason, str]] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "tool_calls": "STOP",
    "malformed_call": "MALFORMED_FUNCTION_CALL",
    "other": "OTHER",
}
_CALLS_MESSAGE: Final = "Model generated function call(s)."
_LINE_BREAKS: Final = str.maketrans("\r\n", "  ")

Object = dict[str, object]


def encode_generation(generation: Generation, answering: Answering, response_id: str) -> bytes:
    """The body of a generateContent answer. `response_id` is new for every response."""
    choices = generation.choices
    blocked = len(choices) == 1 and is_blocked(choices[0].finish_reason, had_news=_has_news(choices[0]))
    candidates = [] if blocked else [_candidate(choice, answering) for choice in choices]
    usage = usage_object(generation.usage, answering.cached_tokens)
    return orjson.dumps(response_object(candidates, usage, answering.model_version, response_id))


def is_blocked(reason: FinishReason | None, *, had_news: bool) -> bool:
    """True for an answer that the engine's content filter stopped before its first token."""
    return reason == "content_filter" and not had_news


def count_object(usage: Usage, cached_tokens: int = 0) -> Object:
    """The body of a countTokens answer. `cached_tokens` of the prompt are those of a cached content."""
    counts: Object = {"totalTokens": usage.prompt_tokens, "promptTokensDetails": prompt_details(usage)}
    return {**counts, **cached_count(usage, cached_tokens)}


def cached_count(usage: Usage, cached_tokens: int) -> Object:
    """The field that tells the share of a cached content; none where there is no share, or no prompt's size yet."""
    share = min(cached_tokens, usage.prompt_tokens)
    return {"cachedContentTokenCount": share} if share else {}


def response_object(candidates: Sequence[Object], usage: Object, model_version: str, response_id: str) -> Object:
    """One response, whole or a chunk of a stream. Without candidates it says that the prompt was blocked."""
    body: Object = {"candidates": candidates} if candidates else {"promptFeedback": {"blockReason": "SAFETY"}}
    return {**body, "usageMetadata": usage, "modelVersion": model_version, "responseId": response_id}


def candidate_object(
    index: int,
    parts: Sequence[Object],
    *,
    finish: FinishReason | None = None,
    message: str = "",
    safety_categories: Sequence[str] = (),
) -> Object:
    """One candidate. `message` says what was wrong with a call.

    Ratings belong to its end only; nothing was rated, each named category is listed once.
    """
    candidate: Object = {"content": {"role": "model", "parts": parts} if parts else {"role": "model"}}
    if finish is not None:
        candidate["finishReason"] = FINISH_REASONS[finish]
        told = _CALLS_MESSAGE if finish == "tool_calls" else message
        if told:
            candidate["finishMessage"] = told
        if safety_categories:
            candidate["safetyRatings"] = [
                {"category": category, "probability": "NEGLIGIBLE"} for category in safety_categories
            ]
    candidate["index"] = index
    return candidate


def text_parts(text: str, *, thought: bool = False) -> list[Object]:
    """The part that holds `text`, or none where there is no text."""
    if not text:
        return []
    return [{"text": text, "thought": True}] if thought else [{"text": text}]


def call_part(call: FoldedCall, *, signed: bool) -> Object:
    """The part that holds a complete call; the first one of a candidate is `signed`.

    The arguments stay as the model wrote them, so that no number changes its form. What stands between the values of
    valid JSON may hold line breaks, which streams can't have.
    """
    arguments = call.arguments.translate(_LINE_BREAKS).encode("utf-8", "replace") if call.arguments.strip() else b"{}"
    part: Object = {"functionCall": {"id": call.id, "name": call.name, "args": orjson.Fragment(arguments)}}
    if signed:
        part["thoughtSignature"] = signature_of(call.name, arguments)
    return part


def prompt_details(usage: Usage) -> list[Object]:
    """The prompt's tokens by modality; entries of 0 are left out."""
    text = max(usage.prompt_tokens - usage.image_tokens - usage.document_tokens, 0)
    counts = {"TEXT": text, "IMAGE": usage.image_tokens, "DOCUMENT": usage.document_tokens}
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]


def usage_object(usage: Usage, cached_tokens: int = 0) -> Object:
    """`usageMetadata` for counts so far, or for the final ones; `cached_tokens` as for `count_object`."""
    candidates = max(usage.completion_tokens - usage.reasoning_tokens, 0)
    counts: Object = {"promptTokenCount": usage.prompt_tokens, **cached_count(usage, cached_tokens)}
    counts["candidatesTokenCount"] = candidates
    if usage.reasoning_tokens:
        counts["thoughtsTokenCount"] = usage.reasoning_tokens
    counts["totalTokenCount"] = usage.prompt_tokens + candidates + usage.reasoning_tokens
    counts["promptTokensDetails"] = prompt_details(usage)
    if candidates:
        counts["candidatesTokensDetails"] = [{"modality": "TEXT", "tokenCount": candidates}]
    return counts


class LogprobWriter:
    """`logprobsResult` of one candidate, in one piece or chunk by chunk."""

    def __init__(self, alternatives: int) -> None:
        """`alternatives` is how many other tokens are listed beside each chosen one."""
        self._alternatives = alternatives
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sum = 0.0
        self._count = 0

    def add_to(self, candidate: Object, tokens: Sequence[TokenLogprob], *, last: bool) -> None:
        """Write `tokens` into a candidate, and with `last` the sum and the mean of all tokens so far."""
        self._sum += sum(min(token.logprob, 0.0) for token in tokens)
        self._count += len(tokens)
        result: Object = {}
        if tokens:
            result["chosenCandidates"] = [_entry(self._text(token), token) for token in tokens]
        if tokens and self._alternatives:
            result["topCandidates"] = [
                {"candidates": [_entry(other.token, other) for other in token.top[: self._alternatives]]}
                for token in tokens
            ]
        if last and self._count:
            candidate["avgLogprobs"] = self._sum / self._count
            result["logProbabilitySum"] = self._sum
        if result:
            candidate["logprobsResult"] = result

    def _text(self, token: TokenLogprob) -> str:
        """The token's text, so that all texts together are the answer's.

        A character may be spread over tokens whose own texts are no characters; it is told with its last byte.
        """
        return token.token if token.bytes is None else self._decoder.decode(bytes(token.bytes))


def _entry(text: str, token: TokenLogprob) -> Object:
    known: Object = {"token": text} if token.id is None else {"token": text, "tokenId": token.id}
    return {**known, "logProbability": min(token.logprob, 0.0)}


def _candidate(choice: Choice, answering: Answering) -> Object:
    thoughts = text_parts(choice.reasoning, thought=True) if answering.include_thoughts else []
    complete = [call for call in choice.calls if call.complete]
    candidate = candidate_object(
        choice.index,
        thoughts + text_parts(choice.text) + [call_part(call, signed=not place) for place, call in enumerate(complete)],
        finish=choice.finish_reason,
        message=choice.finish_message,
        safety_categories=answering.safety_categories,
    )
    if answering.logprobs is not None:
        LogprobWriter(answering.logprobs).add_to(candidate, choice.logprobs, last=True)
    return candidate


def _has_news(choice: Choice) -> bool:
    return bool(choice.text or choice.reasoning or choice.calls)
