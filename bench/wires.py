"""The same small conversation in each protocol: where it goes, what is sent, what stands once in each event."""

from dataclasses import dataclass
from typing import Final

__all__ = ["GEMINI", "OPENAI", "RESPONSES", "Wire"]


@dataclass(frozen=True, slots=True)
class Wire:
    """One protocol's requests."""

    name: str
    path: str
    stream_path: str
    body: str
    stream_body: str
    marker: str
    """Stands once in each event of a stream that carries text."""


_MESSAGES: Final = '"messages":[{"role":"user","content":"Say hello."}]'
_CONTENTS: Final = '{"contents":[{"role":"user","parts":[{"text":"Say hello."}]}]}'

OPENAI: Final = Wire(
    name="OpenAI",
    path="/v1/chat/completions",
    stream_path="/v1/chat/completions",
    body=f'{{"model":"bench",{_MESSAGES}}}',
    stream_body=f'{{"model":"bench","stream":true,{_MESSAGES}}}',
    marker='"delta":{"content":',
)
GEMINI: Final = Wire(
    name="Gemini",
    path="/v1beta/models/bench:generateContent",
    stream_path="/v1beta/models/bench:streamGenerateContent?alt=sse",
    body=_CONTENTS,
    stream_body=_CONTENTS,
    marker='"parts":[{"text":',
)
RESPONSES: Final = Wire(
    name="Responses",
    path="/v1/responses",
    stream_path="/v1/responses",
    body='{"model":"bench","input":"Say hello."}',
    stream_body='{"model":"bench","stream":true,"input":"Say hello."}',
    marker='"type":"response.output_text.delta"',
)
