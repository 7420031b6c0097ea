"""Tests of the synthetic box at the paper's scale, and of the table of what a run cost."""

import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from abacusnbody.data.bitpacked import unpack_pids, unpack_rvint

from lagbias.cosmology import abacus_linear_power
from lagbias.sources.abacus.acquire.checksum import CHECKSUM_FILE, mismatch, read_checksums
from lagbias.sources.abacus.asdf_files import read_column, read_header
from lagbias.sources.abacus.paths import find_box
from lagbias.sources.abacus.read import lagrangian_nodes, read_box
from lagbias.sources.base import check_alignment, check_contract, large_scale_correlation

SIZES = {"box_size": 200.0, "n_ic": 64, "ppd": 192, "fraction": 0.1, "threads": 1}
MIN_PARTICLES = 40  # above the 35 of the smallest halo written
# Zel'dovich particles of this box correlate by 0.981 with the density; with two axes exchanged by
# 0.35 at most, one node off along one axis by 0.972.
MIN_CORRELATION = 0.975
# Most of the variance comes from some 1e5 modes: its root scatters by about 0.3 %.
STD_TOLERANCE = 0.02
SIGMAS = 5.0  # of a binomial number
# One step of 12 bits is 2.93 km/s, and rounding is by half of it at most; positions are rounded by
# half of 2e-4 Mpc/h, float32 adds 2e-5: together less than 0.02 km/s.
VELOCITY_ROUNDING = 1.5
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
    return SimpleNamespace(root=root, counts=counts, files=files, box=box, settings=settings)


def test_box_keeps_the_contract_and_follows_its_density(made):
    check_contract(made.box)
    check_alignment(made.box)
    assert large_scale_correlation(made.box) > MIN_CORRELATION


def test_box_has_the_sizes_asked_for(made):
    attributes, expected = made.box.attributes, SIZES["fraction"] * SIZES["ppd"] ** 3
    assert attributes["particles_per_side"] == SIZES["ppd"]
    assert attributes["box_size"] == SIZES["box_size"]
    assert made.box.linear_density.shape == (SIZES["n_ic"],) * 3
    assert abs(len(made.box.positions) - expected) < SIGMAS * math.sqrt(expected)
    assert made.counts["in_groups"] + made.counts["in_field"] == len(made.box.positions)
    assert 0.3 < made.counts["in_groups"] / len(made.box.positions) < 0.45  # as in real boxes


def test_density_has_the_variance_of_the_linear_power(made):
    n, box_size = SIZES["n_ic"], SIZES["box_size"]
    k = 2.0 * np.pi * np.fft.fftfreq(n, box_size / n)
    k = np.delete(k, n // 2)  # AbacusSummit leaves Nyquist planes empty
    k = np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2).ravel()[1:]
    variance = np.sum(abacus_linear_power()(k)) / box_size**3
    expected = made.box.attributes["growth"] * math.sqrt(variance)
    assert abs(made.box.linear_density.std() / expected - 1.0) < STD_TOLERANCE


def test_particles_in_groups_are_in_dense_places(made):
    nodes = lagrangian_nodes(SIZES["ppd"], SIZES["n_ic"])
    density = {}
    for group in ("halo", "field"):
        (path,) = getattr(made.files, f"{group}_pid")
        lattice = unpack_pids(read_column(path, "packedpid"), lagr_idx=True)["lagr_idx"]
        density[group] = made.box.linear_density[tuple(nodes[lattice].T)].mean()
    assert density["halo"] > 0.5 > -0.2 > density["field"]


def test_velocities_are_those_of_the_displacements(made):
    header, _ = read_header(made.files.halo_info[0], "N")
    box_size, ppd = header["BoxSize"], header["ppd"]
    packed = read_column(made.files.field_rv[0], "rvint")
    position, velocity = unpack_rvint(packed, box_size)
    ids = read_column(made.files.field_pid[0], "packedpid")
    lattice = unpack_pids(ids, box=box_size, ppd=ppd, lagr_idx=True)["lagr_idx"]
    displacement = position - (lattice * (box_size / ppd) - box_size / 2)
    displacement -= box_size * np.rint(displacement / box_size)
    expected = displacement * header["f_growth"] * header["VelZSpace_to_kms"] / box_size
    assert expected.std() > 50.0  # km/s: the next line compares something
    assert np.abs(velocity - expected).max() < VELOCITY_ROUNDING


