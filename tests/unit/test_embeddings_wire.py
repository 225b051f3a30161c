"""Embeddings on the wire: what both protocols read and write."""

import struct

import pytest

from localaik.embeddings.prompts import Task
from localaik.embeddings.request import Embedded, Embedding, EmbeddingInput
from localaik.errors import BadRequest, NotFound
from localaik.models.embedding import embedding_models
from localaik.models.registry import ModelEntry, Registry
from localaik.protocols.gemini.embeddings import (
    BatchEmbedContentsRequest,
    EmbedContentRequest,
    decode_batch,
    decode_single,
)
from localaik.protocols.gemini.models import find_embedding_model, is_embedding_name, model_resource
from localaik.protocols.gemini.reading import read as read_gemini
from localaik.protocols.openai.embeddings import EmbeddingsRequest, decode_embeddings, encode_embeddings
from localaik.protocols.openai.reading import Findings
from localaik.protocols.openai.reading import read as read_openai
from localaik.settings import Settings

MODEL = "gemini-embedding-001"


def content(*parts: object) -> dict[str, object]:
    return {"content": {"parts": [{"text": part} if isinstance(part, str) else part for part in parts]}}


def single(body: dict[str, object]) -> EmbeddingInput:
    return decode_single(read_gemini(EmbedContentRequest, body, strict=True, ignored=[]), MODEL)


def batch(*items: dict[str, object], limit: int = 2048) -> list[EmbeddingInput]:
    body: object = {"requests": list(items)}
    return decode_batch(read_gemini(BatchEmbedContentsRequest, body, strict=True, ignored=[]), MODEL, limit=limit)


class TestGemini:
    def test_all_fields(self) -> None:
        body = {
            "model": f"models/{MODEL}",
            **content("a", "b"),
            "taskType": "RETRIEVAL_DOCUMENT",
            "title": "t",
            "outputDimensionality": "10",
        }
        assert single(body) == EmbeddingInput("a\nb", Task.DOCUMENT, "t", 10, "content")

    def test_snake_case_and_a_role(self) -> None:
        body = {"content": {"role": "user", "parts": {"text": "a"}}, "task_type": 1, "output_dimensionality": 3.0}
        assert single(body) == EmbeddingInput("a", Task.QUERY, "", 3, "content")

    @pytest.mark.parametrize(
        ("name", "task"),
        [
            ("TASK_TYPE_UNSPECIFIED", Task.DOCUMENT),
            ("RETRIEVAL_QUERY", Task.QUERY),
            ("SEMANTIC_SIMILARITY", Task.SIMILARITY),
            ("CLASSIFICATION", Task.CLASSIFICATION),
            ("CLUSTERING", Task.CLUSTERING),
            ("QUESTION_ANSWERING", Task.QUESTION),
            ("FACT_VERIFICATION", Task.FACT_CHECK),
            ("CODE_RETRIEVAL_QUERY", Task.CODE),
        ],
    )
    def test_task_types(self, name: str, task: Task) -> None:
        assert single({**content("a"), "taskType": name}).task is task
        assert single(content("a")).task is Task.DOCUMENT

    @pytest.mark.parametrize(
        ("body", "field", "told"),
        [
            ({}, "content", "is not specified"),
            ({"content": {}}, "content", "contains no parts"),
            ({"content": {"parts": []}}, "content", "contains no parts"),
            (content(""), "content.parts[0]", "contains an empty Part"),
            (content("a", {}), "content.parts[1]", "contains an empty Part"),
            (content({"inlineData": {"mimeType": "image/png", "data": "QQ=="}}), "content.parts[0].inlineData", "text"),
            (content({"functionCall": {"name": "f"}}), "content.parts[0].functionCall", "text only"),
            ({**content("a"), "outputDimensionality": 0}, "outputDimensionality", "must be at least 1, got 0"),
            ({**content("a"), "outputDimensionality": -1}, "outputDimensionality", "got -1"),
            ({**content("a"), "outputDimensionality": "x"}, "outputDimensionality", "TYPE_INT32"),
            ({**content("a"), "taskType": "POETRY"}, "taskType", "must be one of TASK_TYPE_UNSPECIFIED"),
            ({**content("a"), "model": "models/other"}, "model", f"models/{MODEL}"),
            ({**content("a"), "unheard": 1}, "unheard", "Unknown name"),
        ],
    )
    def test_faults(self, body: dict[str, object], field: str, told: str) -> None:
        with pytest.raises(BadRequest) as caught:
            single(body)
        assert [fault.field for fault in caught.value.faults] == [field]
        assert told in caught.value.message
        with pytest.raises(BadRequest) as caught:
            batch(content("fine"), body)
        assert caught.value.field == f"requests[1].{field}"

    def test_a_batch_keeps_order_and_settings_of_each(self) -> None:
        first, second = batch(content("a"), {**content("b"), "title": "t", "model": MODEL, "outputDimensionality": 2})
        assert (first.content, first.field) == ("a", "requests[0].content")
        assert (second.content, second.title, second.dimensions) == ("b", "t", 2)

    @pytest.mark.parametrize(("count", "limit"), [(0, 2048), (101, 100)])
    def test_an_empty_and_a_large_batch(self, count: int, limit: int) -> None:
        with pytest.raises(BadRequest) as caught:
            batch(*[content("a")] * count, limit=limit)
        assert caught.value.field == "requests"
        assert len(batch(*[content("a")] * 100, limit=100)) == 100


