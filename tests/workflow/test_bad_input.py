"""Every kind of bad input stops the workflow with a paragraph that says what to do."""

import resource
import subprocess

import h5py
import numpy as np
import pytest
import yaml

from lagbias.artefacts import store

pytestmark = pytest.mark.workflow

WHITENING = "results/tiny/whitening/box0/1Rf.h5"
FEATURES = "results/tiny/features/box0/rf2.83.h5"
DENSITY = "results/tiny/boxes/box0/linear_density.h5"
HALO_FIELD = "results/tiny/halo_fields/box0/threshold.h5"
SPECTRA = "results/tiny/spectra/box0/threshold/1Rf/full/on_box0.h5"


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"training": {"epoch": 3}}, ["training.epoch", "did you mean 'epochs'?"]),
        ({"smoothing_sets": {"mine": [0.3]}}, ["R_f = 0.3", "below the initial-density cell"]),
        ({"seeds": [0]}, ["seeds = [0]", "at least 2"]),
        ({"figure_sets": {"fine": ["5Rf"]}}, ["'5Rf'", "smoothing_sets does not define"]),
    ],
)
def test_a_wrong_configuration_stops_before_the_dag(new_checkout, changes, fragments):
    checkout = new_checkout("checkout")
    (checkout.root / "changes.yaml").write_text(yaml.safe_dump(changes))
    text = checkout.snakemake("--configfile", "config/tiny.yaml", "changes.yaml", check=False)
    for fragment in fragments:
        assert fragment in text
    assert "Traceback" not in text
    assert not (checkout.root / "results").exists()


@pytest.fixture
def restored(finished):
    """The finished checkout, which is put right again after a test that spoils it."""
    before = finished.artefacts()
    yield finished
    for name, content in before.items():
        path = finished.root / "results" / name
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    finished.snakemake("--touch")


@pytest.fixture
def features(restored):
    """The path of an artefact that a test may spoil."""
    return restored.root / FEATURES


def rerun_whitening(checkout):
    text = checkout.snakemake("--forcerun", "fit_whitening", "--", WHITENING, check=False)
    assert "Traceback" not in text
    return text


def test_a_truncated_artefact_is_named(restored, features):
    features.write_bytes(features.read_bytes()[:5000])
    text = rerun_whitening(restored)
    assert f"{FEATURES} cannot be read: it is truncated" in text
    assert "Delete it and run the workflow again" in text


def test_a_foreign_file_is_named(restored, features):
    with h5py.File(features, "w") as file:
        file["delta"] = [1.0]
    text = rerun_whitening(restored)
    assert f"{FEATURES} is an HDF5 file but not a lagbias artefact" in text


def test_an_artefact_in_the_wrong_place_is_named(restored, features):
    features.write_bytes((restored.root / "results/tiny/boxes/box0/halos.h5").read_bytes())
    text = rerun_whitening(restored)
    assert f"{FEATURES} was made as results/tiny/boxes/box0/halos.h5: the wrong file" in text


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_one_flipped_bit_is_found(restored, features, part):
    damaged = bytearray(features.read_bytes())
    damaged[int(part * len(damaged))] ^= 1  # the least bit of a number's least byte
    features.write_bytes(damaged)
    text = rerun_whitening(restored)
    assert f"{FEATURES} cannot be read: it is truncated, damaged" in text
    assert "does not hold what was written" in text and "Delete it" in text
    features.unlink()
    restored.snakemake(WHITENING)


@pytest.mark.parametrize(
    ("rule", "target", "copied", "to"),
    [
        ("fit_whitening", WHITENING, "features/box1/rf2.83.h5", "features/box0/rf2.83.h5"),
        ("make_halo_fields", HALO_FIELD, "boxes/box1/halos.h5", "boxes/box0/halos.h5"),
        (
            "predict_spectra",
            SPECTRA,
            "networks/box0/threshold/1Rf/full/seed0.h5",
            "networks/box0/threshold/1Rf/full/seed1.h5",
        ),
    ],
)
def test_a_file_of_another_box_or_seed_is_named(restored, rule, target, copied, to):
    results = restored.root / "results/tiny"
    (results / to).write_bytes((results / copied).read_bytes())
    text = restored.snakemake("--forcerun", rule, "--", target, check=False)
    assert f"results/tiny/{to} was made as results/tiny/{copied}: the wrong file is in" in text
    assert "Traceback" not in text


