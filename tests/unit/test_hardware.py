import os
from pathlib import Path

import pytest

from localaik.engine import hardware
from localaik.engine.hardware import AUTO_GPU_LAYERS, engine_threads, gpu_layers, summary, usable_cores
from localaik.settings import Settings


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def cores(*pairs: tuple[int, int]) -> dict[str, str]:
    files = {}
    for cpu, (package, core) in enumerate(pairs):
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files[f"{topology}/physical_package_id"] = f"{package}\n"
        files[f"{topology}/core_id"] = f"{core}\n"
    return files


@pytest.fixture
def _eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_allowed_cpus", lambda: set(range(8)))


@pytest.mark.usefixtures("_eight_cpus")
class TestCores:
    def test_hyperthreads_share_a_core(self, tmp_path: Path) -> None:
        write(tmp_path, cores((0, 0), (0, 1), (0, 2), (0, 3), (0, 0), (0, 1), (0, 2), (0, 3)))
        assert usable_cores(tmp_path) == 4

    def test_equal_core_numbers_in_two_packages_are_two_cores(self, tmp_path: Path) -> None:
        write(tmp_path, cores((0, 0), (0, 1), (1, 0), (1, 1), (0, 0), (0, 1), (1, 0), (1, 1)))
        assert usable_cores(tmp_path) == 4

    def test_without_topology_every_cpu_is_a_core(self, tmp_path: Path) -> None:
        assert usable_cores(tmp_path) == 8

    def test_affinity_leaves_out_cores(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(tmp_path, cores(*[(0, core) for core in range(8)]))
        monkeypatch.setattr(hardware, "_allowed_cpus", lambda: {2, 5, 6})
        assert usable_cores(tmp_path) == 3

    @pytest.mark.parametrize(
        ("cpu_max", "expected"),
        [("max 100000", 8), ("300000 100000", 3), ("250000 100000", 2), ("50000 100000", 1), ("", 8), ("x y z", 8)],
    )
    def test_quota_of_cgroup_v2(self, tmp_path: Path, cpu_max: str, expected: int) -> None:
        # In a container the group's own directory is the root of the mount.
        write(tmp_path, {"proc/self/cgroup": "0::/docker/abc\n", "sys/fs/cgroup/cpu.max": cpu_max})
        assert usable_cores(tmp_path) == expected

    def test_tightest_level_of_cgroup_v2_counts(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            {
                "proc/self/cgroup": "0::/a.slice/b.service\n",
                "sys/fs/cgroup/a.slice/cpu.max": "200000 100000",
                "sys/fs/cgroup/a.slice/b.service/cpu.max": "600000 100000",
            },
        )
        assert usable_cores(tmp_path) == 2

    @pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("400000", 4)])
    def test_quota_of_cgroup_v1(self, tmp_path: Path, quota: str, expected: int) -> None:
        write(
            tmp_path,
            {
                "proc/self/cgroup": "5:memory:/x\n3:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": quota,
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
        )
        assert usable_cores(tmp_path) == expected


def test_threads_leave_one_core_free_and_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "usable_cores", lambda: 6)
    assert engine_threads(Settings()) == 5
    monkeypatch.setattr(hardware, "usable_cores", lambda: 1)
    assert engine_threads(Settings()) == 1


def test_the_setting_for_threads_wins() -> None:
    assert engine_threads(Settings(threads=7)) == 7


@pytest.mark.parametrize(
    ("text", "expected"), [("auto", AUTO_GPU_LAYERS), ("-1", AUTO_GPU_LAYERS), ("0", 0), ("99", 99)]
)
def test_gpu_layers(text: str, expected: int) -> None:
    assert gpu_layers(Settings(gpu_layers=text)) == expected


def test_summary_describes_this_machine() -> None:
    facts = summary()
    assert facts["cores_logical"] == os.cpu_count()
    assert 1 <= int(str(facts["cores_usable"])) <= (os.cpu_count() or 1)
    assert facts["cpu"]
    assert set(facts) == {"cpu", "machine", "cores_logical", "cores_usable", "memory_bytes", "cpu_flags", "libraries"}


def test_summary_reads_flags_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 fma f16c\n",
            "proc/meminfo": "MemTotal:        2048 kB\nMemFree: 1 kB\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "1048576\n",
        },
    )
    monkeypatch.setattr(hardware, "_ROOT", tmp_path)
    monkeypatch.setattr(hardware.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(hardware, "_can_load", lambda name: name == "libstdc++.so.6")
    monkeypatch.setattr(hardware.sys, "platform", "linux")
    facts = summary()
    assert facts["cpu"] == "Some CPU @ 2 GHz"
    assert facts["cpu_flags"] == {"avx2": True, "fma": True, "f16c": True, "bmi2": False}
    assert facts["memory_bytes"] == 1_048_576
    assert facts["libraries"] == {"libgomp.so.1": False, "libstdc++.so.6": True}
