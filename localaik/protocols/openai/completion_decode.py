"""From a request for a legacy completion to what is asked of the model. Pure: no I/O."""

from dataclasses import dataclass, replace
from typing import Final

from localaik.errors import BadRequest
from localaik.generation.request import GenerationRequest, Sampling
from localaik.protocols.openai import types
from localaik.protocols.openai.decode import (
    Answering,
    engine_fields,
    logit_bias,
    stop_strings,
    stream_answering,
    token_limit,
)
from localaik.protocols.openai.reading import Findings

__all__ = ["DecodedCompletion", "decode_completion"]

_DEFAULT_MAX_TOKENS: Final = 16


@dataclass(slots=True)
class DecodedCompletion:
    """A request for completions, translated: one request for each prompt."""

    generations: list[GenerationRequest]
    answering: Answering
    n: int
    """Choices of each prompt in the answer. The requests may ask for more, of which the best are kept."""
    echo: bool
    stream: bool
    ignored: list[str]
    """Paths of fields without effect."""

    @property
    def best_of(self) -> int:
        """Choices of each prompt that are generated."""
        return self.generations[0].n


def decode_completion(request: types.CompletionRequest, *, strict: bool) -> DecodedCompletion:
    """Translate a request; `strict` refuses unknown fields. Raises `BadRequest`."""
    findings = Findings(strict)
    prompts = _prompts(request.prompt)
    if request.suffix and any(not isinstance(prompt, str) for prompt in prompts):
        raise BadRequest(
            "'suffix' is not supported behind token ids: send the prompt as text.",
            field="suffix",
            reason="unsupported_parameter",
        )
    if request.user is not None:
        findings.ignore("user")
    n = request.n or 1
    best_of = _best_of(request, n)
    logprobs = request.logprobs
    generation = GenerationRequest(
        request.model,
        suffix=request.suffix or None,
        sampling=Sampling(
            temperature=request.temperature,
            top_p=request.top_p,
            presence_penalty=request.presence_penalty,
            frequency_penalty=request.frequency_penalty,
        ),
        max_tokens=_max_tokens(request),
        stop=stop_strings(request.stop),
        seed=request.seed,
        n=best_of,
        # The best are those with the highest mean, so it must be known.
        logprobs=0 if logprobs is None and best_of > n else logprobs,
    )
    if request.logit_bias:
        generation.logit_bias = logit_bias(request.logit_bias, findings)
    if request.model_extra:
        generation.extra = engine_fields(request.model_extra, findings)
    return DecodedCompletion(
        [replace(generation, prompt=prompt) for prompt in prompts],
        stream_answering(request.stream_options, request.model, logprobs, findings),
        n,
        bool(request.echo),
        bool(request.stream),
        findings.ignored,
    )


def _prompts(prompt: str | list[str] | list[int] | list[list[int]] | None) -> list[str | list[int]]:
    """One entry for each prompt: text, or token ids."""
    if prompt is None:
        return [""]
    if isinstance(prompt, str):
        return [prompt]
    ids = [entry for entry in prompt if isinstance(entry, int)]
    if ids:
        return [ids]
    return [entry for entry in prompt if not isinstance(entry, int)]


def _max_tokens(request: types.CompletionRequest) -> int | None:
    limit = _DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    if limit == 0 and not request.echo:
        raise BadRequest(
            "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            field="max_tokens",
            reason="integer_below_min_value",
        )
    return token_limit(limit)


def _best_of(request: types.CompletionRequest, n: int) -> int:
    """How many choices to generate for each prompt; 0 and 1 switch the choosing off."""
    best_of = request.best_of or 1
    if best_of == 1:
        return n
    if request.stream:
        raise BadRequest(
            "Invalid 'best_of': the best can't be chosen in a stream. Use 1, or leave 'stream' out.",
            field="best_of",
            reason="invalid_value",
        )
    if best_of < n:
        raise BadRequest(
            f"Invalid 'best_of': integer below minimum value. Expected a value >= {n}, but got {best_of} instead.",
            field="best_of",
            reason="integer_below_min_value",
        )
    return best_of
