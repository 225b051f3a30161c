"""The laws of the house, held against the code: who imports whom, what loads when, how long a file may be."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "localaik"
SOURCES = sorted(PACKAGE.rglob("*.py"))
ALL_SOURCES = sorted(
    path for folder in ("localaik", "tests", "tools", "bench") for path in (ROOT / folder).rglob("*.py")
)
MOST_LINES = 500
NAMELESS = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
HEAVY = {
    "PIL",
    "pdf2image",
    "sqlalchemy",
    "aiosqlite",
    "jsonschema",
    "typer",
    "rich",
    "xllamacpp",
    "llama_cpp",
    "numpy",
    "docker",
    "opentelemetry",
    "localaik.server.pages.document",
    "localaik.protocols.description",
}
DISTRIBUTIONS = {"PIL": "pillow", "llama_cpp": "llama-cpp-python", "pydantic_core": "pydantic"}
DISTRIBUTIONS["opentelemetry"] = "opentelemetry-sdk"


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, anywhere in it."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            yield from (str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant))


def third_party(path: Path) -> set[str]:
    tops = {name.partition(".")[0] for name in imported(path)}
    return tops - sys.stdlib_module_names - {"localaik"}


def loaded_by(statement: str) -> set[str]:
    """Modules that a fresh interpreter holds after `statement`."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_imports_go_down_the_house() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_protocols_name_no_other_protocol() -> None:
    protocols = sorted(path.parent.name for path in (PACKAGE / "protocols").glob("*/__init__.py"))
    assert {"gemini", "openai"} <= set(protocols)
    for protocol in protocols:
        others = {f"localaik.protocols.{other}" for other in protocols if other != protocol}
        for path in (PACKAGE / "protocols" / protocol).rglob("*.py"):
            strangers = {name for name in imported(path) if any(name == o or name.startswith(o + ".") for o in others)}
            assert not strangers, path


@pytest.mark.parametrize(
    ("modules", "home"),
    [
        ({"PIL", "pdf2image"}, "media"),
        ({"xllamacpp", "llama_cpp"}, "engine"),
        ({"typer", "rich"}, "cli"),
        ({"httptools"}, "engine"),
        ({"docker"}, "container"),
        ({"opentelemetry"}, "server"),
        ({"sqlalchemy", "aiosqlite"}, "state"),
    ],
)
def test_only_one_room_knows(modules: set[str], home: str) -> None:
    knowing = {path.relative_to(PACKAGE).parts[0] for path in SOURCES if modules & third_party(path)}
    assert knowing <= {home}


def test_the_middle_and_the_translators_do_no_http() -> None:
    pure = [*(PACKAGE / "generation").glob("*.py")]
    pure += [path for path in (PACKAGE / "protocols").rglob("*.py") if re.search(r"(decode|encode)\.py$", path.name)]
    assert len(pure) > 8
    for path in pure:
        assert not third_party(path) & {"aiohttp", "httptools", "yarl"}, path


@pytest.mark.parametrize(
    "statement", ["import localaik.server", "import localaik.server.assembly, localaik.server.main"]
)
def test_the_server_loads_nothing_heavy_before_it_is_needed(statement: str) -> None:
    assert not loaded_by(statement) & HEAVY


def test_the_engine_is_started_before_the_protocols_are_loaded() -> None:
    loaded = loaded_by("import localaik.cli.main, localaik.server.main")
    assert not {name for name in loaded if name.startswith(("localaik.protocols", "localaik.media"))}


def test_the_child_that_runs_the_engine_loads_nothing_of_ours_but_the_guardian() -> None:
    loaded = loaded_by("import localaik.engine.guardian")
    assert not loaded & {"pydantic", "aiohttp", "msgspec", "asyncio"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = [line for name in extras.keys() - {"dev"} for line in extras[name]]
    declared = {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in project["dependencies"]}
    allowed = declared | {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in optional}
    used = {DISTRIBUTIONS.get(name, name) for path in SOURCES for name in third_party(path)}
    assert used <= allowed
    assert declared <= used


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    for line in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        assert re.split(r"[^A-Za-z0-9_-]", line)[0].lower() in pinned, line


@pytest.mark.parametrize("path", ALL_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short_and_well_named(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES
    assert path.name not in NAMELESS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_modules_say_what_they_offer(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    defines = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert not defines or "__all__" in names
