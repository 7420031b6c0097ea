"""Tests of the synthetic box at the paper's scale, and of the table of what a run cost."""

import importlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from abacusnbody.data.bitpacked import unpack_pids, unpack_rvint

from lagbias.cosmology import abacus_linear_power
from lagbias.sources.abacus.asdf_files import read_column, read_header
from lagbias.sources.abacus.checksum import CHECKSUM_FILE, mismatch, read_checksums
from lagbias.sources.abacus.paths import find_box
from lagbias.sources.abacus.read import lagrangian_nodes, read_box
from lagbias.sources.base import check_contract
from lagbias.sources.diagnosis import check_alignment

SIZES = {"box_size": 200.0, "n_ic": 64, "ppd": 192, "fraction": 0.1, "threads": 1}
BOX_SIZE, N_IC, PPD = SIZES["box_size"], SIZES["n_ic"], SIZES["ppd"]
MIN_PARTICLES = 40  # above the 35 of the smallest halo written
# 0.981 in this box; 0.35 at most with two axes exchanged, 0.972 one node off along one axis.
MIN_CORRELATION = 0.975
# Most of the variance comes from some 1e5 modes: its root scatters by about 0.3 %.
STD_TOLERANCE = 0.02
SIGMAS = 5.0  # of a binomial number
VELOCITY_ROUNDING = 1.5  # half a step of 12 bits, 2.93 km/s; positions add 0.02 km/s
# Halos are counted from a table of the mass function in 120 steps; N is rounded.
COUNT_TOLERANCE = 0.02


@pytest.fixture(scope="module")
def scripts(repository):
    """The modules beside each other in benchmarks/paper_scale."""
    names = ("make_box", "measure", "projection", "run_costs")
    names += ("synthetic_halos", "synthetic_particles")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "benchmarks" / "paper_scale"))
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture(scope="module")
def made(scripts, tmp_path_factory):
    """A small box, as written and as read."""
    root = tmp_path_factory.mktemp("tree")
    settings = scripts.make_box.Settings(**SIZES)
    counts = scripts.make_box.make_box(root, settings)
    files = find_box(root, settings.simulation, settings.redshift, n_ic=settings.n_ic)
    box = read_box(files, redshift=0.5, min_halo_particles=MIN_PARTICLES)
    header, _ = read_header(files.halo_info[0], "N")
    return SimpleNamespace(root=root, counts=counts, files=files, box=box, header=header)


def test_box_keeps_the_contract_and_has_the_sizes_asked_for(made):
    check_contract(made.box)
    assert check_alignment(made.box).large_scales.correlation > MIN_CORRELATION
    attributes, expected = made.box.attributes, SIZES["fraction"] * PPD**3
    assert (attributes["particles_per_side"], attributes["box_size"]) == (PPD, BOX_SIZE)
    assert made.box.linear_density.delta.shape == (N_IC,) * 3
    found = len(made.box.particles.position)
    assert abs(found - expected) < SIGMAS * math.sqrt(expected)
    assert made.counts["in_groups"] + made.counts["in_field"] == found
    assert 0.3 < made.counts["in_groups"] / found < 0.45  # as in real boxes
    assert made.header["SimComment"].startswith("Synthetic")


def test_density_has_the_variance_of_the_linear_power(made):
    k = 2.0 * np.pi * np.fft.fftfreq(N_IC, BOX_SIZE / N_IC)
    k = np.delete(k, N_IC // 2)  # AbacusSummit leaves Nyquist planes empty
    k = np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2).ravel()[1:]
    variance = np.sum(abacus_linear_power()(k)) / BOX_SIZE**3
    expected = made.box.attributes["growth"] * math.sqrt(variance)
    assert made.box.linear_density.delta.std() == pytest.approx(expected, rel=STD_TOLERANCE)


def test_particles_in_groups_are_in_dense_places(made):
    nodes = lagrangian_nodes(PPD, N_IC)
    density = {}
    for group in ("halo", "field"):
        (path,) = getattr(made.files, f"{group}_pid")
        lattice = unpack_pids(read_column(path, "packedpid"), lagr_idx=True)["lagr_idx"]
        density[group] = made.box.linear_density.delta[tuple(nodes[lattice].T)].mean()
    assert density["halo"] > 0.5 > -0.2 > density["field"]


