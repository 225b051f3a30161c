"""The figures of a generation for the access line, the same for every protocol."""

from collections.abc import AsyncGenerator
from time import perf_counter

from localaik.generation.events import GenerationEvent, UsageReported
from localaik.http.call import Call

__all__ = ["watch"]


async def watch(
    call: Call, batches: AsyncGenerator[list[GenerationEvent], None]
) -> AsyncGenerator[list[GenerationEvent], None]:
    """The same batches; the call learns from them when the first one came, and the token counts."""
    try:
        async for batch in batches:
            if call.first_token is None:
                call.first_token = perf_counter()
            last = batch[-1]
            if isinstance(last, UsageReported):
                call.prompt_tokens = last.usage.prompt_tokens
                call.completion_tokens = last.usage.completion_tokens
            yield batch
    finally:
        await batches.aclose()