def test_halos_have_the_mass_function(made, scripts):
    header, _ = read_header(made.files.halo_info[0], "N")
    smallest = (MIN_PARTICLES - 0.5) * header["ParticleMassHMsun"]  # rounded to MIN_PARTICLES
    growth, omega_m = made.box.attributes["growth"], header["Omega_M"]
    _, number = scripts.synthetic_halos.mean_counts(
        abacus_linear_power(), growth, omega_m, smallest
    )
    expected = number[0] * SIZES["box_size"] ** 3
    assert abs(len(made.box.halo_mass) / expected - 1.0) < COUNT_TOLERANCE
    assert made.box.halo_particles[0] > 30 * MIN_PARTICLES


def test_halos_are_in_dense_places(made):
    n = SIZES["n_ic"]
    node = np.rint(made.box.halo_positions * (n / SIZES["box_size"])).astype(int) % n
    cell = np.rint(made.box.positions * (n / SIZES["box_size"])).astype(int) % n
    matter = np.bincount(np.ravel_multi_index(cell.T, (n,) * 3), minlength=n**3)
    around = matter[np.ravel_multi_index(node.T, (n,) * 3)]
    assert around.mean() > 1.5 * matter.mean()


def test_every_directory_has_checksums_that_hold(made):
    directories = {path.parent for path in made.files.all}
    for directory in directories:
        for name, expected in read_checksums(directory / CHECKSUM_FILE).items():
            assert mismatch(directory / name, expected) is None
    assert all(path.name in read_checksums(path.parent / CHECKSUM_FILE) for path in made.files.all)
    left = [path for path in made.root.rglob("*") if path.is_file() and path.suffix == ".tmp"]
    assert not left


def test_headers_say_that_the_box_is_synthetic(made):
    header, _ = read_header(made.files.ic_density, "density")
    assert header["SimComment"].startswith("Synthetic")


def test_command_line_takes_the_seed_from_the_name_and_repeats_itself(scripts, tmp_path):
    options = ["--box-size", "100", "--n-ic", "16", "--ppd", "48", "--threads", "1"]
    options += ["--min-halo-particles", "20", "--simulation", "AbacusSummit_small_c000_ph3102"]
    contents = []
    for root in ("one", "two"):
        scripts.make_box.main(["--root", str(tmp_path / root), *options])
        files = find_box(tmp_path / root, options[-1], 0.5, n_ic=16)
        contents.append([path.read_bytes() for path in files.all])
    assert contents[0] == contents[1]
    assert read_header(files.halo_info[0], "N")[0]["ZD_Seed"] == 3102


@pytest.mark.parametrize("wrong", [{"ppd": 8}, {"fraction": 0.0}, {"ppd": 1 << 16}])
def test_impossible_sizes_are_refused_before_anything_is_written(scripts, tmp_path, wrong):
    settings = scripts.make_box.Settings(n_ic=16)._replace(**wrong)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        scripts.make_box.make_box(tmp_path, settings)
    assert not list(tmp_path.iterdir())
    options = [text for key, value in wrong.items() for text in (f"--{key}", str(value))]
    with pytest.raises(SystemExit, match=next(iter(wrong))):
        scripts.make_box.main(["--root", str(tmp_path), *options])


def lattice(scripts, fraction, ppd=300):
    nothing = np.zeros((1, 1, 1), np.float32)
    return scripts.synthetic_particles.Lattice(
        ppd, fraction, nothing, 0.0, nothing, 0.0, lambda plane: np.random.default_rng(plane)
    )


