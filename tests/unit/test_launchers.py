import importlib.util
import json
import os
import stat
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from localaik.assets import tiny_mmproj, tiny_model
from localaik.engine import hardware
from localaik.engine.launchers import create_launcher
from localaik.engine.launchers.base import EngineSpec, Launcher, StartError, child_environment
from localaik.engine.launchers.llama_cpp_python import LlamaCppPython
from localaik.engine.launchers.llama_server import LlamaServer
from localaik.engine.launchers.xllamacpp import Xllamacpp
from localaik.settings import Settings

SPEC = EngineSpec(
    model=Path("/models/my model.gguf"),
    alias="my model",
    mmproj=Path("/models/my projector.gguf"),
    ctx_size=1024,
    slots=3,
    threads=2,
    threads_batch=5,
    batch_size=256,
    ubatch_size=128,
    gpu_layers=7,
    flash_attn="on",
)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "some model.Q4.gguf"
    path.write_bytes(b"GGUF and more")
    return path


@pytest.fixture
def llama_server(tmp_path: Path) -> LlamaServer:
    binary = tmp_path / "llama-server"
    binary.write_text("#!/bin/sh\n", "utf-8")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return LlamaServer(str(binary))


@pytest.fixture
def _all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))


@pytest.fixture
def _no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def document(launcher: Launcher, spec: EngineSpec) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(launcher.command(spec).argv[-1])
    return loaded


def option(argv: list[str], name: str) -> str:
    assert argv.count(name) == 1
    return argv[argv.index(name) + 1]