class TestNames:
    CHAT = Registry([ModelEntry("tiny", 1, "localaik", 8192, "A model."), ModelEntry("my-embedding", 1, "x", 1, "")])

    def test_which_names_embed(self) -> None:
        embedding = embedding_models(Settings())
        for name, embeds in {
            "tiny-embedding": True,
            "text-embedding-004": True,
            "tiny": False,
            "gemini-2.5-flash": False,
            "my-embedding": False,  # listed as a chat model
        }.items():
            assert is_embedding_name(name, self.CHAT, embedding) is embeds
        assert not is_embedding_name("text-embedding-004", self.CHAT, embedding_models(Settings(embeddings="off")))

    @pytest.mark.parametrize("name", ["", "google/x", "123"])
    def test_names_from_elsewhere(self, name: str) -> None:
        with pytest.raises(NotFound) as caught:
            find_embedding_model(name, embedding_models(Settings()), version="v1", method="embedContent")
        assert f"models/{name} is not found for API version v1, or is not supported for embedContent" in (
            caught.value.message
        )

    def test_strict_names(self) -> None:
        models = embedding_models(Settings(strict_models=True))
        assert find_embedding_model("tiny-embedding", models, version="v1", method="embedContent").embeds
        with pytest.raises(NotFound):
            find_embedding_model(MODEL, models, version="v1", method="embedContent")

    def test_the_resource(self) -> None:
        (entry,) = embedding_models(Settings()).listed()
        assert model_resource(entry.id, entry, own_engine=True) == {
            "name": "models/tiny-embedding",
            "baseModelId": "tiny-embedding",
            "version": "001",
            "displayName": "tiny-embedding",
            "description": "Embeddings by tiny-embedding.",
            "inputTokenLimit": 2048,
            "outputTokenLimit": 1,
            "supportedGenerationMethods": ["embedContent", "batchEmbedContents", "countTokens"],
        }

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ({}, "tiny-embedding"),
            ({"embedding_model": "/models/nomic.gguf"}, "nomic"),
            ({"upstream": "http://h"}, "embedding"),
            ({"upstream": "http://h", "embedding_model": "nomic-embed-text"}, "nomic-embed-text"),
        ],
    )
    def test_what_it_is_called(self, settings: dict[str, object], name: str) -> None:
        assert [entry.id for entry in embedding_models(Settings.model_validate(settings)).listed()] == [name]


def decode(body: dict[str, object], *, strict: bool = False) -> tuple[list[EmbeddingInput], list[str]]:
    findings = Findings(strict)
    wire = read_openai(EmbeddingsRequest, {"model": "m", **body})
    return list(decode_embeddings(wire, findings).inputs), findings.ignored


class TestOpenAI:
    @pytest.mark.parametrize(
        ("value", "contents"),
        [
            ("a", [("a", "input")]),
            ("", [("", "input")]),
            (["a", ""], [("a", "input[0]"), ("", "input[1]")]),
            ([1, 2], [((1, 2), "input")]),
            ([[1, 2], [3]], [((1, 2), "input[0]"), ((3,), "input[1]")]),
        ],
    )
    def test_forms_of_input(self, value: object, contents: list[tuple[object, str]]) -> None:
        inputs, ignored = decode({"input": value})
        assert [(item.content, item.field) for item in inputs] == contents
        assert ignored == []

    def test_all_fields(self) -> None:
        body = {"input": "a", "dimensions": 5, "user": "u", "prompt_name": "Retrieval_Document", "title": "t", "x": 1}
        inputs, ignored = decode(body)
        assert inputs == [EmbeddingInput("a", Task.DOCUMENT, "t", 5, "input")]
        assert ignored == ["x", "user"]

    def test_null_is_absent(self) -> None:
        body = {"input": "a", **dict.fromkeys(("dimensions", "encoding_format", "user", "prompt_name", "title"))}
        assert decode(body) == ([EmbeddingInput("a", field="input")], [])

    @pytest.mark.parametrize(
        ("body", "reason", "field"),
        [
            ({}, "missing_required_parameter", "input"),
            ({"input": None}, "invalid_type", "input"),
            ({"input": 5}, "invalid_type", "input"),
            ({"input": []}, "empty_array", "input"),
            ({"input": [[]]}, "empty_array", "input[0]"),
            ({"input": ["a", 1]}, "invalid_type", "input[1]"),
            ({"input": [1, "a"]}, "invalid_type", "input[1]"),
            ({"input": ["a"] * 2049}, "array_above_max_length", "input"),
            ({"input": [-1]}, "integer_below_min_value", "input[0]"),
            ({"input": "a", "dimensions": 0}, "integer_below_min_value", "dimensions"),
            ({"input": "a", "dimensions": "5"}, "invalid_type", "dimensions"),
            ({"input": "a", "encoding_format": "hex"}, "invalid_value", "encoding_format"),
            ({"input": "a", "prompt_name": "poetry"}, "invalid_value", "prompt_name"),
        ],
    )
    def test_faults(self, body: dict[str, object], reason: str, field: str) -> None:
        with pytest.raises(BadRequest) as caught:
            decode(body)
        assert (caught.value.reason, caught.value.field) == (reason, field)

    def test_unknown_fields_where_they_are_refused(self) -> None:
        with pytest.raises(BadRequest) as caught:
            decode({"input": "a", "x": 1}, strict=True)
        assert (caught.value.reason, caught.value.field) == ("unknown_parameter", "x")

    def test_answers(self) -> None:
        one = Embedding(struct.pack("<2f", 0.5, -2), 3, 3)
        embedded = Embedded([one, Embedding(struct.pack("<2f", 1, 0), 4, 9)])
        assert encode_embeddings(embedded, "m", "float") == {
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": (0.5, -2)},
                {"object": "embedding", "index": 1, "embedding": (1, 0)},
            ],
            "model": "m",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        }
        packed = encode_embeddings(Embedded([one]), "m", "base64")
        assert packed["data"] == [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAAMA="}]
