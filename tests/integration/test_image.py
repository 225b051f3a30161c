"""What the images are: their targets, their user, what they carry, and what a build refuses."""

import io
import re
import subprocess
from collections.abc import Callable

import pytest
from docker import DockerClient
from PIL import Image

from localaik.container import TARGETS
from tests.integration.docker_machine import IDLE, MODELS, ROOT, Box, build, model_arguments, run_box, sha256
from tests.media_samples import PdfPage, make_pdf

ImageOf = Callable[[str], str]
FONTS = (
    *("Helvetica", "Helvetica-Bold", "Helvetica-Oblique", "Helvetica-BoldOblique"),
    *("Times-Roman", "Times-Bold", "Times-Italic", "Times-BoldItalic"),
    *("Courier", "Courier-Bold", "Courier-Oblique", "Courier-BoldOblique"),
)
DARK = 128
FIND_WEIGHTS = "find / -xdev -name '*.gguf' 2>/dev/null || true"
DOTS_PER_INCH = 72


def config_of(client: DockerClient, image: str) -> dict[str, object]:
    config = client.images.get(image).attrs["Config"]
    assert isinstance(config, dict)
    return config


def test_c01_a_plain_build_makes_gemma3_4b(client: DockerClient) -> None:
    build("localaik-test:plain", None, *model_arguments())
    build("localaik-test:last", "gemma3-4b", *model_arguments())
    assert config_of(client, "localaik-test:plain") == config_of(client, "localaik-test:last")


def test_c01_each_target_is_a_stage() -> None:
    stages = re.findall(r"^FROM .* AS (\S+)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert set(TARGETS) <= set(stages)
    assert stages[-1] == "gemma3-4b"


def test_c02_a_model_of_ones_own_is_put_in_with_its_sha256_and_without_a_projector(client: DockerClient) -> None:
    image = "localaik-test:own"
    build(image, "gemma3-12b", *model_arguments(mmproj=False))
    with run_box(client, image, environment={"LOCALAIK_MODEL_ID": "mine"}) as box:
        digests = box.execute("sh", "-c", "sha256sum /models/*")
        assert digests.split() == [sha256(MODELS / "tiny.gguf"), "/models/model.gguf"]
        box.wait_ready()


@pytest.mark.parametrize("target", ["tiny", "gemma3-4b", "gemma3-12b"])
@pytest.mark.parametrize("digest", ["", "0" * 64, "abc"], ids=["no sha256", "another sha256", "no sha256 in form"])
def test_c02_a_model_without_its_sha256_fails_the_build(target: str, digest: str) -> None:
    arguments = (f"--build-context=models={MODELS}", "--build-arg=MODEL_URL=tiny.gguf", "--build-arg=MMPROJ_URL=")
    fetching = f"{target}-model"  # the stage that the target takes its model from
    done = build("localaik-test:refused", fetching, *arguments, f"--build-arg=MODEL_SHA256={digest}", check=False)
    assert done.returncode != 0
    assert re.search(r"sha-?256", done.stdout, re.IGNORECASE)


def test_c03_no_base_image_is_named_outside_an_argument() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    stages = set(re.findall(r" AS (\S+)$", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages - {"scratch"}
    assert bases == {"${PYTHON_IMAGE}"}
    assert not re.search(r"^# *syntax *=", text, re.MULTILINE)


def test_c04_one_port_is_exposed(client: DockerClient, image: str) -> None:
    assert config_of(client, image)["ExposedPorts"] == {"8090/tcp": {}}


def test_c05_the_user_is_fixed_and_there_is_one_volume(client: DockerClient, image: str) -> None:
    config = config_of(client, image)
    assert str(config["User"]).split(":")[0] == "10001"
    assert config["Volumes"] == {"/data": {}}
    assert "LOCALAIK_DATA_DIR=/data" in config["Env"]  # type: ignore[operator]


def test_c06_an_init_runs_serve_without_a_shell(client: DockerClient, image: str) -> None:
    config = config_of(client, image)
    entry = config["Entrypoint"]
    assert isinstance(entry, list)
    assert entry[0].rpartition("/")[2] == "tini"
    assert entry[-2:] == ["localaik", "serve"]
    assert not config["Cmd"]


@pytest.mark.parametrize(
    ("target", "start_seconds"), [("tiny", 5), ("proxy", 5), ("gemma3-4b", 180), ("gemma3-12b", 180)]
)
def test_c07_the_image_has_a_check_of_its_own(
    client: DockerClient, image_of: ImageOf, target: str, start_seconds: int
) -> None:
    check = config_of(client, image_of(target))["Healthcheck"]
    assert isinstance(check, dict)
    assert check["Test"][0] == "CMD"
    assert "curl" not in check["Test"]
    seconds = [check[name] / 1e9 for name in ("Interval", "Timeout", "StartPeriod")]
    assert seconds == [5, 3, start_seconds]


def test_c07_curl_is_there_all_the_same(idle: Box) -> None:
    assert idle.execute("curl", "--version").startswith("curl ")


def test_c09_every_image_draws_the_standard_fonts_with_ink(idle: Box) -> None:
    pdf = make_pdf([PdfPage(["The quick brown fox 0123456789"], font=font, size=24) for font in FONTS])
    command = ("docker", "exec", "--interactive", idle.container.id or "", "pdftoppm")
    done = subprocess.run(
        [*command, "-r", str(DOTS_PER_INCH), "-gray", "-"], input=pdf, capture_output=True, check=True
    )
    pages = pages_of(done.stdout)
    assert len(pages) == len(FONTS)
    assert not done.stderr, done.stderr.decode()
    ink = {font: sum(page.histogram()[:DARK]) for font, page in zip(FONTS, pages, strict=True)}
    assert min(ink.values()) > 400, ink


def pages_of(stream: bytes) -> list[Image.Image]:
    """The pages of a stream of binary PGM images (netpbm's pgm(5)), one after the other."""
    pages = []
    while stream:
        header = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", stream)
        assert header
        size = header.end() + int(header[1]) * int(header[2])
        pages.append(Image.open(io.BytesIO(stream[:size])))
        stream = stream[size:]
    return pages


def test_the_proxy_has_neither_an_engine_nor_a_model(client: DockerClient, image_of: ImageOf) -> None:
    program = "import importlib.util as u; print(u.find_spec('xllamacpp'))"
    with run_box(client, image_of("proxy"), **IDLE) as box:
        assert box.execute("python", "-c", program).strip() == "None"
        assert box.execute("sh", "-c", FIND_WEIGHTS) == ""
    with run_box(client, image_of("tiny"), **IDLE) as box:
        assert "tiny.gguf" in box.execute("sh", "-c", FIND_WEIGHTS)


def test_nothing_of_a_build_or_of_the_tools_is_left_in_the_image(idle: Box) -> None:
    program = "ls -d /build /wheel /package /engine /embedded 2>/dev/null; command -v gcc strip git; true"
    assert idle.execute("sh", "-c", program) == ""


def test_the_licence_is_told(client: DockerClient, image: str) -> None:
    labels = config_of(client, image)["Labels"]
    assert isinstance(labels, dict)
    assert "MIT" in labels["org.opencontainers.image.licenses"]


@pytest.mark.parametrize("target", ["gemma3-4b", "gemma3-12b"])
def test_c01_gemmas_terms_are_told(client: DockerClient, image_of: ImageOf, target: str) -> None:
    labels = config_of(client, image_of(target))["Labels"]
    assert "gemma" in str(labels).lower()
    assert "terms" in str(labels).lower()
