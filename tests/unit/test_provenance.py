"""Identifiers change exactly when something that the artefact depends on does."""

import pytest

from lagbias import provenance, store

BASE = {"params": {"rf": 2.83}, "inputs": [], "code": "c0ffee"}


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


def test_identifier_follows_the_inputs_not_their_paths(tmp_path):
    def make(name, artefact_id):
        path = tmp_path / name
        store.write(path, "example", {}, provenance={"artefact_id": artefact_id})
        return path

    first, moved, other = make("a.h5", "1"), make("b.h5", "1"), make("c.h5", "2")
    assert identity(inputs=[first]) == identity(inputs=[moved])
    assert identity(inputs=[first]) != identity(inputs=[other])