def test_a_file_made_from_another_version_is_named(restored, features):
    """The density that features were made from is replaced, and --touch hides that from times."""
    density = restored.root / "results/tiny/boxes/box0/linear_density.h5"
    old = store.read(density)
    changed = {"delta": store.Dataset(-old["delta"], "1", ("x", "y", "z"))}
    provenance = {**old.provenance, "artefact_id": "0" * 16}
    store.write(density, old.kind, changed, attributes=old.attributes, provenance=provenance)
    restored.snakemake("--touch")
    text = rerun_whitening(restored)
    recorded = old.provenance["artefact_id"]
    assert f"{FEATURES} was made from another version of {DENSITY} than the one that" in text
    assert f"it records {recorded}, and {DENSITY} is {'0' * 16}. Delete {FEATURES}" in text
    features.unlink()
    (restored.root / WHITENING).unlink(missing_ok=True)
    restored.snakemake(WHITENING)
    assert store.read(features).provenance["inputs"] == {DENSITY: "0" * 16}


def test_files_without_numbers_are_not_written(restored, features):
    """A density that is not finite cannot come from a job, so it is written by hand here."""
    density = restored.root / DENSITY
    old = store.read(density)
    delta = old["delta"].copy()
    delta[3, 4, 5] = np.nan
    with pytest.raises(store.ArtefactError, match=r"1 of \d+ values is .*\(nan\) at \[3, 4, 5\]"):
        store.write(density, old.kind, {"delta": store.Dataset(delta, "1", ("x", "y", "z"))})
    changed = {"delta": store.Dataset(delta, "1", ("x", "y", "z"), finite=False)}
    store.write(density, old.kind, changed, attributes=old.attributes, provenance=old.provenance)
    text = restored.snakemake("--forcerun", "make_features", "--", FEATURES, check=False)
    assert "make_features failed. " in text and "Traceback" not in text
    assert not features.exists()


@pytest.mark.parametrize("place", ["results", "logs"])
def test_a_read_only_directory_is_named_and_costs_nothing(restored, read_only, place):
    before = restored.artefacts()
    words = restored.command("--forcerun", "fit_whitening", "--", WHITENING)
    text = run(restored, [*read_only(restored.root / place), *words])
    if place == "results":  # Snakemake's own words
        assert "Write-protected output files" in text and WHITENING in text
    else:
        assert f"logs in {restored.root} may not be written to. Nothing was done." in text
    assert "Traceback" not in text
    assert restored.artefacts() == before


def test_read_only_caches_cost_time_only(restored, read_only, tmp_path):
    """Plans of Fourier transforms cannot be kept; kernels are kept in the user's own cache."""
    before = restored.artefacts()
    cache = tmp_path / "cache"
    cache.mkdir()
    for kernel in (restored.root / "src").rglob("*.nb[ci]"):
        kernel.unlink()
    environment = {"LAGBIAS_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(tmp_path / "user")}
    words = restored.command("--forcerun", "make_features", "make_halo_fields", "--", FEATURES)
    words = [*read_only(restored.root / "src"), *read_only(cache), *words, HALO_FIELD]
    text = run(restored, words, environment, status=0)
    assert "Cannot keep FFTW plans" in text and "Set LAGBIAS_CACHE_DIR" in text
    assert list((tmp_path / "user/numba").rglob("*.nbi"))
    after = restored.artefacts()
    assert after.keys() == before.keys()
    halo_field = HALO_FIELD.removeprefix("results/")
    assert after[halo_field] == before[halo_field]


def run(checkout, words, environment=(), status=1):
    """Run a command in a checkout and return all that it printed."""
    done = subprocess.run(
        words,
        cwd=checkout.root,
        env=checkout.environment() | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_a_full_disk_is_named_and_costs_nothing(restored):
    """A limit on the size of files stands for the full disk."""
    before = restored.artefacts()
    limit = 1 << 20  # bytes; the features of one radius are larger

    def restrict():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    arguments = ("--forcerun", "make_features", "--", FEATURES)
    text = restored.snakemake(*arguments, check=False, preexec_fn=restrict)
    assert f"{FEATURES} could not be written: the file size limit is reached" in text
    assert "run the workflow again" in text
    assert "Traceback" not in text
    name = FEATURES.removeprefix("results/")
    assert restored.artefacts() == {k: v for k, v in before.items() if k != name}
    restored.snakemake(FEATURES)
    assert restored.artefacts() == before
