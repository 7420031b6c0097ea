"""The numbers of the tiny run are those of `tests/reference/tiny_run.json`."""

import importlib.util
import math
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def reference(repository):
    """The module that writes and compares reference numbers."""
    path = repository / "tests" / "reference" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe(one, allowed: float) -> str:
    """Name artefact, quantity, both values and the deviation."""
    values = f"{str(one.found)[:80]} instead of {str(one.expected)[:80]}"
    return f"{one.path}: {one.name} deviates by {one.size:.2g} (at most {allowed:g}): {values}"


def test_the_tiny_run_has_the_reference_numbers(finished, reference):
    run = finished.root / "results" / "tiny"
    made_on, expected = reference.load(reference.TINY)
    other = reference.unlike(reference.machine(run), made_on)
    failures = []
    for one in reference.compare(run, expected):
        allowed = one.allowed(same_machine=not other)
        if not one.size <= allowed:  # also where it is NaN: missing
            failures.append(describe(one, allowed))
    kind = f"to tolerance, because {', '.join(other)} differ" if other else "exactly"
    assert not failures, f"{len(failures)} numbers compared {kind}:\n" + "\n".join(failures[:40])


def test_the_reference_is_complete(reference):
    _, expected = reference.load(reference.TINY)
    found = {name: set() for name in reference.QUANTITIES}
    for path, values in expected.items():
        found[reference.group(path)] |= {name.partition(":")[0] for name in values}
    assert found == {name: set(values) for name, values in reference.QUANTITIES.items()}


def test_missing_and_changed_numbers_are_noticed(reference, tmp_path):
    _, expected = reference.load(reference.TINY)
    assert all(math.isnan(one.size) for one in reference.compare(Path(tmp_path), expected))
    deviation = reference.deviation
    assert deviation([1.0, 2.0], [1.0, 2.0], "k") == 0
    assert 0 < deviation([1.0, math.nextafter(2.0, 3.0)], [1.0, 2.0], "k") < 1e-15
    for found in ([1.0], [1.0, math.nan], None):
        assert math.isnan(deviation(found, [1.0, 2.0], "k"))
    assert math.isinf(deviation("holds", "does not hold", "verdict"))
