"""The scripts of the workflows, with stand-ins for docker and curl."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they run in workflows on Linux")

ROOT = Path(__file__).parent.parent.parent
DIGEST = "sha256:" + "a" * 64
HASH = "b" * 64
DIGEST_TOLD = (
    f"""[ "$1 $2 $3" = "buildx imagetools inspect" ] && printf 'Name: %s\\nDigest:    %s\\n' "$4" {DIGEST}\n"""
)


def run(script: str, folder: Path, dockerfile: str, **tools: str) -> subprocess.CompletedProcess[str]:
    for name, text in tools.items():
        (folder / name).write_text("#!/bin/bash\n" + text)
        (folder / name).chmod(0o755)
    (folder / "Dockerfile").write_text(dockerfile)
    return subprocess.run(
        [ROOT / "tools" / script, folder / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
    )


def test_base_images_are_those_above_the_first_stage_with_digests_of_now(tmp_path: Path) -> None:
    dockerfile = (
        "ARG A_IMAGE=one:1\nARG ENGINE=x\nARG B_IMAGE=two:2@sha256:old\nFROM ${A_IMAGE} AS a\nARG C_IMAGE=three:3\n"
    )
    done = run("base_images.sh", tmp_path, dockerfile, docker=DIGEST_TOLD)
    assert done.stdout.splitlines() == [f"A_IMAGE=one:1@{DIGEST}", f"B_IMAGE=two:2@{DIGEST}"]


@pytest.mark.parametrize("docker", ["exit 1\n", "echo nonsense\n"])
def test_a_base_image_without_a_digest_stops_the_release(tmp_path: Path, docker: str) -> None:
    assert run("base_images.sh", tmp_path, "ARG A_IMAGE=one:1\nFROM ${A_IMAGE}\n", docker=docker).returncode != 0


def test_the_dockerfile_names_a_base_image(tmp_path: Path) -> None:
    done = run("base_images.sh", tmp_path, (ROOT / "Dockerfile").read_text("utf-8"), docker=DIGEST_TOLD)
    assert done.returncode == 0
    assert f"PYTHON_IMAGE=python:3.12-slim-bookworm@{DIGEST}" in done.stdout


MODELS = (
    f'FROM x AS a\nARG MODEL_URL="" MODEL_SHA256=""\nFROM x\nARG M_URL="https://host/m.gguf"\nARG M_SHA256="{HASH}"\n'
)


@pytest.mark.parametrize(
    ("curl", "status", "said"),
    [
        (f"""printf 'HTTP/2 302\\r\\nX-Linked-ETag: "{HASH}"\\r\\n\\r\\nHTTP/2 200\\r\\n'""", 0, "there"),
        ("printf 'HTTP/2 200\\r\\n'", 0, "there"),
        (f"""printf 'HTTP/2 302\\r\\nx-linked-etag: "{"c" * 64}"\\r\\n'""", 1, f"SHA-256 is {'c' * 64}, not {HASH}"),
        ("echo 'curl: (22) The requested URL returned error: 404' >&2; exit 22", 1, "error: 404"),
    ],
    ids=["the same hash", "no hash told", "another hash", "gone"],
)
def test_each_model_file_is_asked_for(tmp_path: Path, curl: str, status: int, said: str) -> None:
    done = run("model_urls.sh", tmp_path, MODELS, curl=curl + "\n")
    assert done.returncode == status
    assert done.stdout.strip().startswith("M: https://host/m.gguf: ")
    assert done.stdout.strip().endswith(said)


def test_a_dockerfile_without_model_files_is_a_fault(tmp_path: Path) -> None:
    assert run("model_urls.sh", tmp_path, "FROM x\n", curl="exit 0\n").returncode == 1


def test_all_four_files_of_the_gemma_images_are_asked_for(tmp_path: Path) -> None:
    done = run("model_urls.sh", tmp_path, (ROOT / "Dockerfile").read_text("utf-8"), curl="exit 0\n")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["MODEL", "MMPROJ", "MODEL", "MMPROJ"]
