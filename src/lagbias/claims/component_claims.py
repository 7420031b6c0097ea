"""Claims about the principal components of ∇f (§4, Figs. 5 and 7; §5, Fig. 8)."""

import numpy as np
from scipy import stats

from lagbias.claims.base import Measurement, Untestable, claim, listed, named, span, within
from lagbias.claims.evidence import FINEST, Evidence
from lagbias.claims.profiles import BIN, MIN_PARTICLES, profile, ridge, variance_at_fixed

#: PC0 below which f vanishes in the paper, and end of the bins, in standard deviations.
ZERO_BELOW, HIGHEST = -1.0, 3.0
#: Range of PC0 of halos in thin ranges of mass, end of the ridge, and where f has dropped.
THIN_RANGE, RIDGE_TO, DROPPED_AT = (-2.0, 3.25), 2.5, 3.0
_BINS = f"bins of {BIN} in PC0 with {MIN_PARTICLES} particles or more, to {HIGHEST:g} σ"
_COEFFICIENTS = ("δ", "∇²δ", "G2")


@claim(
    "C18",
    "f is about zero for PC0 below −1 and rises with PC0 above.",
    place="§4, Fig. 5",
    metric=f"mean f of PC0 < {ZERO_BELOW:g} over the largest binned mean f; smallest step between "
    f"successive bins above, in standard errors, {_BINS}",
    paper="0 below about −1; monotonic (figure)",
    threshold="ratio below {below:g}; no step down by more than {errors:g} standard errors",
    limits={"below": 0.05, "errors": 2},
)
def _f_rises_with_the_first(evidence: Evidence, *, below: float, errors: float) -> Measurement:
    coordinates, f = evidence.particles(evidence.multi)
    first = coordinates[:, 0]
    along = profile(first, f, ZERO_BELOW, HIGHEST)
    low = f[first < ZERO_BELOW]
    if len(low) < MIN_PARTICLES:
        raise Untestable(f"only {len(low)} particles of the sample have PC0 < {ZERO_BELOW:g}")
    ratio = low.mean() / along.mean.max()
    error = np.hypot(along.error[1:], along.error[:-1])
    # a step down without any scatter is a step down
    worst = (np.diff(along.mean) / np.maximum(error, np.finfo(float).tiny)).min()
    return Measurement(
        f"ratio {ratio:.4f}; smallest step {worst:+.3g} standard errors, up to PC0 = "
        f"{along.centre[-1]:.2f}",
        {"ratio": ratio, "smallest step": worst},
        ratio < below and worst > -errors,
        scatter=(low.std() / np.sqrt(len(low)) / along.mean.max(), "standard error of the ratio"),
    )


@claim(
    "C19",
    "The first eigenvalue is 3 and 4 times the second and third for every set, and the others "
    "are similar.",
    place="§4",
    metric="λ0/λ1 and λ0/λ2 of the uncentred covariance of ∇f, of every set; also printed: λ3 over "
    "the last, and the ratios of the centred covariance with their square roots",
    paper="3 and 4",
    threshold="λ0/λ1 {first_least:g} to {first_most:g}, λ0/λ2 {second_least:g} to {second_most:g}",
    limits={"first_least": 2, "first_most": 4.5, "second_least": 2.7, "second_most": 6},
)
def _eigenvalue_ratios(evidence: Evidence, **limits: float) -> Measurement:
    first, second, rest, centred = {}, {}, {}, {"λ0/λ1": {}, "λ0/λ2": {}}
    for name in evidence.all_sets:
        pca = evidence.pca(name)
        values, others = pca.eigenvalues, pca.centred_eigenvalues
        first[name], second[name] = values[0] / values[1:3]
        centred["λ0/λ1"][name], centred["λ0/λ2"][name] = others[0] / others[1:3]
        if len(values) > 4:
            rest[name] = values[3] / values[-1]
    text = f"λ0/λ1: {listed(first, '.2f')}; λ0/λ2: {listed(second, '.2f')}; "
    text += f"λ3/last: {listed(rest, '.1f')}"
    found = {**named("λ0/λ1", first), **named("λ0/λ2", second), **named("λ3/last", rest)}
    for quantity, ratios in centred.items():
        roots = {name: f"{ratio:.1f} ({np.sqrt(ratio):.2f})" for name, ratio in ratios.items()}
        text += f"; centred {quantity} (and its square root): {listed(roots, '')}"
        found |= named(f"centred {quantity}", ratios)
    return Measurement(
        text,
        found,
        limits["first_least"] <= min(first.values())
        and max(first.values()) <= limits["first_most"]
        and limits["second_least"] <= min(second.values())
        and max(second.values()) <= limits["second_most"],
        scatter=(span(first), "sets, of λ0/λ1"),
    )


