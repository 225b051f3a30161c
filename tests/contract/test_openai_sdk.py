"""The official Python SDK of the OpenAI API against the real server and engine."""

import base64
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel

from localaik.settings import Settings
from tests.contract.conftest import RunningServer
from tests.media_samples import make_image, make_pdf, pages_of_text

MODEL = "gpt-4o-mini"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
Create = Callable[..., ChatCompletion]


@pytest.fixture
def client(server: RunningServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


@pytest.fixture
async def async_client(server: RunningServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as one:
        yield one


def fold(chunks: list[ChatCompletionChunk]) -> ChatCompletion:
    """What the chunks of a stream with usage add up to."""
    choices: dict[int, dict[str, object]] = {}
    for chunk in chunks:
        assert (chunk.id, chunk.created, chunk.model) == (chunks[0].id, chunks[0].created, chunks[0].model)
        for piece in chunk.choices:
            choice = choices.setdefault(piece.index, {"text": "", "tokens": None, "finish": None})
            choice["text"] = str(choice["text"]) + (piece.delta.content or "")
            choice["finish"] = piece.finish_reason or choice["finish"]
            if piece.logprobs is not None:
                told = [token.model_dump() for token in piece.logprobs.content or []]
                choice["tokens"] = [*(choice["tokens"] or []), *told]  # type: ignore[misc]
    usage = chunks[-1].usage
    assert usage is not None
    assert chunks[-1].choices == []
    return ChatCompletion.model_validate(
        {
            "id": chunks[0].id,
            "object": "chat.completion",
            "created": chunks[0].created,
            "model": chunks[0].model,
            "system_fingerprint": chunks[0].system_fingerprint,
            "service_tier": chunks[0].service_tier,
            "usage": usage.model_dump(),
            "choices": [
                {
                    "index": index,
                    "finish_reason": choice["finish"],
                    "message": {"role": "assistant", "content": choice["text"], "refusal": None, "annotations": []},
                    "logprobs": choice["tokens"] and {"content": choice["tokens"], "refusal": None},
                }
                for index, choice in sorted(choices.items())
            ],
        }
    )


@pytest.fixture(params=["whole", "streamed"])
def create(client: OpenAI, request: pytest.FixtureRequest) -> Create:
    """Asks for a completion, in both forms of the answer."""

    def whole(**body: object) -> ChatCompletion:
        completion: ChatCompletion = client.chat.completions.create(**{"model": MODEL, **body})  # type: ignore[call-overload]
        return completion

    def streamed(**body: object) -> ChatCompletion:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        return fold(list(client.chat.completions.create(**{"model": MODEL, **body, **options})))  # type: ignore[call-overload]

    return whole if request.param == "whole" else streamed


def same(left: ChatCompletion, right: ChatCompletion) -> bool:
    """True where all but id and time agree."""
    different = {"id", "created"}
    return left.model_dump(exclude=different) == right.model_dump(exclude=different)


def test_a_greeting(create: Create) -> None:
    completion = create(messages=HELLO, temperature=0)
    (choice,) = completion.choices
    assert completion.model == MODEL
    assert completion.id.startswith("chatcmpl-")
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 0
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    assert (completion.system_fingerprint or "").startswith("fp_")
    assert same(completion, create(messages=HELLO, temperature=0))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_tokens": 3},
        {"stop": ["!"]},
        {"n": 3, "temperature": 1.5},
        {"n": 6, "max_completion_tokens": 2},
        {"logprobs": True, "top_logprobs": 2, "max_tokens": 4},
        {"logprobs": True, "max_tokens": 4},
        {"messages": [{"role": "system", "content": "Be brief."}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "max_tokens": 5},
    ],
    ids=repr,
)
def test_both_forms_of_an_answer_agree(client: OpenAI, options: dict[str, object]) -> None:
    body: dict[str, object] = {"model": MODEL, "messages": HELLO, "temperature": 0, **options}
    whole = client.chat.completions.create(**body)  # type: ignore[call-overload]
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**body))  # type: ignore[call-overload]
    if "logprobs" in options:
        assert_close(whole, fold(chunks))
    else:
        assert same(whole, fold(chunks))


def assert_close(whole: ChatCompletion, folded: ChatCompletion) -> None:
    """Texts and tokens agree; of probabilities the last digits depend on what else the engine does."""
    assert [choice.message.content for choice in whole.choices] == [choice.message.content for choice in folded.choices]
    for left, right in zip(whole.choices, folded.choices, strict=True):
        assert left.logprobs is not None
        assert right.logprobs is not None
        pairs = zip(left.logprobs.content or [], right.logprobs.content or [], strict=True)
        assert all(one.token == other.token for one, other in pairs)


def test_the_limit_of_tokens(create: Create) -> None:
    completion = create(messages=HELLO, max_tokens=2)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 2


