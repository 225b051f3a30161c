"""Completions that fill a gap (`suffix`), by a model that was taught to and by one that was not, on the real engine."""

import struct
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from localaik.assets import tiny_model
from localaik.settings import Settings
from tests.contract.conftest import RunningServer

ALIGNMENT = 32  # of a GGUF file's tensors (ggml's gguf.md)
COUNTS_AT, VALUES_AT = 16, 24  # where a GGUF file has the number of its values, and the first of them
UINT32, STRING = 4, 8
FILL_IN = {"fim_pre": 300, "fim_suf": 301, "fim_mid": 302}
"""Ordinary tokens, which the engine takes for the marks of a gap."""


def able_to_fill_in(folder: Path) -> Path:
    """The embedded model, with values that tell which tokens mark a gap."""
    model = tiny_model().read_bytes()
    added = b"".join(
        key_of(f"tokenizer.ggml.{name}_token_id") + struct.pack("<II", UINT32, token) for name, token in FILL_IN.items()
    )
    padding = key_of("general.padding") + struct.pack("<IQ", STRING, 0)
    spaces = -(len(added) + len(padding)) % ALIGNMENT  # so that tensors stay where they are in their block
    added += key_of("general.padding") + struct.pack("<IQ", STRING, spaces) + b" " * spaces
    count = struct.unpack_from("<Q", model, COUNTS_AT)[0] + len(FILL_IN) + 1
    path = folder / "fills-in.gguf"
    path.write_bytes(model[:COUNTS_AT] + struct.pack("<Q", count) + added + model[VALUES_AT:])
    return path


def key_of(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


def test_a_gap_is_filled(start_server: Callable[[Settings], RunningServer], tmp_path: Path) -> None:
    server = start_server(Settings(port=0, state="memory", model=str(able_to_fill_in(tmp_path)), parallel=1))
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:

        def fill(suffix: str, **fields: object) -> str:
            return (
                client.completions.create(
                    model="m", prompt="One, two,", suffix=suffix, max_tokens=8, temperature=0, **fields
                )
                .choices[0]
                .text
            )  # type: ignore[call-overload]

        whole = fill(" four.")
        assert whole
        assert fill(" four.") == whole
        assert {fill(" four."), fill(" hundred."), fill(" and a dog.")} != {whole}  # the suffix reaches the model
        streamed = client.completions.create(
            model="m", prompt="One, two,", suffix=" four.", max_tokens=8, temperature=0, stream=True
        )
        assert "".join(chunk.choices[0].text for chunk in streamed) == whole
        told = client.completions.create(model="m", prompt=["a", "b"], suffix="c", n=2, max_tokens=2, logprobs=1)
        assert [choice.index for choice in told.choices] == [0, 1, 2, 3]
        assert told.choices[0].logprobs is not None
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(model="m", prompt=[1, 2], suffix="c")
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "suffix")


def test_a_model_that_was_not_taught_to_is_refused(server: RunningServer) -> None:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError, match="not trained to fill in") as caught:
            client.completions.create(model="m", prompt="a", suffix="b")
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "suffix")
        assert client.completions.create(model="m", prompt="a", suffix="", max_tokens=1).choices
