"""Why particles do not follow the linear density of their box: the usual mistakes, tried out.

Particles are compared with their Lagrangian sites (mean and rms displacement), with the linear
density on large scales (correlation and amplitude), and with halos (matter density at their
centres). Where one of these fails, the mistakes in `lagbias.sources.mistakes` are undone one after
another, and the one that makes all fit is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lagbias.cosmology import Background
from lagbias.sources.large_scales import LargeScales, large_scales
from lagbias.sources.mistakes import (
    Mistake,
    Sample,
    density_mistakes,
    halo_mistakes,
    particle_mistakes,
    sample_of,
)

if TYPE_CHECKING:
    from lagbias.sources.base import Box

__all__ = ["SMALLEST_ALIGNED", "Findings", "check_alignment", "examine"]

SMALLEST_ALIGNED = 100.0
"""Minimum side [Mpc/h] of a box whose matter and linear density are compared."""
#: Maximum rms distance of particles from their Lagrangian sites [Mpc/h].
_MAX_RMS_DISPLACEMENT = 15.0
#: Minimum correlation coefficient of matter and linear density on large scales.
_MIN_CORRELATION = 0.9

#: Amplitudes of matter relative to the linear density that non-linear growth and coarse time steps
#: explain.
_AMPLITUDES = (0.8, 1.25)
#: Mean displacement, in cells, that an even ratio of lattice and grid does not explain.
_MAX_MEAN_SHIFT = 0.4
#: Matter density at halos in units of the mean, below which they are elsewhere.
_MIN_AT_HALOS = 1.2
#: Factor by which it rises once a mistake in the positions of halos is undone.
_RISE_AT_HALOS = 1.4
#: Cells in which it is measured [Mpc/h], and most of them along a side.
_HALO_CELL = 4.0
_MOST_HALO_CELLS = 256
#: Fewest particles at halos, were these anywhere, from which it is measured.
_FEWEST_AT_HALOS = 50
_PAGE = "docs/how-to/new-simulation.md says what else to check."


@dataclass(frozen=True, kw_only=True)
class Findings:
    """How particles, density and halos of a box fit each other; None where it cannot be told."""

    displacement: float
    """rms distance of particles from their sites [Mpc/h]."""
    shift: tuple[float, float, float]
    """Mean displacement along x, y and z [cells of the density]."""
    large_scales: LargeScales | None
    """Matter and linear density, in boxes of at least `SMALLEST_ALIGNED`."""
    at_halos: float | None
    """Matter density at halos, in units of the mean."""


def check_alignment(box: Box, *, any_redshift: bool = False) -> Findings:
    """Check that particles, density and halos of a box belong together.

    Parameters
    ----------
    box : Box
        Box that passes `lagbias.sources.base.check_contract`.
    any_redshift : bool, keyword-only
        Whether the linear density may be at another redshift than the particles.

    Returns
    -------
    Findings

    Raises
    ------
    ValueError
        Naming the mistake that explains what does not fit, where it is a usual one.
    """
    sample = sample_of(box)
    findings = examine(sample)
    problems = list(_particle_problems(sample, findings))
    problems += [] if any_redshift else _amplitude_problems(box, findings)
    problems += _halo_problems(sample, findings)
    if problems:
        raise ValueError(" ".join(problems))
    return findings


def examine(sample: Sample) -> Findings:
    """Compare particles with sites, linear density and halos."""
    displacement, shift = _displacement(sample)
    return Findings(
        displacement=displacement,
        shift=shift,
        large_scales=_large_scales(sample),
        at_halos=_at_halos(sample),
    )


def _displacement(sample: Sample) -> tuple[float, tuple[float, float, float]]:
    offset = sample.displacement()
    mean = offset.mean(axis=0) * (sample.n_grid / sample.box_size)
    rms = float(np.sqrt(np.mean(np.sum(offset**2, axis=1))))
    return rms, (float(mean[0]), float(mean[1]), float(mean[2]))


def _large_scales(sample: Sample) -> LargeScales | None:
    if sample.box_size < SMALLEST_ALIGNED:
        return None
    return large_scales(
        sample.position,
        sample.delta,
        box_size=sample.box_size,
        k_max=sample.k_max,
        sampled=len(sample.position) < sample.n_grid**3,
    )


def _at_halos(sample: Sample) -> float | None:
    """Return the mean matter density at halos."""
    n_cells = min(max(4, round(sample.box_size / _HALO_CELL)), _MOST_HALO_CELLS)
    expected = len(sample.halo_position) * len(sample.position) / n_cells**3
    if expected < _FEWEST_AT_HALOS:
        return None
    matter = np.bincount(_cells(sample.position, sample.box_size, n_cells), minlength=n_cells**3)
    at_halos = matter[_cells(sample.halo_position, sample.box_size, n_cells)]
    return float(at_halos.sum() / expected)


def _cells(position: np.ndarray, box_size: float, n_cells: int) -> np.ndarray:
    index = np.floor(position * (n_cells / box_size)).astype(np.int64) % n_cells
    return (index[:, 0] * n_cells + index[:, 1]) * n_cells + index[:, 2]


def _on_their_sites(sample: Sample) -> bool:
    rms, shift = _displacement(sample)
    largest = min(_MAX_RMS_DISPLACEMENT, sample.box_size / 4)
    cells = rms * sample.n_grid / sample.box_size
    noise = 5 * cells / np.sqrt(len(sample.position))
    return 0 < rms < largest and max(map(abs, shift)) < _MAX_MEAN_SHIFT + noise


def _follow_density(sample: Sample) -> bool:
    found = _large_scales(sample)
    return found is None or found.correlation >= _MIN_CORRELATION


def _particle_problems(sample: Sample, findings: Findings) -> Iterator[str]:
    """Yield why particles are not where sites and density say, with the mistake behind it."""
    if _on_their_sites(sample) and _follow_density(sample):
        return
    wrong = "start from their sites" if _follow_density(sample) else "follow the linear density"
    for mistake, corrected in _corrections(sample):
        after = examine(corrected)
        yield (
            f"The particles {wrong} if {mistake.condition} ({_compared(findings, after)}): "
            f"{mistake.remedy}."
        )
        return
    yield (
        f"The particles do not {wrong}: {_compared(findings)}. None of the usual mistakes (origin, "
        f"units, order of axes or of particle IDs, sign) explains it; are both of the same "
        f"simulation? {_PAGE}"
    )


def _corrections(sample: Sample) -> Iterator[tuple[Mistake, Sample]]:
    """Yield mistakes, alone or in pairs, without which all fits, the simplest first."""
    pairs = []
    for first in particle_mistakes(sample):
        corrected = first.undo(sample)
        if not _on_their_sites(corrected):
            continue
        if _follow_density(corrected):
            yield first, corrected
        else:
            pairs.append((first, corrected))
    for first, corrected in pairs:
        for second in density_mistakes():
            if _follow_density(both := second.undo(corrected)):
                yield first.and_then(second), both


def _compared(before: Findings, after: Findings | None = None) -> str:
    """Write the evidence, as it is and as it would be."""

    def change(name: str, one: float, other: float | None, unit: str = "") -> str:
        if other is None or f"{other:.2f}" == f"{one:.2f}":
            return f"{name} {one:.2f}{unit}"
        return f"{name} {other:.2f} instead of {one:.2f}{unit}"

    parts = []
    if before.large_scales:
        wanted = after.large_scales.correlation if after and after.large_scales else None
        parts.append(change("correlation", before.large_scales.correlation, wanted))
    wanted = after.displacement if after else None
    parts.append(change("rms displacement", before.displacement, wanted, " Mpc/h"))
    if max(map(abs, before.shift)) > _MAX_MEAN_SHIFT:
        cells = ", ".join(f"{value:.2f}" for value in before.shift)
        parts.append(f"mean displacement ({cells}) cells")
    return ", ".join(parts)


def _amplitude_problems(box: Box, findings: Findings) -> Iterator[str]:
    """Yield that the linear density is at another redshift, where it has the right modes."""
    scales = findings.large_scales
    if scales is None or scales.correlation < _MIN_CORRELATION:
        return
    low, high = _AMPLITUDES
    if low <= scales.amplitude <= high:
        return
    yield (
        f"The matter density is {scales.amplitude:.3g} times the linear density on large scales "
        f"(1 is expected): it is not that at redshift {box.attributes['redshift']:g}. "
        f"{_redshift_remedy(box, scales.amplitude)}"
    )


def _redshift_remedy(box: Box, amplitude: float) -> str:
    background = Background.flat(float(box.attributes["omega_m"]))
    there = background.growth(1 / (1 + box.attributes["redshift"])) / amplitude
    lowest, highest = background.growth(1e-3), background.growth(1.19)
    if not lowest < there < highest:
        return (
            f"Growth explains no such factor: multiply the array by about {amplitude:.2g}, or "
            f"correct its units."
        )
    redshift = max(0.0, 1 / float(background.scale_factor(there)) - 1)
    return f"It is probably at redshift {redshift:.2g}: set density_redshift to that of the array."


def _halo_problems(sample: Sample, findings: Findings) -> Iterator[str]:
    """Yield that halos are not where matter is dense, with the mistake behind it."""
    if findings.at_halos is None:
        return
    text = (
        f"Halos are not where the particles are dense: the matter density at their centres is "
        f"{findings.at_halos:.2f} times the mean."
    )
    tried = [(_at_halos(one.undo(sample)) or 0.0, one) for one in halo_mistakes(sample)]
    dense, mistake = max(tried, key=lambda pair: pair[0])
    if dense > _RISE_AT_HALOS * findings.at_halos:
        yield f"{text} It is {dense:.2f} times if {mistake.condition}: {mistake.remedy}."
    elif findings.at_halos < _MIN_AT_HALOS:
        yield f"{text} Give halos in the coordinates and units of the particles. {_PAGE}"
