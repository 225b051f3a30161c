"""`LocalaikContainer`, `localaik up`, `down` and `logs` with a real engine and real images."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound, NotFound
from google import genai
from google.genai import types
from openai import OpenAI

from localaik.container import ContainerError, LocalaikContainer
from tests.integration.docker_machine import LABEL, MODELS, ROOT, RUN
from tests.integration.image_registry import registry_with

NAME = f"localaik-integration-up-{RUN}"


def answers(localaik: LocalaikContainer) -> tuple[str, str]:
    gemini = genai.Client(api_key=localaik.api_key, http_options=types.HttpOptions(base_url=localaik.gemini_base_url))
    first = gemini.models.generate_content(model="gemini-2.5-flash", contents="Hello!").text
    gemini.close()
    with OpenAI(base_url=localaik.openai_base_url, api_key=localaik.api_key, max_retries=0) as openai:
        answer = openai.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello!"}])
    return first or "", answer.choices[0].message.content or ""


def exists(client: DockerClient, identity: str) -> bool:
    try:
        client.containers.get(identity)
    except NotFound:
        return False
    return True


def test_a_block_has_a_server_of_its_own(client: DockerClient, tiny_image: str) -> None:
    with LocalaikContainer(tiny_image, api_key="a-secret", memory="1g") as localaik:
        assert all(answers(localaik))
        assert command("health", localaik.url).returncode == 0
        assert "listening on" in localaik.logs()
        assert "a-secret" not in localaik.logs()
        made = client.containers.get(localaik.container_id).attrs["HostConfig"]
        assert made["ReadonlyRootfs"] is True
        assert made["CapDrop"] == ["ALL"]
        assert made["SecurityOpt"] == ["no-new-privileges"]
        assert (made["PidsLimit"], made["Memory"]) == (512, 1 << 30)
        identity = localaik.container_id
    assert not exists(client, identity)


def test_two_blocks_at_once_are_two_servers(tiny_image: str) -> None:
    with LocalaikContainer(tiny_image) as one, LocalaikContainer(tiny_image) as two:
        assert one.port != two.port
        assert answers(one) == answers(two)


def test_a_model_of_this_machine_is_taken(tiny_image: str) -> None:
    with LocalaikContainer(
        tiny_image, model_dir=MODELS, model="tiny.gguf", mmproj="tiny-mmproj.gguf", env={"LOCALAIK_MODEL_ID": "mine"}
    ) as localaik:
        with OpenAI(base_url=localaik.openai_base_url, api_key="any") as openai:
            assert "mine" in [model.id for model in openai.models.list()]
        assert all(answers(localaik))


def test_bad_settings_are_told_by_the_log_and_leave_nothing(client: DockerClient, tiny_image: str) -> None:
    with pytest.raises(ContainerError, match=r"ended with status 2(?s:.)*LOCALAIK_CTX_SIZE"):
        LocalaikContainer(tiny_image, name=NAME, env={"LOCALAIK_CTX_SIZE": "many"}).start()
    assert not exists(client, NAME)


def test_a_port_that_is_taken_is_told_and_leaves_nothing(client: DockerClient, tiny_image: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ContainerError, match="Can't start"):
        LocalaikContainer(tiny_image, name=NAME, port=taken.getsockname()[1]).start()
    assert not exists(client, NAME)


def test_a_server_that_takes_too_long_is_told_with_what_it_waits_for(tiny_image: str) -> None:
    with pytest.raises(ContainerError, match=r"not ready within 0 s: .*"):
        LocalaikContainer(tiny_image, timeout=0).start()


def test_reuse_is_one_server_for_several_processes(client: DockerClient, tiny_image: str) -> None:
    values = {"image": tiny_image, "env": {"LOCALAIK_SEED": "4711"}, "reuse": True}
    program = (
        "import json, sys; from localaik.container import LocalaikContainer\n"
        "with LocalaikContainer(**json.loads(sys.argv[1])) as localaik: print(localaik.container_id)"
    )
    command = (sys.executable, "-W", "error", "-c", program, json.dumps(values))
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    found = {process.communicate()[0].strip() for process in both}
    last = LocalaikContainer(tiny_image, env={"LOCALAIK_SEED": "4711"}, reuse=True).start()
    try:
        assert [process.returncode for process in both] == [0, 0]
        assert found == {last.container_id}
    finally:
        last.stop()
    assert not exists(client, found.pop())


def test_a_process_that_forgets_to_stop_leaves_nothing(client: DockerClient, tiny_image: str) -> None:
    program = (
        f"from localaik.container import LocalaikContainer as C; c = C({tiny_image!r}).start(); print(c.container_id)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert re.fullmatch("[0-9a-f]{64}", done.stdout.strip())
    assert not exists(client, done.stdout.strip())


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "LOCALAIK_IMAGE"}
    return subprocess.run(
        [sys.executable, "-m", "localaik", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environ,
    )


@pytest.fixture
def clean_up() -> Iterator[None]:
    yield
    command("down", "--name", NAME, "--volumes")


@pytest.mark.usefixtures("clean_up")
def test_up_down_and_logs(client: DockerClient, tiny_image: str, free_port: int) -> None:
    up = ("up", "--image", tiny_image, "--name", NAME, "--port", str(free_port), "--env", "LOCALAIK_MODEL_ID=mine")
    started = command(*up)
    assert started.returncode == 0, started.stderr
    url = f"http://127.0.0.1:{free_port}"
    assert started.stdout.splitlines()[0] == f"localaik is listening on {url}"
    assert f"OPENAI_BASE_URL={url}/v1" in started.stdout
    with OpenAI(base_url=f"{url}/v1", api_key="any") as openai:
        kept = openai.files.create(file=("a.txt", b"kept"), purpose="user_data")
        assert "mine" in [model.id for model in openai.models.list()]
    identity = client.containers.get(NAME).id

    again = command(*up)
    assert (again.returncode, again.stdout) == (0, started.stdout)
    assert client.containers.get(NAME).id == identity
    other = command(*up, "--env", "LOCALAIK_SEED=1")
    assert other.returncode == 1
    assert "with other values" in other.stderr

    # What `serve` says inside has the same words as what `up` says outside.
    logs = command("logs", "--name", NAME)
    assert logs.returncode == 0
    words = [re.sub(r"http://\S+", "URL", line) for line in started.stdout.splitlines()]
    assert {line for line in words if line.startswith(("  Gemini", "  OpenAI", "  health", "localaik is"))} <= {
        re.sub(r"http://\S+", "URL", line) for line in logs.stdout.splitlines()
    }
    following = subprocess.Popen(
        [sys.executable, "-m", "localaik", "logs", "--name", NAME, "--follow", "--tail", "1"],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert following.stdout is not None
    assert following.stdout.readline()  # it follows, then:
    assert command("down", "--name", NAME).stdout == f"Stopped and removed {NAME}.\n"
    following.communicate(timeout=60)
    assert following.returncode == 0

    assert command(*up).returncode == 0
    with OpenAI(base_url=f"{url}/v1", api_key="any") as openai:
        assert openai.files.content(kept.id).read() == b"kept"
    assert f"Removed the volume {NAME}-data.\n" in command("down", "--name", NAME, "--volumes").stdout
    with pytest.raises(NotFound):
        client.volumes.get(f"{NAME}-data")


@pytest.mark.usefixtures("clean_up")
def test_up_tells_why_a_server_does_not_start(tiny_image: str, free_port: int) -> None:
    done = command("up", "--image", tiny_image, "--name", NAME, "--port", str(free_port), "-e", "LOCALAIK_SEED=x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ended with status 2" in done.stderr
    assert "LOCALAIK_SEED" in done.stderr


@pytest.mark.usefixtures("clean_up")
def test_up_pulls_what_is_missing(client: DockerClient, free_port: int, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY program /program\nCMD ["/program"]\n', "utf-8")
    program = tmp_path / "program"
    program.write_bytes(os.urandom(1 << 20))  # nothing that runs: the pull is what counts here
    program.chmod(0o755)
    made = "localaik-test:to-pull"
    subprocess.run(["docker", "build", "-q", "-t", made, str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    with registry_with(client, made) as (reference, registry):
        client.images.remove(made)
        up = ("up", "--image", reference, "--name", NAME, "--port", str(free_port))
        first = command(*up)
        try:
            lines = first.stderr.splitlines()
            assert lines[0] == f"Pulling {reference}"
            assert re.match("localaik: (Can't start the container|The container ended)", lines[1])
            assert (first.returncode, first.stdout) == (1, "")
            fetched = len(registry.asked)
            assert fetched >= 3
            assert command(*up).stderr.splitlines() == lines[1:]
            assert len(registry.asked) == fetched
        finally:
            client.images.remove(reference)


@pytest.mark.usefixtures("clean_up")
def test_up_tells_of_an_image_that_is_nowhere(client: DockerClient) -> None:
    missing = "127.0.0.1:1/localaik-test/nowhere:1"
    with pytest.raises(ImageNotFound):
        client.images.get(missing)
    done = command("up", "--image", missing, "--name", NAME)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Can't pull {missing}" in done.stderr


def test_up_leaves_what_others_have_made_alone(client: DockerClient, tiny_image: str) -> None:
    foreign = client.containers.create(tiny_image, name=f"{NAME}-foreign", labels={LABEL: RUN})
    for words in (("up", "--image", tiny_image), ("down",), ("logs",)):
        done = command(*words, "--name", f"{NAME}-foreign")
        assert done.returncode == 1
        assert "not made by localaik" in done.stderr
    assert exists(client, foreign.id or "")
    foreign.remove(v=True)
