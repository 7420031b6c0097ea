"""Claims about halos in a thin range of masses (§5, Fig. 8)."""

import numpy as np
from scipy import stats

from lagbias.claims.base import Measurement, Untestable, claim, listed, named
from lagbias.claims.evidence import Evidence
from lagbias.claims.profiles import BIN, MIN_PARTICLES, profile, ridge

__all__ = ["LOWEST", "RIDGE_TO"]

#: Range of PC0 in which f is averaged, and to which the ridge is followed, standard deviations.
LOWEST, HIGHEST, RIDGE_TO = -2.0, 3.25, 2.5
#: Where f is to have dropped.
DROPPED_AT = 3.0
_PLACE = "§5, Fig. 8"


@claim(
    "C29",
    "For a thin range of masses f peaks at PC0 of about 0.5 for low and 1.5 for high mass.",
    place=_PLACE,
    metric=f"PC0 of the largest mean f, bins of {BIN} with {MIN_PARTICLES} particles or more",
    paper="0.5 and 1.5",
    threshold="low {low_least:g} to {low_most:g}, high {high_least:g} to {high_most:g}, high > low",
    low_least=0.15,
    low_most=0.85,
    high_least=1.0,
    high_most=2.0,
)
def _peaks(evidence: Evidence, **limits: float) -> Measurement:
    peaks = {}
    for sample in evidence.thin_samples:
        particles = evidence.particles(evidence.role("thin"), sample)
        along = profile(particles.coordinates[:, 0], particles.f, LOWEST, HIGHEST)
        peaks[sample] = along.centre[along.mean.argmax()]
    low, high = peaks.values()
    return Measurement(
        listed(peaks, "+.3f"),
        named("peak", peaks),
        limits["low_least"] <= low <= limits["low_most"]
        and limits["high_least"] <= high <= limits["high_most"]
        and high > low,
        scatter=BIN / 2,
        scatter_of="half a bin",
    )


@claim(
    "C30",
    "For a thin range of masses f drops beyond the peak, which is tilted in the plane of PC0 and "
    "PC1.",
    place=_PLACE,
    metric=f"mean f at PC0 = {DROPPED_AT:g} over its peak; slope and correlation of the mean PC0 "
    f"of f with PC1 (−1 to {RIDGE_TO:g} and ±2 σ)",
    paper="rises and drops; tilted (picture)",
    threshold="drop below {drop:g}, |slope| {slope:g} or more, |correlation| {correlation:g} or "
    "more, both ranges",
    drop=0.5,
    slope=0.05,
    correlation=0.8,
)
def _drop_and_tilt(
    evidence: Evidence, *, drop: float, slope: float, correlation: float
) -> Measurement:
    drops, slopes, correlations = {}, {}, {}
    for sample in evidence.thin_samples:
        particles = evidence.particles(evidence.role("thin"), sample)
        first, second = particles.coordinates.T[:2]
        along = profile(first, particles.f, LOWEST, HIGHEST)
        if along.centre[-1] < DROPPED_AT:
            raise Untestable(
                f"the sample of particles ends at PC0 = {along.centre[-1]:.2f}, short of "
                f"{DROPPED_AT:g}"
            )
        drops[sample] = np.interp(DROPPED_AT, along.centre, along.mean) / along.mean.max()
        line = stats.linregress(*ridge(first, second, particles.f, -1.0, RIDGE_TO))
        slopes[sample], correlations[sample] = line.slope, line.rvalue
    return Measurement(
        f"drop to {listed(drops, '.2f')}; slope {listed(slopes, '+.3f')}; correlation "
        f"{listed(correlations, '+.2f')}",
        {
            **named("drop", drops),
            **named("slope", slopes),
            **named("correlation", correlations),
        },
        max(drops.values()) < drop
        and min(map(abs, slopes.values())) >= slope
        and min(map(abs, correlations.values())) >= correlation,
        scatter=max(drops.values()) - min(drops.values()),
        scatter_of="samples, of the drop",
    )
