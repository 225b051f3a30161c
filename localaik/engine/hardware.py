"""What this machine offers an engine: cores, memory, CPU features, shared libraries.

A container sees the cores of its host, so the cgroup quota and the affinity mask count too. Facts about thread counts:
with as many spinning threads as cores, llama.cpp's workers starve each other, hence one core less.
"""

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from localaik.settings import Settings

__all__ = ["AUTO_GPU_LAYERS", "WANTED_CPU_FLAGS", "engine_threads", "gpu_layers", "summary", "usable_cores"]

AUTO_GPU_LAYERS: Final = -1
"""llama.cpp's word for "as many layers as the GPUs that this build can use have room for" (`common/common.h`)."""

WANTED_CPU_FLAGS: Final = ("avx2", "fma", "f16c", "bmi2")
"""What xllamacpp's x86-64 wheel is compiled for, as Linux names it; a CPU without them ends the engine (SIGILL)."""

_ROOT: Final = Path("/")
_X86: Final = frozenset({"x86_64", "amd64"})
_LINUX_LIBRARIES: Final = ("libgomp.so.1", "libstdc++.so.6")


def engine_threads(settings: Settings) -> int:
    """Threads for token generation: the setting, else the usable physical cores less one, at least 1."""
    return settings.threads or max(1, usable_cores() - 1)


def gpu_layers(settings: Settings) -> int:
    """Model layers to put on a GPU; `AUTO_GPU_LAYERS` for `auto`."""
    return AUTO_GPU_LAYERS if settings.gpu_layers == "auto" else int(settings.gpu_layers)


def summary() -> dict[str, object]:
    """Facts for a diagnosis.

    Keys: `cpu` (model name), `machine`, `cores_logical`, `cores_usable` (physical, within affinity and quota),
    `memory_bytes` (None where unknown), `cpu_flags` (wanted flag -> present; empty where they don't apply or can't be
    read), `libraries` (shared library that the engine needs -> can be loaded; empty outside Linux).
    """
    flags = _cpu_flags(_ROOT)
    wanted = WANTED_CPU_FLAGS if flags and platform.machine().lower() in _X86 else ()
    libraries = _LINUX_LIBRARIES if sys.platform == "linux" else ()
    return {
        "cpu": _cpu_model(_ROOT),
        "machine": platform.machine(),
        "cores_logical": os.cpu_count() or 1,
        "cores_usable": usable_cores(),
        "memory_bytes": _memory_bytes(_ROOT),
        "cpu_flags": {flag: flag in flags for flag in wanted},
        "libraries": {name: _can_load(name) for name in libraries},
    }


def usable_cores(root: Path = _ROOT) -> int:
    """Physical cores that this process may use: those of its affinity mask, cut to the cgroup's quota; at least 1.

    Outside Linux, where neither exists, the logical cores. `root` is the file system's root.
    """
    logical = _allowed_cpus()
    cores = {_core_of(root, cpu) for cpu in logical}
    quota = _cgroup_quota(root)
    count = len(cores) if quota is None else min(len(cores), int(quota))
    return max(1, count)


def _allowed_cpus() -> set[int]:
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _core_of(root: Path, cpu: int) -> tuple[str, str]:
    """Package and core of a logical CPU; a core of its own where the kernel does not tell."""
    topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    core = _read(topology / "core_id")
    return (_read(topology / "physical_package_id") or "", core) if core is not None else ("cpu", str(cpu))


def _cgroup_quota(root: Path) -> float | None:
    """CPUs' worth of time that the tightest enclosing cgroup grants, or None where there is no limit.

    Version 2 writes `<quota|max> <period>` to `cpu.max`, version 1 has two files, quota -1 for none (kernel's
    admin-guide/cgroup-v2, scheduler/sched-bwc). In a container the own group usually is the root of the mount, whatever
    `/proc/self/cgroup` calls it, so every level up to the mount is asked.
    """
    quotas = [
        quota
        for directory in _cgroup_directories(root)
        for quota in (_quota_v2(directory), _quota_v1(directory))
        if quota is not None
    ]
    return min(quotas, default=None)


def _cgroup_directories(root: Path) -> Iterator[Path]:
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            mount = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            mount = root / "sys/fs/cgroup/cpu"
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        yield from (mount / level for level in (group, *group.parents) if ".." not in level.parts)


def _quota_v2(directory: Path) -> float | None:
    quota, _, period = (_read(directory / "cpu.max") or "").partition(" ")
    return _ratio(quota, period)


def _quota_v1(directory: Path) -> float | None:
    return _ratio(_read(directory / "cpu.cfs_quota_us") or "", _read(directory / "cpu.cfs_period_us") or "")


def _ratio(quota: str, period: str) -> float | None:
    if quota.isdigit() and period.isdigit() and int(quota) > 0 and int(period) > 0:
        return int(quota) / int(period)
    return None


def _cpu_model(root: Path) -> str:
    return _cpuinfo(root, "model name") or platform.processor() or platform.machine()


def _cpu_flags(root: Path) -> frozenset[str]:
    return frozenset(_cpuinfo(root, "flags").split())


def _cpuinfo(root: Path, name: str) -> str:
    """The first value under `name` in `/proc/cpuinfo`, or an empty string."""
    for line in (_read(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _memory_bytes(root: Path) -> int | None:
    """Installed memory, or the cgroup's limit where that is lower."""
    sizes = [int(line.split()[1]) * 1024 for line in (_read(root / "proc/meminfo") or "").splitlines()[:1]]
    for directory in _cgroup_directories(root):
        limit = _read(directory / "memory.max") or ""
        if limit.isdigit():
            sizes.append(int(limit))
    return min(sizes, default=None)


def _can_load(library: str) -> bool:
    import ctypes  # noqa: PLC0415 - for a diagnosis only; this module is imported at every start

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return None