def test_draws_of_a_plane_are_even_and_without_repetition(scripts):
    some = lattice(scripts, 0.03)
    drawn = np.concatenate([scripts.synthetic_particles.draw_plane(some, p) for p in range(100)])
    expected = 0.03 * 300**2 * 100
    assert abs(len(drawn) - expected) < SIGMAS * math.sqrt(expected)
    rows = np.bincount(drawn // 300, minlength=300)
    assert np.abs(rows - expected / 300).max() < SIGMAS * math.sqrt(expected / 300)
    first = scripts.synthetic_particles.draw_plane(some, 7)
    assert np.all(np.diff(first) > 0) and first[0] >= 0 and first[-1] < 300**2
    np.testing.assert_array_equal(first, scripts.synthetic_particles.draw_plane(some, 7))


def test_a_fraction_of_one_draws_every_point(scripts):
    drawn = scripts.synthetic_particles.draw_plane(lattice(scripts, 1.0, ppd=9), 0)
    np.testing.assert_array_equal(drawn, np.arange(81))


def test_interpolation_is_exact_at_nodes_and_linear_between(scripts):
    psi = np.random.default_rng(1).normal(size=(4, 4, 4, 3)).astype(np.float32)
    at = scripts.synthetic_particles.interpolated
    np.testing.assert_array_equal(at(psi, 12, 3, 6, 9), psi[1, 2, 3])
    # two thirds of the way from the last node to the first, across the edge of the box
    expected = psi[3, 0, 0] / 3.0 + psi[0, 0, 0] * (2.0 / 3.0)
    np.testing.assert_allclose(at(psi, 12, 11, 0, 0), expected, rtol=1e-6)


HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
LINE = (
    "2026-01-01 00:0{minute}:00,500 INFO lagbias.training.loop: Seed 0, epoch {epoch} of 3: loss per cell "
    "8.8, <f> 1.0, {speed} particles/s."
)
PLAN = """Building DAG of jobs...
Job stats:
job              count
-------------  -------
all                  1
make_features       30
train_network       80
total              111

Reasons 12
"""


@pytest.fixture
def run(tmp_path):
    """Benchmarks and logs of a made-up run: 3 epochs of 60 s in trainings of 200 s."""
    jobs = {
        "train_network": [(190.0, 2048.0, "180"), (210.0, 4096.0, "200")],
        "make_features": [(0.5, "-", "-"), (1.5, 512.0, "-")],
    }
    for rule, rows in jobs.items():
        directory = tmp_path / "benchmarks" / rule
        directory.mkdir(parents=True)
        for number, (seconds, rss, cpu) in enumerate(rows):
            values = f"{seconds}\t0:00:00\t{rss}\t1\t1\t1\t0\t0\t50\t{cpu}"
            (directory / f"{number}.tsv").write_text(f"{HEADER}\n{values}\n")
    logs = tmp_path / "logs" / "train_network"
    logs.mkdir(parents=True)
    for number in range(2):
        lines = [LINE.format(minute=1, epoch=1, speed="1e+05")]
        lines += ["a line of another kind", LINE.format(minute=3, epoch=3, speed="3e+05")]
        (logs / f"{number}.log").write_text("\n".join(lines))
    return tmp_path


def measured(scripts, run):
    logs = sorted((run / "logs" / "train_network").glob("*.log"))
    costs = scripts.run_costs.rule_costs(run / "benchmarks")
    return costs, scripts.run_costs.training_speed(logs)


def test_costs_are_means_and_the_largest_memory(scripts, run):
    costs, speed = measured(scripts, run)
    assert list(costs) == ["make_features", "train_network"]
    assert costs["train_network"] == (2, 200.0, 210.0, 190.0, 4096.0)
    assert costs["make_features"][:3] == (2, 1.0, 1.5) and costs["make_features"].peak == 512.0
    assert math.isnan(costs["make_features"].cpu_seconds)
    assert speed == (2, 3, 60.0, 2e5)


def test_numbers_of_jobs_from_a_plan_and_from_json(scripts):
    expected = {"make_features": 30, "train_network": 80}
    assert scripts.run_costs.job_counts(PLAN) == expected
    assert scripts.run_costs.job_counts('{"make_features": 30, "train_network": 80}') == expected
    with pytest.raises(ValueError, match="snakemake -n"):
        scripts.run_costs.job_counts("Nothing to be done")


def test_projection_scales_epochs_and_jobs(scripts, run):
    costs, speed = measured(scripts, run)
    jobs = scripts.run_costs.job_counts(PLAN) | {"predict_spectra": 5}
    projected = scripts.projection.projections(
        costs, jobs, speed, epochs=50, threads={"train_network": 2}
    )
    training = projected["train_network"]
    assert training.seconds == pytest.approx(200.0 - 3 * 60.0 + 50 * 60.0)
    assert training.core_hours == pytest.approx(80 * 2 * 3020.0 / 3600.0)
    machine = scripts.projection.Machine
    assert training.side_by_side(machine(16)) == 8
    assert training.side_by_side(machine(1024)) == 80
    assert training.side_by_side(machine(16, memory=11.0)) == 2  # 4 GiB each
    assert training.hours(machine(16)) == pytest.approx(10 * 3020.0 / 3600.0)
    assert math.isnan(projected["predict_spectra"].seconds)
    on_gpu = scripts.projection.projections(costs, jobs, speed, epochs=50, gpu_speed=2e7)
    assert on_gpu["train_network"].seconds == pytest.approx(20.0 + 50 * 60.0 * 2e5 / 2e7)


def test_totals_leave_out_what_was_not_measured_and_say_so(scripts, run):
    costs, speed = measured(scripts, run)
    jobs = {"make_features": 3600, "train_network": 2, "predict_spectra": 5}
    make = scripts.projection.projections
    totals = scripts.projection.totals_table(
        make(costs, jobs, speed, epochs=3),
        [scripts.projection.Machine(2)],
        make(costs, jobs, speed, epochs=3, gpu_speed=2e6),
    )
    rows = dict(totals.rows)
    # 3600 of 1 s, 2 of 200 s; the GPU takes a tenth of 180 s and trains one after the other
    assert rows["core hours, all on cores"] == "1.11"
    assert rows["hours on 2 cores"] == "0.556"
    assert rows["hours on 2 cores and one GPU"] == "0.521"
    assert "not measured: predict_spectra" in rows


def test_epochs_cannot_be_projected_without_the_speed_of_training(scripts, run):
    costs, _ = measured(scripts, run)
    with pytest.raises(ValueError, match="logs of the trainings"):
        scripts.projection.projections(costs, {"train_network": 1}, epochs=50)


def test_report_in_markdown(scripts, run, capsys):
    plan = run / "plan.txt"
    plan.write_text(PLAN)
    arguments = ["--benchmarks", str(run / "benchmarks"), "--logs", str(run / "logs")]
    scripts.measure.main([*arguments, "--jobs", str(plan), "--gpu-speed", "2e7", "--markdown"])
    printed = capsys.readouterr().out
    assert "| train_network | 2 | 200 | 210 | 190 | 4.00 |" in printed
    assert "| make_features | 2 | 1.00 | 1.50 | – | 0.500 |" in printed
    assert "Projected: 50 epochs, 16 cores" in printed
    assert "a GPU of 2e+07 particles/s assumed" in printed
    scripts.measure.main(arguments)
    assert "|" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["no column", "one epoch", "other epochs", "nothing"])
def test_damaged_runs_are_refused(scripts, run, damage):
    log = run / "logs" / "train_network" / "0.log"
    if damage == "no column":
        (run / "benchmarks" / "train_network" / "0.tsv").write_text("s\tmax_rss\n1\t2\n")
    elif damage == "one epoch":
        log.write_text(LINE.format(minute=1, epoch=1, speed="1e5"))
    elif damage == "other epochs":
        log.write_text(log.read_text().replace("of 3", "of 4"))
    else:
        for path in Path(run, "benchmarks").rglob("*.tsv"):
            path.unlink()
    expected = {
        "no column": "cpu_time",
        "one epoch": "two are needed",
        "other epochs": r"\[3, 4\]",
        "nothing": "no benchmarks",
    }
    with pytest.raises((ValueError, FileNotFoundError), match=expected[damage]):
        measured(scripts, run)
    arguments = ["--benchmarks", str(run / "benchmarks"), "--logs", str(run / "logs")]
    with pytest.raises(SystemExit, match=expected[damage]):
        scripts.measure.main(arguments)
