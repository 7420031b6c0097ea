"""The usual mistakes, planted in a small box, are named."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lagbias.sources.base import check_contract
from lagbias.sources.diagnosis import check_alignment
from lagbias.sources.embedded import make_box
from lagbias.sources.mistakes import sample_of

L, N = 120.0, 32
CELL = L / N


def changed(box, **arrays):
    """Return a box with other arrays, sorted by site as a reader would."""
    particles, halos = box.particles, box.halos
    site = arrays.get("site", particles.lagrangian_site).astype(np.int32)
    position = arrays.get("position", particles.position).astype(np.float32)
    order = np.argsort(site, kind="stable")
    delta = arrays.get("delta", box.linear_density.delta)
    halo_position = arrays.get("halo_position", halos.position).astype(np.float32)
    made = replace(
        box,
        linear_density=replace(box.linear_density, delta=np.ascontiguousarray(delta)),
        particles=replace(particles, lagrangian_site=site[order], position=position[order]),
        halos=replace(halos, position=halo_position),
    )
    check_contract(made)  # what is planted has to get this far
    return made


def moved(box, shift):
    return {
        "position": (box.particles.position + np.float32(shift)) % np.float32(L),
        "halo_position": (box.halos.position + np.float32(shift)) % np.float32(L),
    }


def turned(box, axes):
    return {
        "position": box.particles.position[:, axes],
        "halo_position": box.halos.position[:, axes],
    }


def fortran(site):
    """Return the sites of particles whose IDs count x fastest, read as if they counted z so."""
    return site.reshape((N,) * 3).transpose().ravel()


def message(box):
    with pytest.raises(ValueError) as caught:
        check_alignment(box)
    return str(caught.value)


def test_a_box_without_mistakes_fits(box):
    found = check_alignment(box)
    assert 0 < found.displacement < 10
    assert max(map(abs, found.shift)) < 1e-3
    assert found.large_scales.correlation > 0.98
    assert found.large_scales.amplitude == pytest.approx(1, abs=0.1)
    assert found.at_halos > 3


def test_displacement_is_periodic(box):
    nodes = np.stack(np.unravel_index(box.particles.lagrangian_site, (N,) * 3), axis=-1) * CELL
    shifted = (nodes + np.array([-3.0, 0.0, 4.0])) % L
    found = sample_of(changed(box, position=shifted)).displacement()
    np.testing.assert_allclose(found, np.broadcast_to((-3.0, 0.0, 4.0), (N**3, 3)), atol=1e-5)


def test_a_thinned_box_fits(box):
    chosen = np.random.default_rng(3).random(N**3) < 0.05
    particles = box.particles
    site, position = particles.lagrangian_site[chosen], particles.position[chosen]
    thin = replace(particles, lagrangian_site=site, position=position)
    check_alignment(replace(box, particles=thin))


PLANTED = {
    "half a box": (lambda b: moved(b, L / 2), ["moved by half a box", "set origin to"]),
    "one cell": (
        lambda b: moved(b, CELL),
        ["(-1.00, -1.00, -1.00) cells", f"add {CELL:.4g} Mpc/h to origin"],
    ),
    "half a cell": (lambda b: moved(b, -CELL / 2), ["(0.50, 0.50, 0.50) cells", "add -1.875"]),
    "a factor of h": (
        lambda b: {"position": 0.7 * b.particles.position},
        ["positions are multiplied by 1.429", "multiply length_unit", "a factor of h"],
    ),
    "kpc for Mpc": (
        lambda b: {"position": b.particles.position / 1000},
        ["positions are multiplied by 1000", "multiply length_unit"],
    ),
    "x and z of positions": (
        lambda b: turned(b, [2, 1, 0]),
        ["the x and z axes of positions are exchanged", "a[:, [2, 1, 0]]"],
    ),
    "z, x, y of positions": (
        lambda b: turned(b, [1, 2, 0]),
        ["the axes of positions are taken in the order z, x, y", "a[:, [2, 0, 1]]"],
    ),
    "x and z of the density": (
        lambda b: {"delta": b.linear_density.delta.transpose()},
        ["the x and z axes of linear_density are exchanged", "numpy.transpose(a, (2, 1, 0))"],
    ),
    "x and y of the density": (
        lambda b: {"delta": b.linear_density.delta.transpose(1, 0, 2)},
        ["the x and y axes of linear_density are exchanged"],
    ),
    "y and z of the density": (
        lambda b: {"delta": b.linear_density.delta.transpose(0, 2, 1)},
        ["the y and z axes of linear_density are exchanged"],
    ),
    "order y, z, x of the density": (
        lambda b: {"delta": b.linear_density.delta.transpose(1, 2, 0)},
        ["the axes of linear_density are taken in the order z, x, y"],
    ),
    "order z, x, y of the density": (
        lambda b: {"delta": b.linear_density.delta.transpose(2, 0, 1)},
        ["the axes of linear_density are taken in the order y, z, x"],
    ),
    "order of IDs": (
        lambda b: {"site": fortran(b.particles.lagrangian_site)},
        ["particle IDs are read in the other order", "set particle_order to the other one"],
    ),
    "first ID": (
        lambda b: {"site": (b.particles.lagrangian_site + 1) % N**3},
        ["if particle IDs start at 1", "raise first_id by 1"],
    ),
    "order of IDs and first ID": (
        lambda b: {"site": (fortran(b.particles.lagrangian_site) + 1) % N**3},
        ["particle IDs are read in the other order", "and particle IDs start at 1"],
    ),
    "sign": (
        lambda b: {"delta": -b.linear_density.delta},
        ["linear_density has the opposite sign"],
    ),
    "origin of the density": (
        lambda b: {"delta": np.roll(b.linear_density.delta, N // 2, axis=(0, 1, 2))},
        ["linear_density is moved by half a box"],
    ),
    "order of IDs and sign": (
        lambda b: {
            "site": fortran(b.particles.lagrangian_site),
            "delta": -b.linear_density.delta,
        },
        ["particle IDs are read in the other order", "and linear_density has the opposite sign"],
    ),
}


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_named(box, mistake):
    plant, expected = PLANTED[mistake]
    text = message(changed(box, **plant(box)))
    assert re.match("The particles (follow the linear density|start from their sites) if ", text)
    for words in expected:
        assert words in text
    assert "\n" not in text


def test_the_correlation_before_and_after_is_given(box):
    text = message(changed(box, delta=box.linear_density.delta.transpose()))
    assert "correlation 0.99 instead of " in text


@pytest.mark.parametrize(("redshift", "factor"), [(0.0, 1 / 0.769), (49.0, 0.0254 / 0.769)])
def test_a_density_at_another_redshift_is_named(box, redshift, factor):
    text = message(changed(box, delta=np.float32(factor) * box.linear_density.delta))
    assert "not that at redshift 0.5" in text and "set density_redshift" in text
    guess = float(text.partition("probably at redshift ")[2].partition(":")[0])
    assert (1 + guess) == pytest.approx(1 + redshift, rel=0.15)


def test_a_density_in_other_units_is_named(box):
    text = message(changed(box, delta=np.float32(1e-6) * box.linear_density.delta))
    assert "multiply the array by about 9.5e+05, or correct its units" in text


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (lambda p: (p + np.float32(L / 2)) % np.float32(L), "moved by half a box"),
        (lambda p: np.float32(0.7) * p, "halos are multiplied by 1.4"),
        (lambda p: p[:, [1, 0, 2]], "the x and y axes of halos are exchanged"),
    ],
)
def test_halos_that_are_elsewhere_are_named(box, plant, expected):
    text = message(changed(box, halo_position=plant(box.halos.position)))
    assert text.startswith("Halos are not where the particles are dense") and expected in text


def test_particles_of_another_simulation_are_explained_by_nothing(box, small_settings):
    other = make_box(small_settings, seed=2, threads=1)
    text = message(changed(box, delta=other.linear_density.delta))
    assert "None of the usual mistakes" in text and "correlation" in text


def test_small_boxes_are_compared_with_sites_only(box):
    small = replace(
        box,
        **{
            name: replace(getattr(box, name), attributes={**box.attributes, "box_size": 60.0})
            for name in ("linear_density", "particles", "halos")
        },
    )
    particles = replace(small.particles, position=small.particles.position / 2)
    halos = replace(small.halos, position=small.halos.position / 2)
    small = replace(small, particles=particles, halos=halos)
    assert check_alignment(small).large_scales is None
    other_order = fortran(small.particles.lagrangian_site)
    assert "in the other order" in message(changed(small, site=other_order))