@claim(
    "C20",
    "At fixed PC0 f varies much more with PC1 than with PC2.",
    place="§4, Fig. 5",
    metric="variance of the mean f between bins of PC1, minus the noise of the means, over the "
    "same of PC2, at fixed PC0 (−1 to 3 σ); the denominator is at least that noise",
    paper="much weaker (figure)",
    threshold="above {above:g}",
    limits={"above": 2},
)
def _second_matters_more_than_third(evidence: Evidence, *, above: float) -> Measurement:
    coordinates, f = evidence.particles(evidence.multi)
    if coordinates.shape[1] < 3:
        raise Untestable(f"{evidence.multi} has fewer than three components")
    first, second, third = coordinates.T[:3]
    with_second, _ = variance_at_fixed(first, second, f, ZERO_BELOW, HIGHEST)
    with_third, noise = variance_at_fixed(first, third, f, ZERO_BELOW, HIGHEST)
    floor = max(with_third, noise)
    if floor <= 0:
        raise Untestable("f does not vary at all with the third component")
    return Measurement(
        f"ratio {with_second / floor:.2f}: PC1 {with_second:.3g}, PC2 {with_third:.3g}",
        {"ratio": with_second / floor, "PC1": with_second, "PC2": with_third},
        with_second / floor > above,
        scatter=(noise, "noise of the variances"),
    )


@claim(
    "C25",
    "With one scale the coefficient of G2 in PC0 is close to zero.",
    place="§4, Fig. 7 left",
    metric="|c(G2)| over the larger of |c(δ)| and |c(∇²δ)|, PC0",
    paper="close to 0 (0.17 in the authors' code)",
    threshold="below {below:g}",
    limits={"below": 0.3},
)
def _tide_is_unimportant(evidence: Evidence, *, below: float) -> Measurement:
    row = evidence.pca(evidence.single).first[0]
    ratio = abs(row[2]) / np.abs(row[:2]).max()
    coefficients = dict(zip(_COEFFICIENTS, row, strict=True))
    return Measurement(
        f"{ratio:.3f}: {listed(coefficients, '+.3f')}",
        {"ratio": ratio, **named("coefficient", coefficients)},
        ratio < below,
    )


@claim(
    "C26",
    "With several scales the coefficients of G2 jump around zero and can exceed those of δ and "
    "∇²δ.",
    place="§4, Fig. 7",
    metric="sign changes of c(G2) from radius to radius; largest |c(G2)| over the larger of "
    "|c(δ)| and |c(∇²δ)| at the same radius, PC0",
    paper="jump up and down around zero; can have larger amplitudes",
    threshold="{changes:g} sign change or more in every set, and ratio above {above:g} in one",
    limits={"changes": 1, "above": 1},
)
def _tides_jump(evidence: Evidence, *, changes: float, above: float) -> Measurement:
    signs, ratios = {}, {}
    for name in _several(evidence):
        rows = evidence.pca(name).first
        signs[name] = int((np.diff(np.sign(rows[:, 2])) != 0).sum())
        ratios[name] = (np.abs(rows[:, 2]) / np.abs(rows[:, :2]).max(axis=1)).max()
    return Measurement(
        f"sign changes: {listed(signs, 'd')}; largest ratio: {listed(ratios, '.2f')}",
        {**named("sign changes", signs), **named("largest ratio", ratios)},
        min(signs.values()) >= changes and max(ratios.values()) > above,
        scatter=(span(ratios), "sets, of the largest ratio"),
    )


@claim(
    "C27",
    "Among the orthogonal inputs, those of G2 enter PC0 and PC1 2 to 3 times less than the others.",
    place="§4",
    metric="rms of U over the inputs of δ and ∇²δ, over the rms over the inputs of G2, PC0 and PC1 "
    "together, sets of several scales",
    paper="2 to 3",
    threshold="{least:g} to {most:g} each",
    limits={"least": 1.5, "most": 6},
)
def _tides_enter_less(evidence: Evidence, *, least: float, most: float) -> Measurement:
    ratios = {}
    for name in _several(evidence):
        pca = evidence.pca(name)
        linear, tides = np.split(pca.directions[:, :2], [len(pca.smoothing_radii) + 1])
        ratios[name] = np.sqrt((linear**2).mean() / (tides**2).mean())
    return Measurement(
        listed(ratios, ".2f"),
        named("ratio", ratios),
        within(ratios, least, most),
        scatter=(span(ratios), "sets"),
    )


