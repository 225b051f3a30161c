"""The other images: `proxy` in front of an upstream, and the ones with a model file of their own."""

from collections.abc import Callable

import pytest
from docker import DockerClient
from google import genai
from google.genai import types
from openai import OpenAI

from tests.integration.docker_machine import LABEL, RUN, run_box

ImageOf = Callable[[str], str]
UPSTREAM = f"localaik-integration-upstream-{RUN}"


def ask_both(url: str) -> tuple[str, str]:
    """The answers to a greeting, as Gemini and as OpenAI."""
    gemini = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=url))
    first = gemini.models.generate_content(model="gemini-2.5-flash", contents="Hello!").text
    gemini.close()
    with OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as openai:
        answer = openai.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello!"}])
    return first or "", answer.choices[0].message.content or ""


@pytest.mark.parametrize("upstream", [None, ""], ids=["unset", "empty"])
def test_b133_the_proxy_refuses_to_start_without_an_upstream(
    client: DockerClient, image_of: ImageOf, upstream: str | None
) -> None:
    environment = {} if upstream is None else {"LOCALAIK_UPSTREAM": upstream}
    with run_box(client, image_of("proxy"), environment=environment) as box:
        assert box.wait_end() == 2
        assert "LOCALAIK_UPSTREAM" in box.log()
        assert "Traceback" not in box.log()


def test_the_proxy_answers_for_its_upstream(client: DockerClient, image_of: ImageOf, tiny_image: str) -> None:
    network = client.networks.create(f"{LABEL}-{RUN}", labels={LABEL: RUN})
    try:
        options = {"network": network.name, "environment": {"LOCALAIK_API_KEY": "of-the-upstream"}}
        with run_box(client, tiny_image, name=UPSTREAM, **options) as upstream:
            upstream.wait_ready()
            environment = {
                "LOCALAIK_UPSTREAM": f"http://{UPSTREAM}:8090/v1",
                "LOCALAIK_UPSTREAM_AUTH_HEADER": "Authorization: Bearer of-the-upstream",
            }
            with run_box(client, image_of("proxy"), network=network.name, environment=environment) as proxy:
                proxy.wait_ready()
                assert all(ask_both(proxy.url))
                assert "of-the-upstream" not in proxy.log()
                upstream.container.stop(timeout=60)
                proxy.wait_until(
                    lambda: (
                        None
                        if "503" in proxy.execute("curl", "-si", "http://localhost:8090/health", check=False)
                        else "no 503"
                    )
                )
    finally:
        network.remove()


@pytest.mark.parametrize("target", ["gemma3-4b", "gemma3-12b"])
def test_a_model_in_the_image_answers(client: DockerClient, image_of: ImageOf, target: str) -> None:
    with run_box(client, image_of(target)) as box:
        box.wait_healthy()
        assert all(ask_both(box.url))
        with OpenAI(base_url=f"{box.url}/v1", api_key="any") as openai:
            assert any(model.id.startswith("gemma-3-") for model in openai.models.list())