def test_a_stop_string_is_left_out(create: Create) -> None:
    text = create(messages=HELLO, temperature=0).choices[0].message.content or ""
    stop = text[2:4]
    completion = create(messages=HELLO, temperature=0, stop=[stop, "never"])
    assert completion.choices[0].message.content == text[: text.index(stop)]
    assert completion.choices[0].finish_reason == "stop"


def test_more_choices_than_slots(create: Create) -> None:
    completion = create(messages=HELLO, n=9, max_tokens=2)
    assert [choice.index for choice in completion.choices] == list(range(9))
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 18


def test_log_probabilities(create: Create) -> None:
    completion = create(messages=HELLO, temperature=0, logprobs=True, top_logprobs=3, max_tokens=3)
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    tokens = logprobs.content or []
    assert "".join(token.token for token in tokens) == completion.choices[0].message.content
    for token in tokens:
        assert len(token.top_logprobs) == 3
        assert token.logprob <= 0
        # The most likely token, for a temperature of zero.
        assert token.top_logprobs[0].token == token.token


def test_a_bias_decides(client: OpenAI) -> None:
    for token in (300, 400):
        text = client.completions.create(model=MODEL, prompt=[token], echo=True, max_tokens=0).choices[0].text
        completion = client.chat.completions.create(
            model=MODEL, messages=HELLO, temperature=0, logit_bias={str(token): 100}, max_tokens=3
        )
        assert text
        assert (completion.choices[0].message.content or "").replace(" ", "") == (text * 3).replace(" ", "")


def test_seeds(create: Create) -> None:
    hot = {"messages": [{"role": "user", "content": "Tell me something."}], "temperature": 2, "max_tokens": 12}
    texts = [create(**hot, seed=seed, extra_body={"top_k": 0, "min_p": 0, "top_p": 1}) for seed in (1, 1, 2, 3)]
    contents = [text.choices[0].message.content for text in texts]
    assert contents[0] == contents[1]
    assert len(set(contents)) > 1


def test_unknown_fields_reach_the_engine(create: Create) -> None:
    completion = create(messages=HELLO, extra_body={"grammar": 'root ::= "yes"'})
    assert completion.choices[0].message.content == "yes"


def prompt_tokens(create: Create, *content: object) -> int:
    usage = create(messages=[{"role": "user", "content": list(content)}], max_tokens=1).usage
    assert usage is not None
    return usage.prompt_tokens


def test_images_and_documents_are_seen(create: Create) -> None:
    text = {"type": "text", "text": "What is this?"}
    png = base64.b64encode(make_image("PNG")).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}", "detail": "low"}}
    pdf = base64.b64encode(make_pdf(pages_of_text(3))).decode()
    document = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{pdf}", "filename": "a.pdf"}}
    bare = prompt_tokens(create, text)
    one_image = prompt_tokens(create, text, image) - bare
    assert one_image > 2
    # A page is an image, and stands on a line of its own.
    assert 3 * one_image <= prompt_tokens(create, text, document) - bare <= 3 * one_image + 2


def test_a_text_file_is_part_of_the_prompt(create: Create) -> None:
    def tokens(words: str) -> int:
        data = base64.b64encode(words.encode()).decode()
        return prompt_tokens(create, {"type": "file", "file": {"file_data": data, "filename": "a.txt"}})

    assert tokens("word " * 50) >= tokens("word ") + 49


class Person(BaseModel):
    """A schema for the answer."""

    name: str
    age: int


def test_a_schema_is_met(client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Who are you?"}]
    completion = client.chat.completions.parse(
        model=MODEL, messages=messages, response_format=Person, temperature=0, max_tokens=400
    )
    assert isinstance(completion.choices[0].message.parsed, Person)


def test_a_stream_helper_meets_a_schema(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=HELLO, response_format=Person, temperature=0, max_tokens=400
    ) as stream:
        for _ in stream:
            pass
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Person)


def test_any_object(create: Create) -> None:
    completion = create(messages=HELLO, response_format={"type": "json_object"}, max_tokens=200, temperature=0)
    content = completion.choices[0].message.content or ""
    assert content.startswith("{")
    if completion.choices[0].finish_reason == "stop":
        assert isinstance(orjson.loads(content), dict)


def test_an_impossible_schema(client: OpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "nonsense"}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=HELLO, response_format=wanted)  # type: ignore[call-overload]
    assert refused.value.code == "invalid_json_schema"
    assert "Invalid schema for response_format 'person': " in refused.value.message


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": [{"role": "user", "content": "x " * 9000}]}, "context_length_exceeded", "messages"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}],
                    }
                ]
            },
            "invalid_image_format",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x/a.png"}}]}]},
            "invalid_image_url",
            "messages[0].content[0].image_url.url",
        ),
    ],
    ids=["range", "empty", "context", "image", "url"],
)
def test_refusals(create: Create, body: dict[str, object], code: str, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(**{"messages": HELLO, **body})
    assert (refused.value.code, refused.value.param, refused.value.type) == (code, param, "invalid_request_error")
    assert refused.value.request_id


async def test_the_asynchronous_client(async_client: AsyncOpenAI) -> None:
    whole = await async_client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0)
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=HELLO, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    assert same(whole, fold([chunk async for chunk in stream]))