def test_velocities_are_those_of_the_displacements(made):
    position, velocity = unpack_rvint(read_column(made.files.field_rv[0], "rvint"), BOX_SIZE)
    ids = read_column(made.files.field_pid[0], "packedpid")
    lattice = unpack_pids(ids, box=BOX_SIZE, ppd=PPD, lagr_idx=True)["lagr_idx"]
    displacement = position - (lattice * (BOX_SIZE / PPD) - BOX_SIZE / 2)
    displacement -= BOX_SIZE * np.rint(displacement / BOX_SIZE)
    to_kms = made.header["f_growth"] * made.header["VelZSpace_to_kms"] / BOX_SIZE
    expected = displacement * to_kms
    assert expected.std() > 50.0  # km/s: the next line compares something
    assert np.abs(velocity - expected).max() < VELOCITY_ROUNDING


def test_halos_have_the_mass_function_and_are_in_dense_places(made, scripts):
    halos, header = made.box.halos, made.header
    smallest = (MIN_PARTICLES - 0.5) * header["ParticleMassHMsun"]  # rounded to MIN_PARTICLES
    _, number = scripts.synthetic_halos.mean_counts(
        abacus_linear_power(), made.box.attributes["growth"], header["Omega_M"], smallest
    )
    assert len(halos.mass) == pytest.approx(number[0] * BOX_SIZE**3, rel=COUNT_TOLERANCE)
    assert halos.particles[0] > 30 * MIN_PARTICLES

    def node(positions):
        nearest = np.rint(positions * (N_IC / BOX_SIZE)).astype(int) % N_IC
        return np.ravel_multi_index(nearest.T, (N_IC,) * 3)

    matter = np.bincount(node(made.box.particles.position), minlength=N_IC**3)
    assert matter[node(halos.position)].mean() > 1.5 * matter.mean()


def test_every_directory_has_checksums_that_hold(made):
    for path in made.files.all:
        expected = read_checksums(path.parent / CHECKSUM_FILE)[path.name]
        assert not mismatch(path, expected)
    assert not list(made.root.rglob("*.tmp"))


def test_command_line_takes_the_seed_from_the_name_and_is_reproducible(scripts, tmp_path):
    options = ["--box-size", "100", "--n-ic", "16", "--ppd", "48", "--threads", "1"]
    options += ["--min-halo-particles", "20", "--simulation", "AbacusSummit_small_c000_ph3102"]
    contents = []
    for root in ("one", "two"):
        scripts.make_box.main(["--root", str(tmp_path / root), *options])
        files = find_box(tmp_path / root, options[-1], 0.5, n_ic=16)
        contents.append([path.read_bytes() for path in files.all])
    assert contents[0] == contents[1]
    assert read_header(files.halo_info[0], "N")[0]["ZD_Seed"] == 3102


@pytest.mark.parametrize("option", [("ppd", 8), ("fraction", 0.0), ("ppd", 1 << 16)])
def test_bad_sizes_are_refused_before_anything_is_written(scripts, tmp_path, option):
    name, value = option
    with pytest.raises(SystemExit, match=name):
        scripts.make_box.main(["--root", str(tmp_path), f"--{name}", str(value)])
    assert not list(tmp_path.iterdir())


