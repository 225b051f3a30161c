"""Sorts what an image installs, as pyproject.toml names it, into one file for each step of the build.

`python requirements.py pyproject.toml FOLDER` writes `build.txt` (what makes the wheel), `engine.txt` (what runs
models) and `server.txt` (the rest of what localaik needs) into FOLDER. The versions are up to constraints.txt.
"""

import sys
import tomllib
from pathlib import Path
from typing import Final

__all__ = ["main"]

_ENGINE: Final = "xllamacpp"


def main(project: str, folder: str) -> int:
    """Write the three files; the exit status, 1 where the engine is no dependency any more."""
    document = tomllib.loads(Path(project).read_text("utf-8"))
    dependencies = document["project"]["dependencies"]
    engine = [dependency for dependency in dependencies if dependency.startswith(_ENGINE)]
    if not engine:
        print(f"{project} names no dependency {_ENGINE}.", file=sys.stderr)
        return 1
    files = {
        "build.txt": document["build-system"]["requires"],
        "engine.txt": engine,
        "server.txt": [dependency for dependency in dependencies if dependency not in engine],
    }
    for name, requirements in files.items():
        Path(folder, name).write_text("".join(f"{requirement}\n" for requirement in requirements), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