async def test_b137_a_stream_that_is_left_frees_its_slot(async_client: AsyncOpenAI) -> None:
    endless = {"ignore_eos": True}
    for _ in range(12):  # three times the slots
        stream = await async_client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, extra_body=endless
        )
        async with stream:
            async for chunk in stream:
                if chunk.choices[0].delta.content:
                    break
    completion = await async_client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2)
    assert completion.choices[0].finish_reason == "length"


def test_models(client: OpenAI) -> None:
    listed = client.models.list().data
    assert listed
    assert listed[0].owned_by == "localaik"
    for name in (listed[0].id, "org/model:4b"):
        model = client.models.retrieve(name)
        assert (model.id, model.created) == (name, listed[0].created)
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete(listed[0].id)
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.delete("another")
    assert refused.value.code == "model_not_found"


def test_b006_strict_models(start_server: Callable[[Settings], RunningServer]) -> None:
    running = start_server(Settings(port=0, strict_models=True))
    with OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client:
        for ask in (
            lambda: client.models.retrieve(MODEL),
            lambda: client.chat.completions.create(model=MODEL, messages=HELLO),
        ):
            with pytest.raises(openai.NotFoundError) as refused:
                ask()
            assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_what_is_not_served(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.vector_stores.list()
    assert refused.value.code == "unknown_url"


def fold_completions(chunks: list[Completion], choices: int) -> list[tuple[str, str | None]]:
    texts = [""] * choices
    finishes: list[str | None] = [None] * choices
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
            finishes[choice.index] = choice.finish_reason or finishes[choice.index]
    return list(zip(texts, finishes, strict=True))


@pytest.mark.parametrize("prompt", ["Once upon", ["Once upon", "Hello"], [10, 11], [[10, 11], [12]], ""], ids=repr)
@pytest.mark.parametrize("n", [1, 2])
def test_b076_completions(client: OpenAI, prompt: object, n: int) -> None:
    body: dict[str, object] = {
        "model": MODEL,
        "prompt": prompt,
        "n": n,
        "max_tokens": 4,
        "temperature": 0,
        "echo": True,
    }
    whole = client.completions.create(**body)  # type: ignore[call-overload]
    prompts = len(prompt) if isinstance(prompt, list) and isinstance(prompt[0], str | list) else 1
    assert [choice.index for choice in whole.choices] == list(range(prompts * n))
    assert whole.object == "text_completion"
    assert whole.usage.completion_tokens <= 4 * prompts * n
    if isinstance(prompt, str):
        assert all(choice.text.startswith(prompt) for choice in whole.choices)
    body |= {"stream": True}
    chunks = list(client.completions.create(**body))  # type: ignore[call-overload]
    assert fold_completions(chunks, prompts * n) == [(choice.text, choice.finish_reason) for choice in whole.choices]


def test_completions_with_log_probabilities(client: OpenAI) -> None:
    choice = client.completions.create(model=MODEL, prompt="Hello", logprobs=2, echo=True, max_tokens=3).choices[0]
    logprobs = choice.logprobs
    assert logprobs is not None
    assert "".join(logprobs.tokens or []) == choice.text
    assert (logprobs.token_logprobs or [])[0] is None
    offsets = logprobs.text_offset or []
    assert [
        choice.text[offset:][: len(token)] for offset, token in zip(offsets, logprobs.tokens or [], strict=True)
    ] == (logprobs.tokens)
    assert all(2 <= len(top) <= 3 for top in (logprobs.top_logprobs or [])[1:])


def test_the_best_of_several(client: OpenAI) -> None:
    completion = client.completions.create(model=MODEL, prompt="Hello", best_of=4, n=2, max_tokens=3)
    assert [choice.index for choice in completion.choices] == [0, 1]
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 6


@pytest.mark.parametrize("stream", [False, True])
async def test_headers(http: aiohttp.ClientSession, stream: bool) -> None:
    body = {"messages": HELLO, "max_tokens": 1, "stream": stream, "user": "me"}
    async with http.post("/v1/chat/completions", json=body) as answer:
        assert answer.status == 200
        await answer.read()
        assert answer.headers["openai-version"] == "2020-10-01"
        assert int(answer.headers["openai-processing-ms"]) >= 0
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["x-ratelimit-remaining-requests"]
        assert answer.headers["x-localaik-ignored"] == "user"