@claim(
    "C28",
    "With three and with five scales the coefficients of δ and ∇²δ are similar at common radii.",
    place="§4, Fig. 7",
    metric="rms difference over rms of the coefficients of the set with three, common radii, PC0; "
    "tested for δ, printed for ∇²δ",
    paper="similar (figure)",
    threshold="δ below {below:g}",
    limits={"below": 0.5},
)
def _coefficients_are_similar(evidence: Evidence, *, below: float) -> Measurement:
    three, five = evidence.pca(evidence.multi), evidence.pca(FINEST)
    common, here, there = np.intersect1d(
        three.smoothing_radii, five.smoothing_radii, return_indices=True
    )
    if len(common) < 2:
        raise Untestable(f"{evidence.multi} and {FINEST} have fewer than two radii in common")
    old, new = three.first[here, :2], five.first[there, :2]
    difference = np.sqrt(((new - old) ** 2).mean(axis=0) / (old**2).mean(axis=0))
    found = dict(zip(_COEFFICIENTS, difference, strict=False))
    return Measurement(
        f"{listed(found, '.2f')} at R_f = {', '.join(f'{r:g}' for r in common)} Mpc/h",
        named("difference", found),
        found["δ"] < below,
    )


def _several(evidence: Evidence) -> list[str]:
    """Return the sets of several scales whose components the figures show."""
    names = [name for name in evidence.roles["components"] if name != evidence.single]
    if not names:
        raise Untestable("figure_sets.components of this run names no set of several scales")
    return names


@claim(
    "C29",
    "For a thin range of masses f peaks at PC0 of about 0.5 for low and 1.5 for high mass.",
    place="§5, Fig. 8",
    metric=f"PC0 of the largest mean f, bins of {BIN} with {MIN_PARTICLES} particles or more",
    paper="0.5 and 1.5",
    threshold="low {low_least:g} to {low_most:g}, high {high_least:g} to {high_most:g}, high > low",
    limits={"low_least": 0.15, "low_most": 0.85, "high_least": 1.0, "high_most": 2.0},
)
def _peaks(evidence: Evidence, **limits: float) -> Measurement:
    peaks = {}
    for sample in evidence.thin_samples:
        coordinates, f = evidence.particles(evidence.roles["thin"], sample)
        along = profile(coordinates[:, 0], f, *THIN_RANGE)
        peaks[sample] = along.centre[along.mean.argmax()]
    low, high = peaks.values()
    return Measurement(
        listed(peaks, "+.3f"),
        named("peak", peaks),
        limits["low_least"] <= low <= limits["low_most"]
        and limits["high_least"] <= high <= limits["high_most"]
        and high > low,
        scatter=(BIN / 2, "half a bin"),
    )


@claim(
    "C30",
    "For a thin range of masses f drops beyond the peak, which is tilted in the plane of PC0 and "
    "PC1.",
    place="§5, Fig. 8",
    metric=f"mean f at PC0 = {DROPPED_AT:g} over its peak; slope and correlation of the mean PC0 "
    f"of f with PC1 (−1 to {RIDGE_TO:g} and ±2 σ)",
    paper="rises and drops; tilted (figure)",
    threshold="drop below {drop:g}, |slope| {slope:g} or more, |correlation| {correlation:g} or "
    "more, both ranges",
    limits={"drop": 0.5, "slope": 0.05, "correlation": 0.8},
)
def _tilted(evidence: Evidence, *, drop: float, slope: float, correlation: float) -> Measurement:
    drops, slopes, correlations = {}, {}, {}
    for sample in evidence.thin_samples:
        coordinates, f = evidence.particles(evidence.roles["thin"], sample)
        first, second = coordinates.T[:2]
        along = profile(first, f, *THIN_RANGE)
        if along.centre[-1] < DROPPED_AT:
            raise Untestable(
                f"the sample of particles ends at PC0 = {along.centre[-1]:.2f}, short of "
                f"{DROPPED_AT:g}"
            )
        drops[sample] = np.interp(DROPPED_AT, along.centre, along.mean) / along.mean.max()
        line = stats.linregress(*ridge(first, second, f, -1.0, RIDGE_TO))
        slopes[sample], correlations[sample] = line.slope, line.rvalue
    return Measurement(
        f"drop to {listed(drops, '.2f')}; slope {listed(slopes, '+.3f')}; correlation "
        f"{listed(correlations, '+.2f')}",
        named("drop", drops) | named("slope", slopes) | named("correlation", correlations),
        max(drops.values()) < drop
        and min(map(abs, slopes.values())) >= slope
        and min(map(abs, correlations.values())) >= correlation,
        scatter=(span(drops), "samples, of the drop"),
    )
