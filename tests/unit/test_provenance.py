"""Identifiers change exactly when something that the artefact depends on does."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from lagbias.artefacts import provenance, store
from lagbias.artefacts.store import ArtefactError


@dataclass(frozen=True)
class Example:
    """An artefact without content."""

    KIND: ClassVar[str] = "example"


def identifier(path):
    return store.header(path).provenance["artefact_id"]


BASE = {"params": {"rf": 2.83}, "inputs": {}, "code": "c0ffee"}


def identity(rule="make_features", **changes):
    return provenance.describe(rule, **{**BASE, **changes})["artefact_id"]


def test_identifier_repeats():
    assert identity() == identity()


@pytest.mark.parametrize("changes", [{"params": {"rf": 2.0}}, {"code": "decaf"}, {"rule": "other"}])
def test_identifier_depends_on_rule_parameters_and_code(changes):
    assert identity(**changes) != identity()


def test_threads_are_recorded_but_do_not_count():
    description = provenance.describe("rule", **BASE, threads=2)
    assert description["threads"] == 2
    assert description["artefact_id"] == identity("rule", threads=1)
    assert description["versions"]["numpy"]


def test_identifier_follows_the_inputs_not_their_paths():
    assert identity(inputs={"a.h5": "1"}) == identity(inputs={"b.h5": "1"})
    assert identity(inputs={"a.h5": "1"}) != identity(inputs={"a.h5": "2"})


def test_the_code_counts_unless_the_parameters_say_all():
    assert identity(code_counts=False) == identity(code_counts=False, code="decaf")
    assert identity(code_counts=False, params={"rf": 2.0}) != identity(code_counts=False)


def test_where_it_is_put_is_recorded_but_does_not_count():
    description = provenance.describe("make_features", **BASE, output="results/a.h5")
    assert description["output"] == "results/a.h5"
    assert description["artefact_id"] == identity()


def make(path, *sources, seed=0, output=None):
    """Write an artefact that was made from others, as a job does."""
    inputs = provenance.check_inputs(sources)
    description = provenance.describe(
        path.stem, params={"seed": seed}, inputs=inputs, code="c0de", output=output or path
    )
    store.write(path, Example(), provenance=description)
    return path


@pytest.fixture
def chain(tmp_path):
    """Four files of which each is made from the one before."""
    box, halos, field, spectra = (
        tmp_path / f"{n}.h5" for n in ("box", "halos", "field", "spectra")
    )
    make(box)
    make(halos, box)
    make(field, halos)
    make(spectra, field)
    return box, halos, field, spectra


def test_files_that_belong_together_pass(chain):
    identifiers = provenance.check_inputs(chain)
    assert identifiers == {str(path): identifier(path) for path in chain}
    assert len(set(identifiers.values())) == 4


def test_a_file_made_anew_alike_passes(chain):
    box, *_ = chain
    make(box)  # the same parameters and code
    provenance.check_inputs(chain)


@pytest.mark.parametrize("replaced", [0, 1, 2])
@pytest.mark.parametrize("read_too", [True, False])
def test_a_file_made_from_another_version_is_refused(chain, replaced, read_too):
    """Whether the replaced file is read by the same job, or only by those before it."""
    old = identifier(chain[replaced])
    make(chain[replaced], *chain[max(replaced - 1, 0) : replaced], seed=1)
    present = identifier(chain[replaced])
    stale = chain[replaced + 1]
    with pytest.raises(ArtefactError) as caught:
        provenance.check_inputs([chain[-1], chain[replaced]] if read_too else [chain[-1]])
    assert str(caught.value) == (
        f"{stale} was made from another version of {chain[replaced]} than the one that is there: "
        f"it records {old}, and {chain[replaced]} is {present}. Delete {stale} and run the "
        f"workflow again, which makes it, and what depends on it, from what is there."
    )
    stale.unlink()
    make(stale, chain[replaced])
    for path, source in zip(chain[replaced + 2 :], chain[replaced + 1 :], strict=False):
        make(path, source)
    provenance.check_inputs(chain)


def test_a_file_that_is_gone_is_passed_over_unless_others_knew_two_of_it(chain, tmp_path):
    box, halos, field, _ = chain
    make(box, seed=1)
    other = make(tmp_path / "features.h5", box)
    box.unlink()
    provenance.check_inputs([field])
    provenance.check_inputs([other])
    with pytest.raises(
        ArtefactError, match=r"halos\.h5 .*features\.h5|features\.h5 .*halos\.h5"
    ) as e:
        provenance.check_inputs([other, field])
    assert f"different versions of {box}" in str(e.value) and "Delete both" in str(e.value)
    assert halos.exists()


def test_a_damaged_file_matters_only_where_it_is_read(chain):
    box, halos, field, _ = chain
    box.write_bytes(box.read_bytes()[:200])
    provenance.check_inputs([halos, field])
    with pytest.raises(ArtefactError, match=r"box\.h5 is truncated"):
        provenance.check_inputs([box, halos])


def test_a_copy_in_the_wrong_place_is_refused(chain, tmp_path):
    box, *_ = chain
    other = tmp_path / "other_box.h5"
    other.write_bytes(box.read_bytes())
    with pytest.raises(ArtefactError) as caught:
        provenance.check_inputs([other])
    assert str(caught.value) == (
        f"{other} was made as {box}: the wrong file is in this place. Delete it and run the "
        f"workflow again, which makes the right one."
    )


def test_an_artefact_without_provenance_passes(tmp_path):
    store.write(tmp_path / "a.h5", Example())
    assert provenance.check_inputs([tmp_path / "a.h5"]) == {str(tmp_path / "a.h5"): ""}
