"""``lagbias doctor``: every finding, from planted facts."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lagbias.cli import configfile, main
from lagbias.cli.doctor import (
    cluster,
    control_group,
    data,
    disk,
    gpu,
    memory,
    packages,
    processor,
)
from lagbias.cli.doctor.finding import Finding, Mark

GB = 10**9


def only(findings):
    (finding,) = findings
    return finding


def about(findings, topic):
    return only(finding for finding in findings if finding.topic == topic)


def test_a_finding_is_a_line_of_mark_fact_cost_and_remedy():
    finding = Finding(Mark.NOTE, "cores", "two", "slow", "Buy more.")
    assert str(finding) == "note     cores: two: slow. Buy more."
    assert str(Finding(Mark.OK, "cores", "two")) == "ok       cores: two"


# ---- packages

INSTALLED = packages.Packages(
    python="3.12.1",
    lagbias="1.0",
    requires_python=">=3.11",
    requirements=("numpy>=2.1", "torch<3,>=2.6", 'snakemake>=9; extra == "workflow"'),
    installed={"numpy": "2.4.0", "torch": "2.13.0+cpu", "snakemake": "9.27"},
)


def test_packages_as_required_are_listed():
    findings = list(packages.judge(INSTALLED))
    assert {finding.mark for finding in findings} == {Mark.OK}
    assert about(findings, "packages").what == "as required: numpy 2.4.0, torch 2.13.0+cpu"
    assert about(findings, "Snakemake").what == "snakemake 9.27"


@pytest.mark.parametrize(
    ("changed", "topic", "mark", "words"),
    [
        ({"numpy": "1.26.0"}, "numpy", "problem", "1.26.0 installed, >=2.1 needed"),
        ({"numpy": None}, "numpy", "problem", "not installed"),
        ({"snakemake": None}, "Snakemake", "note", "the workflow does not run"),
        ({"snakemake": "8.0"}, "snakemake", "problem", "8.0 installed, >=9 needed"),
    ],
)
def test_packages_that_do_not_fit_are_reported(changed, topic, mark, words):
    installed = {n: v for n, v in {**INSTALLED.installed, **changed}.items() if v}
    finding = about(packages.judge(replace(INSTALLED, installed=installed)), topic)
    assert (finding.mark, words in str(finding), "pip install" in finding.remedy) == (
        mark,
        True,
        True,
    )


def test_an_old_python_and_a_source_tree_are_reported():
    old = about(packages.judge(replace(INSTALLED, python="3.10.2")), "Python")
    assert old.mark == "problem" and ">=3.11" in old.what
    tree = only(packages.judge(packages.Packages("3.12", "", "", (), {})))
    assert tree.mark == "note" and "make setup" in tree.remedy


def test_installed_packages_are_found():
    found = packages.measure()
    assert found.installed["numpy"] == sys.modules["numpy"].__version__
    assert "pytest" in found.installed  # extras too


# ---- processor

PROCESSOR = processor.Processor(16, 8, None, {}, "AVX-512", 64)


def test_cores_that_a_control_group_does_not_grant_are_noted():
    assert about(processor.judge(PROCESSOR), "cores").mark == "ok"
    limited = about(processor.judge(replace(PROCESSOR, quota=2.5)), "cores")
    assert limited.mark == "note"
    assert "the time of 2.5" in limited.what and "starts 8 jobs" in limited.cost
    assert "CORES=2" in limited.remedy


@pytest.mark.parametrize(
    ("name", "value", "mark"),
    [
        ("NUMBA_NUM_THREADS", "1", "note"),
        ("OMP_NUM_THREADS", "1", "ok"),
        ("MKL_NUM_THREADS", "1", "ok"),
        ("OPENBLAS_NUM_THREADS", "1", "ok"),
        ("NUMBA_DISABLE_JIT", "1", "problem"),
    ],
)
def test_variables_that_limit_threads_are_judged(name, value, mark):
    findings = list(processor.judge(replace(PROCESSOR, environment={name: value})))
    finding = only(f for f in findings if name in str(f))
    assert finding.mark == mark
    assert bool(finding.remedy) == (mark != "ok")


@pytest.mark.parametrize("value", ["8", "0x2"])
def test_enough_or_odd_numba_threads_are_no_finding(value):
    facts = replace(PROCESSOR, environment={"NUMBA_NUM_THREADS": value})
    assert "NUMBA_NUM_THREADS" not in "".join(map(str, processor.judge(facts)))


@pytest.mark.parametrize(
    ("name", "mark", "words"),
    [
        ("AVX-512", "ok", "6 × 64"),
        ("AVX2", "note", "1.8 and evaluations 1.9 times as long as with AVX-512"),
        ("NEON", "note", "never been timed"),
        ("SSE", "note", "never been timed"),
    ],
)
def test_instructions_and_what_they_cost(name, mark, words):
    finding = about(processor.judge(replace(PROCESSOR, instructions=name)), "instructions")
    assert finding.mark == mark and words in str(finding)


def test_instructions_that_were_chosen_by_hand_name_their_variables():
    facts = replace(PROCESSOR, instructions="AVX2", environment={"NUMBA_CPU_NAME": "haswell"})
    finding = about(processor.judge(facts), "instructions")
    assert finding.remedy == "Unset NUMBA_CPU_NAME."


def test_a_numba_that_does_not_work_is_a_problem():
    facts = processor.Processor(2, 2, None, {}, error="llvmlite is missing")
    finding = about(processor.judge(facts), "Numba")
    assert finding.mark == "problem" and "llvmlite is missing" in finding.what


def test_costs_are_those_of_the_page_on_performance(repository):
    page = (repository / "docs" / "performance.md").read_text("utf-8")
    time = r" \| lagbias \| ([\d.]+) (m?s)"
    wanted = {
        r"batches of 60 cells with \d+ particles \(default run\)": processor.AVX2_TRAINING,
        r"f of 5 networks for \d+ particles": processor.AVX2_EVALUATION,
    }
    for row, slower in wanted.items():
        wide, narrow = (
            float(value) / {"s": 1, "ms": 1000}[unit]
            for value, unit in re.findall(row + time, page)
        )
        assert narrow / wide == pytest.approx(slower, rel=0.15)


def test_the_processor_is_measured(monkeypatch):
    from lagbias.training.cpu_kernels.registers import REGISTERS

    found = processor.measure({"OMP_NUM_THREADS": "3", "PATH": "/bin"})
    assert found.environment == {"OMP_NUM_THREADS": "3"}
    assert (found.instructions, found.columns) == (REGISTERS.name, REGISTERS.columns)
    assert 1 <= found.usable <= found.cores
    monkeypatch.setitem(sys.modules, "lagbias.training.cpu_kernels.registers", None)
    assert "lagbias.training.cpu_kernels.registers" in processor.measure({}).error


# ---- control groups


@pytest.fixture
def groups(tmp_path):
    """Write files of control groups; return the directories of the process and of the groups."""

    def write(process, files):
        (tmp_path / "cgroup").write_text(process)
        for name, text in files.items():
            path = tmp_path / "mounted" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path, tmp_path / "mounted"

    return write


def test_limits_of_version_2_are_the_least_of_all_groups_around(groups):
    files = {
        "cpu.max": "800000 100000\n",
        "batch/cpu.max": "250000 100000\n",
        "batch/job/cpu.max": "max 100000\n",
        "batch/memory.max": "4000000000\n",
        "batch/job/memory.max": "max\n",
    }
    where = groups("0::/batch/job\n", files)
    assert control_group.cores(*where) == 2.5
    assert control_group.memory(*where) == 4e9


def test_limits_of_version_1_are_those_of_the_controllers(groups):
    files = {
        "cpu/job/cpu.cfs_quota_us": "150000\n",
        "cpu/job/cpu.cfs_period_us": "100000\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "memory/job/memory.limit_in_bytes": "2000000000\n",
    }
    where = groups("4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n", files)
    assert control_group.cores(*where) == 1.5
    assert control_group.memory(*where) == 2e9


def test_there_may_be_no_limits_and_no_control_groups(groups, tmp_path):
    where = groups("1:cpu:/\n0::/\n", {"cpu/cpu.cfs_quota_us": "-1\n"})
    assert control_group.cores(*where) is control_group.memory(*where) is None
    assert control_group.cores(tmp_path / "none", tmp_path) is None


# ---- GPU

DEVICES = (("H200", 100 * GB, 140 * GB),)


@pytest.mark.parametrize(
    ("facts", "device", "mark", "words"),
    [
        (gpu.Gpu(driver=False), "auto", "ok", "on the CPU"),
        (gpu.Gpu(driver=False), "cpu", "ok", "not used"),
        (gpu.Gpu(driver=False), "cuda", "problem", "Run on a node with a GPU"),
        (gpu.Gpu(True, "2.13+cpu"), "auto", "note", "2.13+cpu is a build without CUDA"),
        (gpu.Gpu(True, "2.13+cpu"), "cuda", "problem", "PIP_ARGS"),
        (gpu.Gpu(True, "2.13", "13.0"), "auto", "note", "(CUDA 13.0) finds no device"),
        (gpu.Gpu(True, error="no libcudart"), "auto", "note", "PyTorch fails (no libcudart)"),
        (gpu.Gpu(True, "2.13", "13.0", DEVICES), "cuda", "ok", "H200, 100.0 GB of 140.0 GB free"),
    ],
)
def test_a_gpu_is_used_or_the_reason_is_given(facts, device, mark, words):
    finding = only(gpu.judge(facts, device=device))
    assert finding.mark == mark and words in str(finding)


def test_pytorch_is_asked_only_where_there_is_a_driver(monkeypatch):
    monkeypatch.setattr(gpu.gpu_presence, "has_driver", lambda: False)
    assert gpu.measure() == gpu.Gpu(driver=False)
    monkeypatch.setattr(gpu.gpu_presence, "has_driver", lambda: True)
    found = gpu.measure()
    assert found.driver and found.build and not found.error
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch" in gpu.measure().error


# ---- memory


@pytest.mark.parametrize(
    ("available", "limit", "mark", "words"),
    [
        (64 * GB, None, "ok", "64.0 GB available"),
        (8 * GB, None, "note", "4 run at once"),
        (
            8 * GB,
            None,
            "note",
            "Use --cores 1, or --workflow-profile profiles/local with mem_mb: 8000",
        ),
        (4 * GB, None, "problem", "needs 6.5 GB"),
        (64 * GB, 4e9, "problem", "limit of the control group; the machine has 64.0 GB"),
    ],
)
def test_memory_is_compared_with_the_largest_jobs(available, limit, mark, words):
    facts = memory.Memory(available, limit)
    finding = only(memory.judge(facts, memory.DEFAULT_RUN, cores=4))
    assert finding.mark == mark and words in str(finding)


def test_the_largest_jobs_follow_from_the_configuration(repository, monkeypatch):
    monkeypatch.chdir(repository)
    tiny, abacus = (configfile.load(Path("config", f"{name}.yaml")) for name in ("tiny", "abacus"))
    assert memory.largest_job(tiny).bytes == pytest.approx(400e6 + 96 * 80**3)
    assert memory.largest_job(tiny).count == 3
    assert memory.largest_job(abacus).bytes == 8.3e9
    large = abacus.abacus.model_copy(update={"small": False})
    assert memory.largest_job(abacus.model_copy(update={"abacus": large})) is None
    assert only(memory.judge(memory.Memory(GB, None), None, cores=2)).mark == "ok"


def test_needs_are_those_of_the_workflow_and_the_documentation(repository):
    rule = (repository / "workflow" / "rules" / "embedded.smk").read_text()
    fixed, each = memory.SIMULATION
    assert f"megabytes={fixed / 1e6:.0f} + {each:.0f}e-6 * SIMULATED_PARTICLES" in rule
    rule = (repository / "workflow" / "rules" / "read_source.smk").read_text()
    fixed, particle, node = memory.READING
    reading = f"{fixed / 1e6:.0f} + {particle:.0f}e-6 * SIMULATED_PARTICLES + {node:.0f}e-6 * NODES"
    assert f"megabytes={reading}" in rule
    abacus = (repository / "config" / "abacus.yaml").read_text()
    assert f"at most {memory.ABACUS / 1e9:.0f} GB per job" in abacus
    default = configfile.load(repository / "config" / "config.yaml")
    assert memory.largest_job(default).bytes == memory.DEFAULT_RUN.bytes
    assert memory.largest_job(default).count == memory.DEFAULT_RUN.count
    assert disk.need_of(default) == disk.DEFAULT_RUN
    assert f"{disk.DEFAULT_RUN.bytes / 1e9:.0f} GB of disk" in (repository / "README.md").read_text(
        "utf-8"
    )


def test_memory_is_measured(tmp_path):
    information = tmp_path / "meminfo"
    information.write_text("MemTotal: 8 kB\nMemAvailable:    2000 kB\n")
    assert memory.measure(information).available == 2_048_000
    assert memory.measure(tmp_path / "none").available > GB / 10


# ---- disk

DISK = disk.Disk("/data", 50 * GB, "ext4", rate=1e9)


@pytest.mark.parametrize(
    ("facts", "present", "mark", "words"),
    [
        (DISK, 0, "ok", "50.0 GB free, ext4, writes 1000 MB/s; run embedded writes some 4.8 GB"),
        (replace(DISK, rate=20e6), 0, "note", "takes 4 minutes"),
        (replace(DISK, free=3 * GB), 0, "problem", "Free 1.8 GB"),
        (replace(DISK, free=3 * GB), 2 * GB, "ok", "of which 2.0 GB are there"),
        (replace(DISK, error="read only"), 0, "problem", "/data cannot be written to (read only)"),
    ],
)
def test_a_disk_is_compared_with_what_a_run_writes(facts, present, mark, words):
    finding = only(disk.judge(facts, disk.DEFAULT_RUN, present=present))
    assert finding.mark == mark and words in str(finding)


@pytest.mark.parametrize(
    ("error", "plans", "mark", "words"),
    [
        ("", 3, "ok", "3 in /cache"),
        ("", 0, "ok", "none yet"),
        ("read only", 3, "note", "Set LAGBIAS_CACHE_DIR"),
    ],
)
def test_the_cache_of_plans_is_judged(error, plans, mark, words):
    finding = only(disk.judge_cache(replace(DISK, error=error), Path("/cache"), plans))
    assert finding.mark == mark and words in str(finding)


def test_what_a_run_writes_grows_with_boxes_nodes_and_particles(repository, monkeypatch):
    monkeypatch.chdir(repository)
    tiny, abacus = (
        disk.need_of(configfile.load(Path("config", f"{name}.yaml"))) for name in ("tiny", "abacus")
    )
    assert tiny.run == "tiny"
    assert tiny.bytes == pytest.approx(3 * 80**3 * (4 + 0.5 * 88))
    assert abacus.bytes == pytest.approx(90.6e9)


def test_disks_are_measured(tmp_path, monkeypatch):
    found = disk.measure(tmp_path / "not" / "there")
    assert found.directory == str(tmp_path)
    assert found.rate > 0 and not found.error
    assert found.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert not list(tmp_path.iterdir())

    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk.tempfile, "TemporaryFile", refuse)
    assert disk.measure(tmp_path).error == "Permission denied"


def test_plans_in_the_cache_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path))
    assert disk.cache_directory() == tmp_path
    (tmp_path / "fftw_a_n8_threads1.wisdom").write_text("plan")
    (tmp_path / "fftw_a_n9_threads1.wisdom").write_text("")
    assert disk.count_plans(tmp_path) == 1
    monkeypatch.setitem(sys.modules, "lagbias.grids.fourier", None)
    assert disk.cache_directory() is None


# ---- cluster and data


@pytest.mark.parametrize(
    ("facts", "mark", "words"),
    [
        (cluster.Cluster(sbatch=False, plugin=True), "ok", "no sbatch here"),
        (cluster.Cluster(sbatch=True, plugin=True), "ok", "profiles/slurm"),
        (cluster.Cluster(sbatch=True, plugin=False), "note", "pip install"),
    ],
)
def test_a_batch_system_is_found_or_not(facts, mark, words):
    finding = only(cluster.judge(facts))
    assert finding.mark == mark and words in str(finding)


def test_a_batch_system_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.measure() == cluster.Cluster(sbatch=False, plugin=True)


@pytest.mark.parametrize(
    ("link", "missing", "marks"),
    [
        (False, [], ["ok"]),
        (False, ["/data"], ["note"]),
        (True, ["/data"], ["ok", "ok"]),
        (True, ["/copy"], ["ok", "problem"]),
    ],
)
def test_directories_of_abacussummit_are_judged(link, missing, marks):
    directories = {"abacus.directory": "/data"} | ({"abacus.link_from": "/copy"} if link else {})
    facts = data.Data("abacus", directories, (), tuple(missing))
    assert [finding.mark for finding in data.judge(facts)] == marks


def test_files_of_a_user_are_judged():
    assert only(data.judge(data.Data("embedded"))).mark == "ok"
    files = ("a.h5", "b.h5")
    assert only(data.judge(data.Data("files", files=files))).mark == "ok"
    missing = only(data.judge(data.Data("files", files=files, missing=("b.h5",))))
    assert missing.mark == "problem" and "1 of 2 files do not exist, first b.h5" in missing.what


@pytest.fixture
def configured(repository, tmp_path, monkeypatch):
    """Return a function that lays settings over a configuration, in another directory."""
    monkeypatch.chdir(tmp_path)

    def load(name, settings):
        below = yaml.safe_load((repository / "config" / name).read_text("utf-8"))
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(configfile.merge(below, settings)))
        return configfile.load(path)

    return load


def test_directories_of_abacussummit_are_looked_for(configured, tmp_path):
    found = data.measure(configured("abacus.yaml", {"abacus": {"link_from": str(tmp_path)}}))
    assert found.directories["abacus.link_from"] == str(tmp_path)
    assert found.missing == ("data/AbacusSummit",)


def test_files_of_a_user_are_looked_for(configured, tmp_path):
    boxes = {name: {"linear_density": f"{name}.npy", "positions": "p.npy"} for name in "ab"}
    files = {
        "box_size": 250.0,
        "particles_per_side": 400,
        "density_grid": 400,
        "redshift": 0.5,
        "omega_m": 0.3,
        "min_halo_particles": 10,
        "halo_finder": "friends_of_friends",
        "linking_length": 0.2,
        "boxes": boxes,
    }
    used = {"train": ["a"], "validation": ["b"]}
    (tmp_path / "p.npy").touch()
    config = configured("config.yaml", {"source": "files", "files": files, "boxes": used})
    found = data.measure(config)
    assert set(found.files) == {"a.npy", "b.npy", "p.npy"}
    assert found.missing == ("a.npy", "b.npy")
    largest = memory.largest_job(config)
    assert (largest.rule, largest.count) == ("read_source", 2)
    assert largest.bytes == pytest.approx(400e6 + 104 * 400**3)


# ---- the command


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """Plant facts of a machine in order, and return a function that changes the memory."""
    facts = {
        packages: INSTALLED,
        processor: PROCESSOR,
        gpu: gpu.Gpu(driver=False),
        memory: memory.Memory(64 * GB, None),
        cluster: cluster.Cluster(sbatch=False, plugin=True),
    }
    for module, found in facts.items():
        monkeypatch.setattr(module, "measure", lambda found=found: found)
    monkeypatch.setattr(disk, "measure", lambda directory: DISK)
    monkeypatch.chdir(tmp_path)
    return lambda found: monkeypatch.setattr(memory, "measure", lambda: found)


def test_the_command_prints_a_line_for_each_finding(planted, capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    assert [line[9:].split(":")[0] for line in lines] == [
        *("lagbias", "packages", "Snakemake", "SLURM", "cores", "instructions", "GPU", "memory"),
        *("disk", "FFT plans"),
    ]


def test_a_problem_gives_exit_status_1_and_json_the_facts(planted, capsys):
    planted(memory.Memory(4 * GB, None))
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    problem = only(f for f in found["findings"] if f["mark"] == "problem")
    assert problem["topic"] == "memory" and problem["remedy"] and problem["cost"]
    assert found["facts"]["memory"] == {"available": 4 * GB, "limit": None}
    assert found["facts"]["processor"]["instructions"] == "AVX-512"


def test_a_configuration_changes_what_is_needed(planted, capsys, repository):
    planted(memory.Memory(GB, None))
    assert main(["doctor", str(repository / "config" / "tiny.yaml")]) == 0
    printed = capsys.readouterr().out
    assert "simulate_box of run tiny needs 0.4 GB" in printed
    assert "data: none needed" in printed