class TestSpec:
    def test_the_embedded_model_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hardware, "usable_cores", lambda: 4)
        spec = EngineSpec.from_settings(Settings())
        assert spec.model == tiny_model()
        assert spec.mmproj == tiny_mmproj()
        assert spec.alias == "tiny"
        assert (spec.ctx_size, spec.slots, spec.ctx_total) == (8192, 4, 32768)
        assert (spec.threads, spec.threads_batch) == (3, 3)
        assert not spec.warmup

    def test_another_model(self, gguf: Path) -> None:
        spec = EngineSpec.from_settings(Settings(model=str(gguf)))
        assert spec.model == gguf
        assert spec.mmproj is None
        assert spec.alias == "some model.Q4"
        assert spec.slots == 1
        assert spec.warmup

    def test_settings_win(self, gguf: Path) -> None:
        settings = Settings(
            model=str(gguf),
            mmproj=str(gguf),
            model_id="public",
            ctx_size=512,
            parallel=8,
            threads=3,
            threads_batch=6,
            batch_size=64,
            ubatch_size=32,
            gpu_layers="99",
            flash_attn="off",
            cont_batching=False,
            mlock=True,
        )
        assert EngineSpec.from_settings(settings) == EngineSpec(
            model=gguf,
            mmproj=gguf,
            alias="public",
            ctx_size=512,
            slots=8,
            threads=3,
            threads_batch=6,
            batch_size=64,
            ubatch_size=32,
            gpu_layers=99,
            flash_attn="off",
            cont_batching=False,
            mlock=True,
        )

    def test_a_relative_path_becomes_absolute(self, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(gguf.parent)
        assert EngineSpec.from_settings(Settings(model=gguf.name)).model == gguf

    def test_a_missing_model_is_a_start_error(self, tmp_path: Path) -> None:
        missing = tmp_path / "none.gguf"
        with pytest.raises(StartError, match=r"none\.gguf does not exist.*LOCALAIK_MODEL"):
            EngineSpec.from_settings(Settings(model=str(missing)))

    def test_a_missing_projector_is_a_start_error(self, gguf: Path, tmp_path: Path) -> None:
        with pytest.raises(StartError, match=r"none\.gguf does not exist.*LOCALAIK_MMPROJ"):
            EngineSpec.from_settings(Settings(model=str(gguf), mmproj=str(tmp_path / "none.gguf")))

    def test_a_folder_is_a_start_error(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match="can't be read"):
            EngineSpec.from_settings(Settings(model=str(tmp_path)))

    def test_another_kind_of_file_is_a_start_error(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        path.write_bytes(b"\0" * 100)
        with pytest.raises(StartError, match="no GGUF file"):
            EngineSpec.from_settings(Settings(model=str(path)))

    def test_a_chat_template_is_a_file_of_its_own(self, tmp_path: Path) -> None:
        path = tmp_path / "my template.jinja"
        path.write_text("{{ messages }}", "utf-8")
        assert EngineSpec.from_settings(Settings()).chat_template is None
        assert EngineSpec.from_settings(Settings(chat_template=str(path))).chat_template == path

    @pytest.mark.parametrize(
        ("content", "said"),
        [(None, "does not exist"), (b"", "holds no text"), (b" \n", "holds no text"), (b"\xff\xfe", "holds no text")],
    )
    def test_an_unusable_chat_template_is_a_start_error(self, tmp_path: Path, content: bytes | None, said: str) -> None:
        path = tmp_path / "t.jinja"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(StartError, match=rf"t\.jinja {said}.*LOCALAIK_CHAT_TEMPLATE"):
            EngineSpec.from_settings(Settings(chat_template=str(path)))

    def test_a_folder_is_no_chat_template(self, tmp_path: Path) -> None:
        with pytest.raises(StartError, match=r"can't be read.*LOCALAIK_CHAT_TEMPLATE"):
            EngineSpec.from_settings(Settings(chat_template=str(tmp_path)))

    def test_an_incomplete_installation_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("localaik.assets.tiny_model", lambda: tmp_path / "tiny.gguf")
        with pytest.raises(StartError, match="install localaik again"):
            EngineSpec.from_settings(Settings())


class TestEnvironment:
    def test_what_steers_llama_cpp_is_taken_out(self) -> None:
        env = child_environment(
            {
                "PATH": "/bin",
                "CUDA_VISIBLE_DEVICES": "0",
                "LLAMA_ARG_PORT": "1",
                "LLAMA_API_KEY": "k",
                "LLAMA_MEDIA_MARKER": "m",
                "AIP_MODE": "PREDICTION",
                "AIP_HTTP_PORT": "1",
                "LOCALAIK_UPSTREAM_AUTH_HEADER": "X: secret",
                "LK_UPSTREAM_AUTH_HEADER": "X: secret",
                "WORKBENCH_API_KEY": "k",
                "GEMMAKIT_API_KEY": "k",
            }
        )
        assert env == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0", "OMP_WAIT_POLICY": "passive"}

    def test_a_wait_policy_of_the_person_stays(self) -> None:
        assert child_environment({"OMP_WAIT_POLICY": "active"}) == {"OMP_WAIT_POLICY": "active"}

    def test_ours_is_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOME_VARIABLE", "1")
        monkeypatch.setenv("AIP_MODE", "PREDICTION")
        env = child_environment()
        assert env["SOME_VARIABLE"] == "1"
        assert "AIP_MODE" not in env
        assert os.environ["AIP_MODE"] == "PREDICTION"


@pytest.mark.parametrize("name", ["xllamacpp", "llama-server", "llama-cpp-python"])
def test_the_setting_names_the_launcher(name: str) -> None:
    settings = Settings.model_validate({"engine": name})
    assert create_launcher(settings).name == name


@pytest.mark.usefixtures("_all_packages")
class TestXllamacpp:
    def test_command(self) -> None:
        command = Xllamacpp().command(SPEC)
        assert command.argv[0] == sys.executable
        assert Path(command.argv[2]).is_file()
        assert command.env["OMP_WAIT_POLICY"] == "passive"
        assert document(Xllamacpp(), SPEC) == {
            "parent": os.getpid(),
            "path": str(Path(__file__).parents[2]),
            "model": "/models/my model.gguf",
            "mmproj": "/models/my projector.gguf",
            "chat_template": None,
            "alias": "my model",
            "n_ctx": 3072,
            "n_parallel": 3,
            "n_threads": 2,
            "n_threads_batch": 5,
            "n_batch": 256,
            "n_ubatch": 128,
            "n_gpu_layers": 7,
            "flash_attn": "on",
            "cont_batching": True,
            "mlock": False,
            "embedding": False,
            "warmup": True,
        }

    def test_an_embedding_engine_takes_whole_inputs_at_once(self) -> None:
        told = document(Xllamacpp(), replace(SPEC, embeddings=True, mmproj=None))
        assert told["embedding"] is True
        assert told["mmproj"] is None
        assert told["n_batch"] == told["n_ubatch"] == told["n_ctx"] == 3072

    def test_a_chat_template(self) -> None:
        told = document(Xllamacpp(), replace(SPEC, chat_template=Path("/templates/my own.jinja")))
        assert told["chat_template"] == "/templates/my own.jinja"

    def test_the_address_is_read_from_our_own_line(self) -> None:
        pattern = Xllamacpp().command(SPEC).address
        match = pattern.fullmatch('{"listening": "http://127.0.0.1:41333", "pid": 12}')
        assert match is not None
        assert match[1] == "http://127.0.0.1:41333"
        assert pattern.fullmatch('{"listening": "http://10.0.0.1:41333", "pid": 12}') is None


@pytest.mark.usefixtures("_no_packages")
class TestMissingPackages:
    def test_xllamacpp(self) -> None:
        with pytest.raises(StartError, match="pip install xllamacpp"):
            Xllamacpp().command(SPEC)

    def test_llama_cpp_python(self) -> None:
        with pytest.raises(StartError, match=r"missing: llama_cpp, .*localaik\[llama-cpp-python\]"):
            LlamaCppPython().command(SPEC)


class TestLlamaServer:
    def test_command(self, llama_server: LlamaServer) -> None:
        argv = list(llama_server.command(SPEC).argv)
        assert option(argv, "--model") == "/models/my model.gguf"
        assert option(argv, "--mmproj") == "/models/my projector.gguf"
        assert option(argv, "--alias") == "my model"
        assert (option(argv, "--host"), option(argv, "--port")) == ("127.0.0.1", "0")
        assert (option(argv, "--ctx-size"), option(argv, "--parallel")) == ("3072", "3")
        assert (option(argv, "--threads"), option(argv, "--threads-batch")) == ("2", "5")
        assert (option(argv, "--batch-size"), option(argv, "--ubatch-size")) == ("256", "128")
        assert (option(argv, "--n-gpu-layers"), option(argv, "--flash-attn")) == ("7", "on")
        assert option(argv, "--cache-ram") == "0"
        assert {"--no-kv-unified", "--no-prefill-assistant", "--offline", "--no-ui", "--warmup"} <= set(argv)
        assert "--embeddings" not in argv
        assert "--load-mode" not in argv

    def test_options(self, llama_server: LlamaServer) -> None:
        spec = replace(SPEC, mmproj=None, embeddings=True, mlock=True, cont_batching=False, warmup=False)
        argv = list(llama_server.command(spec).argv)
        assert option(argv, "--load-mode") == "mmap+mlock"
        assert option(argv, "--ubatch-size") == "3072"
        assert {"--embeddings", "--no-cont-batching", "--no-warmup"} <= set(argv)
        assert "--mmproj" not in argv
        assert "--chat-template-file" not in argv

    def test_a_chat_template(self, llama_server: LlamaServer) -> None:
        argv = list(llama_server.command(replace(SPEC, chat_template=Path("/templates/my own.jinja"))).argv)
        assert option(argv, "--chat-template-file") == "/templates/my own.jinja"

    def test_it_is_started_through_the_guardian(self, llama_server: LlamaServer) -> None:
        argv = llama_server.command(SPEC).argv
        assert argv[0] == sys.executable
        assert Path(argv[3]).name == "guardian.py"
        assert Path(argv[3]).is_file()
        assert argv[4] == str(os.getpid())
        assert Path(argv[5]).name == "llama-server"

    @pytest.mark.parametrize(
        ("line", "address"),
        [
            ("listening on http://127.0.0.1:39377", "http://127.0.0.1:39377"),
            ("0.00.4 I srv  llama_server: listening on http://127.0.0.1:39377 ", "http://127.0.0.1:39377"),
            ("listening on http://10.1.1.1:39377", None),
            ("listening on http://127.0.0.1:39377/evil", None),
            ("listening on http://127.0.0.1:1@evil:2", None),
        ],
    )
    def test_the_address_is_read_from_the_log(self, llama_server: LlamaServer, line: str, address: str | None) -> None:
        match = llama_server.command(SPEC).address.fullmatch(line)
        assert (match and match[1]) == address

    def test_a_missing_binary_says_how_to_get_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StartError, match=r"not in PATH.*LOCALAIK_LLAMA_SERVER"):
            LlamaServer().command(SPEC)

    def test_a_path_that_is_no_program_is_named(self, gguf: Path) -> None:
        with pytest.raises(StartError, match=r"some model\.Q4\.gguf is no program"):
            LlamaServer(str(gguf)).command(SPEC)

    def test_the_binary_in_path_is_found(
        self, llama_server: LlamaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert LlamaServer().command(SPEC).argv[5] == llama_server.command(SPEC).argv[5]


@pytest.mark.usefixtures("_all_packages")
class TestLlamaCppPython:
    def test_command(self) -> None:
        argv = list(LlamaCppPython().command(SPEC).argv)
        assert argv[argv.index("-m") + 1] == "llama_cpp.server"
        assert option(argv, "--model") == "/models/my model.gguf"
        assert (option(argv, "--host"), option(argv, "--port")) == ("127.0.0.1", "0")
        assert option(argv, "--n_ctx") == "1024"
        assert option(argv, "--interrupt_requests") == "false"
        assert option(argv, "--flash_attn") == "true"

    def test_a_chat_template_is_refused_since_it_would_be_without_effect(self) -> None:
        with pytest.raises(StartError, match="LOCALAIK_CHAT_TEMPLATE"):
            LlamaCppPython().command(replace(SPEC, chat_template=Path("/t.jinja")))

    def test_its_settings_do_not_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HOST", "PORT", "API_KEY", "CONFIG_FILE", "SEED", "MODEL", "verbose"):
            monkeypatch.setenv(name, "1")
        monkeypatch.setenv("LD_LIBRARY_PATH", "/lib")
        env = LlamaCppPython().command(SPEC).env
        assert env["PATH"] == os.environ["PATH"]
        assert env["LD_LIBRARY_PATH"] == "/lib"
        assert env["OMP_WAIT_POLICY"] == "passive"
        assert not {"HOST", "PORT", "API_KEY", "CONFIG_FILE", "SEED", "MODEL", "verbose"} & set(env)

    def test_its_limits_are_declared(self) -> None:
        declared = LlamaCppPython().declared(SPEC)
        assert (declared.kind, declared.model_id) == ("llama_cpp_python", "my model")
        assert (declared.context_tokens, declared.slots) == (1024, 1)
        assert not declared.vision
        assert not declared.usage_in_stream
        assert not declared.count_tokens
