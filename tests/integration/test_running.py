"""How a container runs: rights, ports, health, signals, statuses, and what lasts."""

import json
import re
import socket
import urllib.request
from collections.abc import Callable

import pytest
from docker import DockerClient
from docker.errors import NotFound
from openai import OpenAI

from tests.integration.docker_machine import LABEL, RUN, Box, run, run_box

ImageOf = Callable[[str], str]
LISTENING = "0A"  # state in /proc/net/tcp, proc_pid_net(5)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def ask(url: str) -> str:
    with OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as openai:
        answer = openai.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "Hello!"}], max_tokens=20
        )
    return answer.choices[0].message.content or ""


def listening(box: Box) -> dict[str, set[int]]:
    """`all` and `loopback`: the ports that something inside listens on."""
    ports: dict[str, set[int]] = {"all": set(), "loopback": set()}
    for line in box.execute("sh", "-c", "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true").splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != LISTENING:
            continue
        address, _, port = fields[1].partition(":")
        is_loopback = address in {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
        ports["loopback" if is_loopback else "all"].add(int(port, 16))
    return ports


def test_c04_the_port_answers_on_ipv4_and_on_ipv6(client: DockerClient, tiny_image: str) -> None:
    sysctls = {f"net.ipv6.conf.{name}.disable_ipv6": "0" for name in ("all", "default", "lo")}
    with run_box(client, tiny_image, sysctls=sysctls) as box:
        box.wait_ready()
        for host in ("127.0.0.1", "[::1]"):
            assert json.loads(box.execute("curl", "-sSf", f"http://{host}:8090/health"))["status"] == "ok"


def test_c04_the_port_answers_where_there_is_no_ipv6(client: DockerClient, tiny_image: str) -> None:
    sysctls = {f"net.ipv6.conf.{name}.disable_ipv6": "1" for name in ("all", "default", "lo")}
    with run_box(client, tiny_image, sysctls=sysctls) as box:
        box.wait_ready()
        assert json.loads(box.execute("curl", "-sSf", "http://127.0.0.1:8090/health"))["status"] == "ok"


def test_c04_the_engine_is_not_reachable_from_outside(tiny: Box) -> None:
    ports = listening(tiny)
    assert ports["all"] == {8090}
    assert ports["loopback"]
    tiny.container.reload()
    published = {name for name, hosts in tiny.container.ports.items() if hosts}
    assert published == {"8090/tcp"}
    address = next(iter(tiny.container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    socket.create_connection((address, 8090), timeout=10).close()  # so that the refusals below mean something
    for port in ports["loopback"]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=10)


def test_c05_every_process_runs_as_the_user_and_without_rights(tiny: Box) -> None:
    program = "for p in /proc/[0-9]*; do grep -hE '^(Uid|CapEff|CapBnd|NoNewPrivs):' $p/status; done"
    found = tiny.execute("sh", "-c", program)
    assert set(re.findall(r"^Uid:\s+(\d+)", found, re.MULTILINE)) == {"10001"}
    assert set(re.findall(r"^CapEff:\s+(\w+)", found, re.MULTILINE)) == {"0" * 16}
    assert set(re.findall(r"^CapBnd:\s+(\w+)", found, re.MULTILINE)) == {"0" * 16}
    assert set(re.findall(r"^NoNewPrivs:\s+(\d)", found, re.MULTILINE)) == {"1"}


def test_c05_it_can_write_its_data_and_its_scratch_alone(tiny: Box) -> None:
    assert tiny.execute("sh", "-c", "touch /data/.probe /tmp/.probe && rm /data/.probe /tmp/.probe") == ""
    for folder in ("/", "/opt/localaik", "/usr/local/lib", "/etc"):
        assert "Read-only file system" in tiny.execute("touch", f"{folder}/.probe", check=False)


def test_c05_it_runs_on_a_root_that_can_be_written_too(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image, read_only=False, tmpfs={}, cap_drop=[], security_opt=[]) as box:
        box.wait_ready()
        assert ask(box.url)
        written = {change["Path"] for change in box.container.diff() or []}
    assert not {path for path in written if not str(path).startswith(("/tmp", "/data"))}


def test_c06_an_init_is_the_first_process_and_its_child_is_serve(tiny: Box) -> None:
    assert "tini" in tiny.execute("cat", "/proc/1/comm")
    lines = [line.split(None, 1) for line in tiny.execute(
        "sh", "-c", "for p in /proc/[0-9]*; do echo $(grep PPid $p/status | cut -f2) $(tr '\\0' ' ' <$p/cmdline); done"
    ).splitlines()]  # fmt: skip
    children = [line[1] for line in lines if line[0] == "1"]
    assert any("localaik serve" in child for child in children)


def test_c07_the_check_tells_docker_of_a_server_that_is_not_healthy(client: DockerClient, image_of: ImageOf) -> None:
    environment = {"LOCALAIK_UPSTREAM": "http://127.0.0.1:9/v1"}
    with run_box(client, image_of("proxy"), environment=environment) as box:
        box.wait_until(
            lambda: (
                None if "503" in box.execute("curl", "-si", "http://127.0.0.1:8090/health", check=False) else "no 503"
            )
        )
        status, output = box.container.exec_run(["python", "-m", "localaik.cli.health"])
        assert status == 1
        assert b"unreachable" in output


def test_c07_curl_inside_finds_it_healthy(tiny: Box) -> None:
    assert tiny.execute("curl", "-fsS", "http://localhost:8090/health")


def test_c08_an_interrupt_ends_it_with_status_0(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_ready()
        box.container.kill("SIGINT")
        assert box.wait_end() == 0


def test_c08_a_stop_ends_it_with_status_0_and_without_force(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_ready()
        box.container.stop(timeout=60)
        assert box.state().exit_code == 0  # 137 had it been killed


def test_c08_a_stop_while_the_model_loads_is_a_clean_end(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_until(lambda: None if "listening on" in box.log() else "not listening")
        box.container.stop(timeout=60)
        assert box.state().exit_code == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LOCALAIK_CTX_SIZE", "many"), ("LOCALAIK_LOG_FORMAT", "xml"), ("LOCALAIK_UPSTREAM", "nonsense")],
)
def test_c08_bad_settings_are_status_2_and_a_line(
    client: DockerClient, tiny_image: str, variable: str, value: str
) -> None:
    with run_box(client, tiny_image, environment={variable: value}) as box:
        assert box.wait_end() == 2
        assert variable in box.log()
        assert "Traceback" not in box.log()


def test_c08_the_end_of_the_engine_for_good_ends_the_container(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image, environment={"LOCALAIK_ENGINE_RESTARTS": "0"}) as box:
        box.wait_ready()
        kill_engine(box)
        assert box.wait_end() not in {0, 2}


def test_c08_an_engine_that_dies_once_is_started_again(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_ready()
        kill_engine(box)
        box.wait_until(lambda: None if "is started again" in box.log() else "the end was not seen")
        assert ask(box.url)  # waits for the new one
        assert box.state().status == "running"


def kill_engine(box: Box) -> None:
    pid = re.findall(r"engine is ready \(\S+ process (\d+)\)", box.log())[-1]
    box.execute("python", "-c", f"import os; os.kill({pid}, 9)")


def test_c10_it_is_healthy_without_any_network(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image, network_mode="none", ports={}) as box:
        box.wait_healthy()
        assert json.loads(box.execute("curl", "-sf", "http://127.0.0.1:8090/health"))["status"] == "ok"


def test_it_runs_by_an_environment_alone(client: DockerClient, tiny_image: str) -> None:
    environment = {"LOCALAIK_API_KEY": "a-secret", "LOCALAIK_MODEL_ID": "renamed", "LOCALAIK_LOG_FORMAT": "json"}
    with run_box(client, tiny_image, environment=environment) as box:
        box.wait_ready()
        with OpenAI(base_url=f"{box.url}/v1", api_key="a-secret") as openai:
            assert "renamed" in [model.id for model in openai.models.list()]
        lines = [json.loads(line) for line in box.log().splitlines()]
        assert lines
        assert "a-secret" not in box.log()


def test_names_of_the_go_localaik_are_taken(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image, environment={"LK_CTX_SIZE": "1024", "LK_PARALLEL": "1", "LK_LOG": "off"}) as box:
        box.wait_ready()
        assert ask(box.url)
        assert "/v1/chat/completions" not in box.log()


def test_a_restart_brings_it_back(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_healthy()
        first = ask(box.url)
        box.container.restart(timeout=60)
        box.wait_ready()
        assert ask(box.url) == first


def test_what_is_stored_outlives_the_container_on_a_volume(client: DockerClient, tiny_image: str) -> None:
    volume = client.volumes.create(labels={LABEL: RUN})
    try:
        kept = {volume.name: {"bind": "/data", "mode": "rw"}}
        with run_box(client, tiny_image, volumes=kept) as box:
            box.wait_ready()
            with OpenAI(base_url=f"{box.url}/v1", api_key="any") as openai:
                file = openai.files.create(file=("a.txt", b"to be kept"), purpose="user_data")
                answer = openai.responses.create(model="any", input="Hello!", store=True)
            box.container.stop(timeout=60)
        with run_box(client, tiny_image, volumes=kept) as box:
            box.wait_ready()
            with OpenAI(base_url=f"{box.url}/v1", api_key="any") as openai:
                assert openai.files.content(file.id).read() == b"to be kept"
                assert openai.responses.retrieve(answer.id).output_text == answer.output_text
    finally:
        volume.remove()


def test_without_a_volume_nothing_is_left(client: DockerClient, tiny_image: str) -> None:
    with run_box(client, tiny_image) as box:
        box.wait_ready()
        volumes = [mount["Name"] for mount in box.container.attrs["Mounts"] if mount["Type"] == "volume"]
    assert volumes
    for name in volumes:
        with pytest.raises(NotFound):
            client.volumes.get(name)


def test_c05_memory_and_processes_have_room_under_the_limits(tiny: Box) -> None:
    stats = tiny.container.stats(stream=False)
    assert isinstance(stats, dict)
    assert stats["memory_stats"]["usage"] < stats["memory_stats"]["limit"] / 2
    assert stats["pids_stats"]["current"] < stats["pids_stats"]["limit"] / 2


def test_docker_run_as_the_documentation_has_it(client: DockerClient, tiny_image: str) -> None:
    command = ("docker", "run", "-d", "--rm", "--label", f"{LABEL}={RUN}", "-p", "127.0.0.1::8090", tiny_image)
    identity = run(*command).stdout.split()[-1]
    box = Box(client.containers.get(identity))
    try:
        box.wait_healthy()
        assert json.loads(get(f"{box.url}/health"))["status"] == "ok"
    finally:
        box.container.remove(force=True, v=True)
