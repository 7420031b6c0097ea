"""The contract of sources, and that checks of it see what is broken."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lagbias.sources import SOURCES, get_source
from lagbias.sources.base import (
    REQUIRED_ATTRIBUTES,
    check_alignment,
    check_contract,
    large_scale_correlation,
    rms_displacement,
)

SETTINGS = SimpleNamespace(
    box_size=120.0,
    particles_per_side=32,
    redshift=0.5,
    initial_redshift=19.0,
    steps=3,
    linking_length=0.2,
    min_halo_particles=5,
)


@pytest.fixture(scope="module")
def box():
    return get_source("embedded")(SETTINGS, seed=1, threads=1)


def changed(box, name, index, value):
    array = getattr(box, name).copy()
    array[index] = value
    return replace(box, **{name: array})


def test_importing_the_registry_loads_no_source():
    code = (
        "import sys, lagbias.sources; "
        "print([m for m in sys.modules if m.startswith(('numba', 'lagbias.sim', 'abacus'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_unknown_sources_are_refused():
    assert "embedded" in SOURCES
    with pytest.raises(ValueError, match=r"'gadget' is unknown; choose one of .*'embedded'"):
        get_source("gadget")


def test_the_embedded_source_keeps_the_contract(box):
    check_contract(box, unique_sites=True)
    check_alignment(box)
    assert len(box.halo_mass) > 20
    np.testing.assert_array_equal(box.lagrangian_site, np.arange(32**3))
    assert box.attributes["seed"] == 1 and box.attributes["source"] == "embedded"


def test_linear_density_is_at_the_redshift_of_the_snapshot(box):
    earlier = SimpleNamespace(**{**vars(SETTINGS), "redshift": 3.0, "steps": 1})
    young = get_source("embedded")(earlier, seed=1, threads=1)
    ratio = box.attributes["growth"] / young.attributes["growth"]
    assert ratio == pytest.approx(0.76942 / 0.31635, rel=1e-4)  # AbacusSummit's growth table
    np.testing.assert_allclose(
        box.linear_density, ratio * young.linear_density, atol=1e-5 * box.linear_density.max()
    )


@pytest.mark.parametrize("name", sorted(REQUIRED_ATTRIBUTES))
def test_missing_attributes_are_named(box, name):
    attributes = {key: value for key, value in box.attributes.items() if key != name}
    with pytest.raises(ValueError, match=f"attribute '{name}' .*missing"):
        check_contract(replace(box, attributes=attributes))


def with_one(values, value):
    """Put one value at [1, 2, 3], or as many of these as there are axes."""
    changed = values.copy()
    changed[(1, 2, 3)[: values.ndim]] = value
    return changed


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("linear_density", lambda a: a.astype(np.float64), "linear_density is float64"),
        ("linear_density", lambda a: a[:, :, :-1], "linear_density is float32"),
        ("linear_density", lambda a: a + np.float32(0.01), "not zero"),
        ("linear_density", lambda a: 0 * a, "standard deviation 0"),
        ("lagrangian_site", lambda a: a.astype(np.int64), "lagrangian_site is int64"),
        ("lagrangian_site", lambda a: a[:-1], "lagrangian_site is int32"),
        ("lagrangian_site", lambda a: a + np.int32(1), "lagrangian_site runs from 1"),
        ("lagrangian_site", lambda a: np.minimum(a, a[-2]), "1 Lagrangian sites are shared"),
        ("lagrangian_site", lambda a: a[::-1], "not in order of ascending lagrangian_site"),
        ("positions", lambda a: a - np.float32(60), "positions are not all in"),
        ("halo_positions", lambda a: a + np.float32(60), "halo_positions are not all in"),
        ("halo_positions", lambda a: a * np.float32(np.nan), r"of halo_positions, .*\(nan\) at"),
        ("linear_density", lambda a: with_one(a, np.nan), r"1 of 32768 .* \(nan\) at \[1, 2, 3\]"),
        ("positions", lambda a: with_one(a, np.inf), r"of positions, 1 .* \(inf\) at \[1, 2\]"),
        ("halo_mass", lambda a: a * np.float32(1.001), "halo masses are not"),
        ("halo_velocities", lambda a: a * np.float32(np.inf), "of halo_velocities, "),
        ("halo_particles", lambda a: 0 * a, "has 0 particles"),
    ],
)
def test_broken_arrays_are_named(box, name, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_contract(replace(box, **{name: change(getattr(box, name))}), unique_sites=True)


def test_an_attribute_that_is_no_number_is_named(box):
    attributes = {**box.attributes, "redshift": np.nan}
    with pytest.raises(ValueError, match="attribute 'redshift' is nan"):
        check_contract(replace(box, attributes=attributes))


def test_halos_out_of_order_are_named(box):
    backwards = {
        name: np.ascontiguousarray(getattr(box, name)[::-1])
        for name in ("halo_mass", "halo_particles", "halo_positions", "halo_velocities")
    }
    with pytest.raises(ValueError, match="decreasing"):
        check_contract(replace(box, **backwards))


def test_everything_broken_is_reported_at_once(box):
    broken = replace(
        box, positions=box.positions - np.float32(60), halo_mass=box.halo_mass * np.float32(2)
    )
    with pytest.raises(ValueError) as caught:
        check_contract(broken)
    assert "positions are not" in str(caught.value) and "halo masses" in str(caught.value)


def test_shared_sites_are_allowed_unless_asked(box):
    check_contract(changed(box, "lagrangian_site", 1, 0))


def test_a_box_without_halos_keeps_the_contract(box):
    empty = {
        name: getattr(box, name)[:0]
        for name in ("halo_mass", "halo_particles", "halo_positions", "halo_velocities")
    }
    check_contract(replace(box, **empty))


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_transposed_density_fails_the_alignment(box, axes):
    turned = replace(box, linear_density=np.ascontiguousarray(box.linear_density.transpose(axes)))
    check_contract(turned)
    with pytest.raises(ValueError, match="order of the axes"):
        check_alignment(turned)


def test_a_wrong_origin_fails_the_alignment(box):
    half = np.float32(60)
    with pytest.raises(ValueError, match="origin of positions"):
        check_alignment(replace(box, positions=(box.positions + half) % np.float32(120)))
    shifted = replace(box, linear_density=np.roll(box.linear_density, 16, axis=(0, 1, 2)))
    with pytest.raises(ValueError, match="origin of the linear density"):
        check_alignment(shifted)


def test_sites_in_fortran_order_fail_the_alignment(box):
    sites = box.lagrangian_site.reshape(32, 32, 32).transpose().ravel()
    with pytest.raises(ValueError, match="index order"):
        check_alignment(replace(box, lagrangian_site=sites))


def test_displacement_is_taken_the_short_way_round(box):
    nodes = np.stack(np.unravel_index(box.lagrangian_site, (32,) * 3), axis=-1) * (120.0 / 32)
    shifted = ((nodes + np.array([-3.0, 0.0, 4.0])) % 120.0).astype(np.float32)
    assert rms_displacement(replace(box, positions=shifted)) == pytest.approx(5.0, rel=1e-5)


def test_too_small_a_box_has_no_large_scales(box):
    with pytest.raises(ValueError, match="no mode"):
        large_scale_correlation(box, k_max=0.05)
