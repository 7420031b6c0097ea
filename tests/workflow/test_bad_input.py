"""Every kind of bad input stops the workflow with a paragraph that says what to do."""

import resource

import h5py
import pytest
import yaml

pytestmark = pytest.mark.workflow

WHITENING = "results/tiny/whitening/box0/1Rf.h5"
FEATURES = "results/tiny/features/box0/rf2.83.h5"


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
    assert f"{FEATURES} holds 'halos', but 'features' was expected" in text


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
