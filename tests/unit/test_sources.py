"""The contract of sources, and the checks that see what is broken."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lagbias.simulate.friends_of_friends import friends_of_friends, halo_properties
from lagbias.sources.base import REQUIRED_ATTRIBUTES, check_contract
from lagbias.sources.embedded import make_box
from lagbias.sources.large_scales import large_scales

# Rounding of velocities of hundreds of km/s to float32.
SINGLE_PRECISION = 1e-3


def changed(box, name, change):
    """Return a box with one array changed, such as ``halos.mass``."""
    part, _, field = name.partition(".")
    values = change(getattr(getattr(box, part), field))
    return replace(box, **{part: replace(getattr(box, part), **{field: values})})


def with_attributes(box, attributes):
    return replace(box, particles=replace(box.particles, attributes=attributes))


def with_one(values, value):
    """Put one value at [1, 2, 3], or as many of these as there are axes."""
    copy = values.copy()
    copy[(1, 2, 3)[: values.ndim]] = value
    return copy


def test_the_embedded_source_keeps_the_contract(box):
    check_contract(box, unique_sites=True)
    assert len(box.halos.mass) > 20
    np.testing.assert_array_equal(box.particles.lagrangian_site, np.arange(32**3))
    assert box.attributes["seed"] == 1 and box.attributes["source"] == "embedded"


def test_linear_density_is_at_the_redshift_of_the_snapshot(small_settings, box):
    earlier = SimpleNamespace(**{**vars(small_settings), "redshift": 3.0, "steps": 1})
    young = make_box(earlier, seed=1, threads=1)
    ratio = box.attributes["growth"] / young.attributes["growth"]
    assert ratio == pytest.approx(0.76942 / 0.31635, rel=1e-4)  # AbacusSummit's growth table
    delta = box.linear_density.delta
    np.testing.assert_allclose(delta, ratio * young.linear_density.delta, atol=1e-5 * delta.max())


def test_missing_and_infinite_attributes_are_named(box):
    with pytest.raises(ValueError) as caught:
        check_contract(with_attributes(box, {}))
    for name in REQUIRED_ATTRIBUTES:
        assert f"attribute '{name}' (" in str(caught.value)
    with pytest.raises(ValueError, match="attribute 'redshift' is nan"):
        check_contract(with_attributes(box, {**box.attributes, "redshift": np.nan}))


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("linear_density.delta", lambda a: a.astype(np.float64), "delta is float64"),
        ("linear_density.delta", lambda a: a[:, :, :-1], "delta is float32"),
        ("linear_density.delta", lambda a: a + np.float32(0.01), "not zero"),
        ("linear_density.delta", lambda a: 0 * a, "standard deviation 0"),
        (
            "linear_density.delta",
            lambda a: with_one(a, np.nan),
            r"1 of 32768 .* \(nan\) at \[1, 2, 3\]",
        ),
        ("particles.lagrangian_site", lambda a: a.astype(np.int64), "site is int64"),
        ("particles.lagrangian_site", lambda a: a[:-1], "site is int32"),
        ("particles.lagrangian_site", lambda a: a + np.int32(1), "site runs from 1"),
        ("particles.lagrangian_site", lambda a: np.minimum(a, a[-2]), "1 .*sites are shared"),
        ("particles.lagrangian_site", lambda a: a[::-1], "not in order of ascending"),
        ("particles.position", lambda a: a - np.float32(60), "particles.position are not all in"),
        (
            "particles.position",
            lambda a: with_one(a, np.inf),
            r"position: 1 .* \(inf\) at \[1, 2\]",
        ),
        ("particles.velocity", lambda a: a[:-1], "particles.velocity is float32"),
        ("particles.velocity", lambda a: a * np.float32(np.nan), "particles.velocity: "),
        ("halos.position", lambda a: a + np.float32(60), "halos.position are not all in"),
        ("halos.mass", lambda a: a * np.float32(1.001), "halo masses are not"),
        ("halos.mass", lambda a: a[::-1].copy(), "decreasing"),
        ("halos.velocity", lambda a: a * np.float32(np.inf), "halos.velocity: "),
        ("halos.particles", lambda a: 0 * a, "has 0 particles"),
    ],
)
def test_broken_arrays_are_named(box, name, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_contract(changed(box, name, change), unique_sites=True)


def test_everything_broken_is_reported_at_once(box):
    broken = changed(box, "particles.position", lambda a: a - np.float32(60))
    with pytest.raises(ValueError) as caught:
        check_contract(changed(broken, "halos.mass", lambda a: a * np.float32(2)))
    assert "position are not" in str(caught.value) and "halo masses" in str(caught.value)


def test_halos_have_the_mean_velocity_of_their_particles(box, small_settings):
    """Both are peculiar velocities in km/s."""
    labels = friends_of_friends(
        box.particles.position,
        box_size=120.0,
        linking_length=small_settings.linking_length * 120.0 / 32,
        min_particles=small_settings.min_halo_particles,
    )
    halos = halo_properties(labels, box.particles.position, box.particles.velocity, box_size=120.0)
    assert box.particles.velocity.dtype == np.float32
    np.testing.assert_allclose(box.halos.velocity, halos.velocities, atol=SINGLE_PRECISION)


def test_a_source_may_have_no_velocities(box):
    check_contract(changed(box, "particles.velocity", lambda a: a[:0]))


def test_shared_sites_and_a_box_without_halos_are_allowed(box):
    check_contract(changed(box, "particles.lagrangian_site", lambda a: np.minimum(a, a[-2])))
    halos = box.halos
    arrays = ("position", "mass", "particles", "velocity")
    empty = replace(halos, **{name: getattr(halos, name)[:0] for name in arrays})
    check_contract(replace(box, halos=empty))


def test_too_small_a_box_has_no_large_scales(box):
    with pytest.raises(ValueError, match="no mode"):
        large_scales(box.particles.position, box.linear_density.delta, box_size=120.0, k_max=0.05)
