"""Claims about features, halo masses and fields in space (§2.1, §3.1, §5, Fig. 10)."""

import numpy as np
from scipy.ndimage import gaussian_filter

from lagbias.claims.base import Measurement, Untestable, claim, listed, named, span, within
from lagbias.claims.evidence import COARSE, EXTENDED, FINE, FINEST, Evidence
from lagbias.cosmology import CRITICAL_DENSITY, Background

__all__ = ["LOWEST_MASS", "SMOOTHING_CELLS", "radius_of_mass"]

#: Lowest halo mass of the paper: 150 particles [Msun/h]; and the largest relative difference of a
#: run's lowest mass at which mean masses are compared.
LOWEST_MASS, COMPARABLE = 3.16e11, 0.2
#: Gaussian smoothing of the halo field that residuals are correlated with, in cells.
SMOOTHING_CELLS = 2.0
#: The paper's mass-weighted mean masses [Msun/h], of the threshold and of the thin ranges.
PAPER_MASSES = (2.4e13, 5.2e11, 6.2e12)


def radius_of_mass(mass: float) -> float:
    """Return R [Mpc/h] of the Gaussian filter of a mass [Msun/h]: M = (2π)^{3/2} ρ_m R³."""
    density = CRITICAL_DENSITY * Background.abacus_c000().omega_m
    return float((mass / ((2 * np.pi) ** 1.5 * density)) ** (1 / 3))


@claim(
    "C33",
    "Residuals show no pattern that follows the halo density, nor do differences between sets.",
    place="App. A, Fig. 10",
    metric="correlation of model minus halos, and of other sets' models minus the reference's, "
    f"with δ_h smoothed over {SMOOTHING_CELLS:g} cells (Gaussian), training grid of the "
    "validation box",
    paper="no particular pattern (figure)",
    threshold="|r| below {below:g} each",
    limits={"below": 0.1},
)
def _no_pattern(evidence: Evidence, *, below: float) -> Measurement:
    halos = evidence.halo_field()
    reference = evidence.model_field(evidence.multi)
    residuals = {f"{evidence.multi} − halos": (reference, halos)}
    for name in (COARSE, EXTENDED):
        residuals[f"{name} − {evidence.multi}"] = (evidence.model_field(name), reference)
    if len({field.shape for pair in residuals.values() for field in pair}) > 1:
        raise Untestable("halo and model fields of this run are on different training grids")
    smooth = gaussian_filter(halos.astype(np.float64), SMOOTHING_CELLS, mode="wrap").ravel()
    found = {}
    for name, (field, subtracted) in residuals.items():
        residual = (field.astype(np.float64) - subtracted).ravel()
        if residual.std() == 0 or smooth.std() == 0:
            raise Untestable(f"the field {name} does not vary in this run")
        found[name] = np.corrcoef(residual, smooth)[0, 1]
    return Measurement(
        f"r = {listed(found, '+.3f')}",
        named("correlation", found),
        max(map(abs, found.values())) < below,
        scatter=(span(found), "fields"),
    )


@claim(
    "C41",
    "The square roots of the features' eigenvalues span three to four decades.",
    place="§2.1",
    metric="½ log10 of largest over smallest eigenvalue of the δ and ∇²δ features, fine sets",
    paper="three or four magnitudes",
    threshold="{least:g} to {most:g} each",
    limits={"least": 2.7, "most": 4.3},
)
def _eigenvalues_span_decades(evidence: Evidence, *, least: float, most: float) -> Measurement:
    decades = {}
    for name in (FINE, FINEST):
        fitted = evidence.whitening(name)
        values = fitted.eigenvalues[: 2 * len(fitted.smoothing_radii)]
        if values.min() <= 0:
            raise Untestable(f"the smallest eigenvalue of {name} is below rounding")
        decades[name] = 0.5 * np.log10(values.max() / values.min())
    return Measurement(
        listed(decades, ".2f"),
        named("decades", decades),
        within(decades, least, most),
        scatter=(span(decades), "sets"),
    )


@claim(
    "C42",
    "G2 is uncorrelated with δ and ∇²δ, but the G2 of different scales are highly correlated.",
    place="§2.1",
    metric="largest |correlation| of any G2 with any δ or ∇²δ; largest departure of corr(G2_i, "
    "G2_j) from corr(δ_i, δ_j)², its value in a Gaussian field; set with most radii",
    paper="uncorrelated; highly correlated",
    threshold="below {uncorrelated:g}; within {law:g}",
    limits={"uncorrelated": 0.02, "law": 0.02},
)
def _tides_correlate(evidence: Evidence, *, uncorrelated: float, law: float) -> Measurement:
    sets = evidence.whitened_sets()
    if not sets:
        raise Untestable("this run has no whitening of the main training box")
    name = max(sets, key=lambda name: len(evidence.whitening(name).smoothing_radii))
    covariance = evidence.whitening(name).covariance
    if len(covariance) < 6:
        raise Untestable("this run has no set of several radii")
    sigma = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sigma, sigma)
    cross = max(np.abs(correlation[2::3, part::3]).max() for part in (0, 1))
    tides, densities = correlation[2::3, 2::3], correlation[::3, ::3]
    pairs = np.triu_indices(len(tides), k=1)
    departure = np.abs(tides - densities**2)[pairs].max()
    return Measurement(
        f"{name}: with δ, ∇²δ at most {cross:.4f}; G2 with G2 {tides[pairs].min():.2f} to "
        f"{tides[pairs].max():.2f}, within {departure:.4f} of the square law",
        {
            "cross": cross,
            "departure": departure,
            "smallest G2 correlation": tides[pairs].min(),
            "largest G2 correlation": tides[pairs].max(),
        },
        cross < uncorrelated and departure <= law,
        scatter=(departure, "pairs of scales, about the law"),
    )


@claim(
    "C43",
    "The mass-weighted mean mass is 2.4e13 Msun/h, that of a filter of 2.6 Mpc/h, and 5.2e11 and "
    "6.2e12 Msun/h in the thin ranges.",
    place="§3.1, §5",
    metric="relative difference of the mean masses from the paper's; R of M = (2π)^{3/2} ρ_m R³",
    paper="2.4e13 ↔ 2.6 Mpc/h; 5.2e11; 6.2e12",
    threshold="masses within {mass:g}, R {least:g} to {most:g} Mpc/h",
    limits={"mass": 0.05, "least": 2.5, "most": 2.7},
)
def _mean_masses(evidence: Evidence, *, mass: float, least: float, most: float) -> Measurement:
    samples = [evidence.roles["sample"], *evidence.thin_samples]
    main = evidence.halo_attributes(evidence.train_box, samples[0])
    radius = radius_of_mass(main["mean_mass"])
    if abs(main["min_mass"] / LOWEST_MASS - 1) > COMPARABLE:
        raise Untestable(
            f"the halos of this run begin at {main['min_mass']:.3g} Msun/h, the paper's at "
            f"{LOWEST_MASS:.3g}, so that mean masses do not compare (here "
            f"{main['mean_mass']:.3g} Msun/h, that of a filter of {radius:.2f} Mpc/h)"
        )
    masses = {s: evidence.halo_attributes(evidence.train_box, s)["mean_mass"] for s in samples}
    differences = {
        name: found / paper - 1
        for (name, found), paper in zip(masses.items(), PAPER_MASSES, strict=True)
    }
    return Measurement(
        f"{listed(masses, '.3g')} Msun/h ↔ {radius:.2f} Mpc/h",
        {**named("mean mass", masses), **named("difference", differences), "radius": radius},
        max(map(abs, differences.values())) <= mass and least <= radius <= most,
    )