def test_draws_of_a_plane_are_even_and_without_repetition(scripts):
    def draw(fraction, ppd, plane):
        nothing = np.zeros((1, 1, 1), np.float32)
        lattice = scripts.synthetic_particles.Lattice(
            ppd, fraction, nothing, 0.0, nothing, 0.0, np.random.default_rng
        )
        return scripts.synthetic_particles.draw_plane(lattice, plane)

    drawn = [draw(0.03, 300, plane) for plane in range(100)]
    expected = 0.03 * 300**2 * 100
    assert abs(sum(map(len, drawn)) - expected) < SIGMAS * math.sqrt(expected)
    rows = np.bincount(np.concatenate(drawn) // 300, minlength=300)
    assert np.abs(rows - expected / 300).max() < SIGMAS * math.sqrt(expected / 300)
    assert np.all(np.diff(drawn[7]) > 0) and drawn[7][0] >= 0 and drawn[7][-1] < 300**2
    np.testing.assert_array_equal(drawn[7], draw(0.03, 300, 7))
    np.testing.assert_array_equal(draw(1.0, 9, 0), np.arange(81))


HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
LINE = (
    "2026-01-01 00:0{minute}:00,500 INFO lagbias.training.loop: Seed {seed}, epoch {epoch} of 3: "
    "loss per cell 8.8, <f> 1.0, {speed} particles/s."
)
PLAN = """Building DAG of jobs...
Job stats:
job              count
-------------  -------
all                  1
make_features       30
train_networks      16
total               47

Reasons 12
"""


def log_text(spans):
    """A log of trainings of 3 epochs that end the first and the last at the minutes given."""
    lines = [(0, "a line of another kind")]
    for seed, (first, last) in spans.items():
        for minute, epoch, speed in ((first, 1, "1e+05"), (last, 3, "3e+05")):
            line = LINE.format(minute=minute, seed=seed, epoch=epoch, speed=speed)
            lines.append((minute, line))
    return "\n".join(line for _, line in sorted(lines))


@pytest.fixture
def run(tmp_path):
    """Benchmarks and logs of an invented run.

    Two jobs of 300 s train three networks, one after another, for 3 epochs of 60 s in the mean
    (60, 30 and 90): 1.5 * 3 * 60 = 270 s are training, 30 s are not.
    """
    jobs = {
        "train_networks": [(290.0, 2048.0, "180"), (310.0, 4096.0, "200")],
        "make_features": [(0.5, "-", "-"), (1.5, 512.0, "-")],
    }
    for rule, rows in jobs.items():
        directory = tmp_path / "benchmarks" / rule
        directory.mkdir(parents=True)
        for number, (seconds, rss, cpu) in enumerate(rows):
            values = f"{seconds}\t0:00:00\t{rss}\t1\t1\t1\t0\t0\t50\t{cpu}"
            (directory / f"{number}.tsv").write_text(f"{HEADER}\n{values}\n")
    logs = tmp_path / "logs" / "train_networks"
    logs.mkdir(parents=True)
    for number, spans in enumerate(({0: (1, 3), 1: (5, 6)}, {0: (1, 4)})):
        (logs / f"{number}.log").write_text(log_text(spans))
    return tmp_path


@pytest.fixture
def measured(scripts, run):
    logs = sorted((run / "logs" / "train_networks").glob("*.log"))
    costs = scripts.run_costs.rule_costs(run / "benchmarks")
    return costs, scripts.run_costs.training_speed(logs)


def test_costs_are_means_and_the_largest_memory(measured):
    costs, speed = measured
    assert list(costs) == ["make_features", "train_networks"]
    assert costs["train_networks"] == (2, 300.0, 310.0, 190.0, 4096.0)
    assert costs["make_features"][:3] == (2, 1.0, 1.5) and costs["make_features"].peak == 512.0
    assert math.isnan(costs["make_features"].cpu_seconds)
    assert speed == pytest.approx((2, 3, 1.0, 3, 60.0, 2e5))
    assert speed.seconds_per_job == pytest.approx(270.0)


def test_growth_is_the_exponent_between_the_last_two_runs(measured, scripts):
    costs, _ = measured
    training = costs["train_networks"]
    smaller = costs | {"train_networks": training._replace(cpu_seconds=training.cpu_seconds / 8)}
    table = scripts.projection.growth_table({1e6: smaller, 8e6: costs})
    assert table.header == ("rule", "1e+06 particles", "8e+06 particles", "exponent")
    assert table.rows == [
        ("make_features", "–", "–", "–"),  # not seen
        ("train_networks", "23.8", "190", "1.00"),
    ]


def test_only_jobs_that_all_runs_have_are_compared(run, scripts, tmp_path):
    other = tmp_path / "other"
    (other / "train_networks").mkdir(parents=True)
    (other / "train_networks" / "1.tsv").write_text(f"{HEADER}\n8\t0\t9\t1\t1\t1\t0\t0\t5\t2\n")
    common = scripts.run_costs.common_jobs([run / "benchmarks", other])
    assert common == {"train_networks/1.tsv"}
    costs = scripts.run_costs.rule_costs(run / "benchmarks", common)
    assert costs == {"train_networks": (1, 310.0, 310.0, 200.0, 4096.0)}


def test_networks_trained_at_once_are_told_apart(scripts, tmp_path):
    (tmp_path / "log").write_text(log_text({0: (1, 7), 1: (2, 4), 2: (5, 8)}))
    speed = scripts.run_costs.training_speed([tmp_path / "log"])
    # 180, 60 and 90 s per epoch; 6 + 2 + 3 minutes of two epochs each, within 7 minutes
    assert speed == pytest.approx((1, 3, 11 / 7, 3, 110.0, 2e5))
    assert speed.seconds_per_job == pytest.approx(7 * 60.0 * 3 / 2)
    costs = {"train_networks": scripts.run_costs.RuleCost(1, 700.0, 700.0, 700.0, 1.0)}
    jobs = {"train_networks": 1}
    projected = scripts.projection.projections(costs, jobs, speed, epochs=10, seeds=2)
    assert projected["train_networks"].seconds == pytest.approx(70.0 + 2 * 10 * 110.0)


def test_projection_scales_epochs_seeds_and_jobs(scripts, measured):
    (costs, speed), project = measured, scripts.projection.projections
    jobs = scripts.run_costs.job_counts(PLAN)
    assert jobs == {"make_features": 30, "train_networks": 16}
    jobs["predict_spectra"] = 5
    whole = {"epochs": 50, "seeds": 5}
    training = project(costs, jobs, speed, **whole)["train_networks"]
    assert training.seconds == pytest.approx(30.0 + 5 * 50 * 60.0)
    assert training.core_hours == pytest.approx(16 * 15030.0 / 3600.0)
    projected = project(costs, jobs, speed, threads={"train_networks": 2}, **whole)
    training = projected["train_networks"]
    assert training.seconds == pytest.approx(30.0 + 3 * 50 * 60.0)  # two, two and one of five
    assert training.core_hours == pytest.approx(16 * 2 * 9030.0 / 3600.0)
    machine = scripts.projection.Machine
    assert training.side_by_side(machine(16)) == 8
    assert training.side_by_side(machine(1024)) == 16
    assert training.side_by_side(machine(16, memory=11.0)) == 2  # 4 GiB each
    assert training.hours(machine(16)) == pytest.approx(2 * 9030.0 / 3600.0)
    assert math.isnan(projected["predict_spectra"].seconds)
    for threads in (1, 2):  # networks share the GPU
        whole["threads"] = {"train_networks": threads}
        on_gpu = project(costs, jobs, speed, gpu_speed=2e7, **whole)
        assert on_gpu["train_networks"].seconds == pytest.approx(30.0 + 5 * 50 * 60.0 / 100)
    with pytest.raises(ValueError, match="logs of the trainings"):
        project(costs, jobs, **whole)


def test_report_in_markdown(scripts, run, capsys):
    plan = run / "plan.txt"
    plan.write_text(PLAN)
    arguments = ["--benchmarks", str(run / "benchmarks"), "--logs", str(run / "logs")]
    projected = [*arguments, "--jobs", str(plan), "--markdown"]
    scripts.measure.main([*projected, "--gpu-speed", "2e7"])
    printed = capsys.readouterr().out
    assert "| train_networks | 2 | 300 | 310 | 190 | 4.00 |" in printed
    assert "| make_features | 2 | 1.00 | 1.50 | – | 0.500 |" in printed
    assert "| networks per job | 1.50 |\n| of these at once | 1.00 |" in printed
    assert "Projected: 50 epochs, 5 seeds, 16 cores" in printed
    assert "| train_networks | 16 | 15030 | 66.8 | 16 |" in printed
    assert "a GPU of 2e+07 particles/s assumed" in printed
    # 15030 s of sixteen jobs at once, or 180 s of each in turn, and twice 1 s of features
    assert "| hours on 16 cores | 4.18 |" in printed
    assert "| hours on 16 cores and one GPU | 0.801 |" in printed
    scripts.measure.main([*projected, "--seeds", "2", "--epochs", "10"])
    printed = capsys.readouterr().out
    assert "Projected: 10 epochs, 2 seeds, 16 cores" in printed
    assert "| train_networks | 16 | 1230 |" in printed
    scripts.measure.main(arguments)
    assert "|" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("benchmarks/train_networks/0.tsv", "cpu_time", "cpu", "cpu_time"),
        (
            "logs/train_networks/0.log",
            "Seed 1, epoch 3",
            "Seed 1, epoch three",
            "1 epochs of seed 1",
        ),
        ("logs/train_networks/0.log", "particles/s", "", "0 epochs of any seed"),
        ("logs/train_networks/0.log", "of 3", "of 4", r"\[3, 4\]"),
    ],
)
def test_damaged_runs_are_refused(scripts, run, file, old, new, message):
    (run / file).write_text((run / file).read_text().replace(old, new))
    arguments = ["--benchmarks", str(run / "benchmarks"), "--logs", str(run / "logs")]
    with pytest.raises(SystemExit, match=message):
        scripts.measure.main(arguments)
