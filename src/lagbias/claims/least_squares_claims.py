"""Claims about networks and the least-squares f of Paper I (§3.1, Fig. 2)."""

import numpy as np

from lagbias.bias.binned import BinnedF
from lagbias.bias.least_squares import LeastSquares
from lagbias.bias.spectra import Spectra
from lagbias.claims.base import Measurement, Untestable, claim
from lagbias.claims.evidence import Evidence
from lagbias.claims.measured import K_MAX, mean_ratio, spread

__all__ = ["MIN_SHARE", "ROUGH_FROM", "roughness"]

#: Smallest share of the particles in a compared bin: below, the least-squares f is noise.
MIN_SHARE = 1e-4
#: δ/σ above which the roughness of f is measured.
ROUGH_FROM = 2.0
_PLACE = "§3.1, Fig. 2"


def roughness(binned: BinnedF, filled: np.ndarray) -> float:
    """Sum the squared departures of the average f from straight lines along δ > `ROUGH_FROM`.

    Returns Σ (f_i - line through its neighbours in δ)², a quarter of Σ (Δ²f)² where bins are
    equally wide. A departure counts if a bin and both its neighbours are `filled` (D, L).
    """
    edges, f = binned.delta_edges, binned.f.mean(axis=0)
    centre = 0.5 * (edges[1:] + edges[:-1])
    below, x, above = centre[:-2], centre[1:-1], centre[2:]
    weight = ((above - x) / (above - below))[:, None]
    departure = f[1:-1] - weight * f[:-2] - (1 - weight) * f[2:]
    counts = filled[:-2] & filled[1:-1] & filled[2:] & (below > ROUGH_FROM)[:, None]
    if not counts.any():
        raise Untestable(
            f"no three neighbouring bins of δ above {ROUGH_FROM:g} σ hold particles in this run"
        )
    return float((departure[counts] ** 2).sum())


def _pair(evidence: Evidence) -> tuple[LeastSquares, BinnedF]:
    """Return binned f of the least squares and of the networks."""
    least_squares, networks = evidence.least_squares(), evidence.binned_f()
    if least_squares.bins.shape != networks.bins.shape:
        raise Untestable(
            f"the networks' f and the least-squares f have different numbers of bins: "
            f"{networks.bins.shape} and {least_squares.bins.shape}"
        )
    return least_squares, networks


def _spectra(evidence: Evidence) -> tuple[Spectra, Spectra]:
    """Return the spectra of the least squares and of the networks."""
    single = evidence.single
    return evidence.spectra(single, "least_squares"), evidence.spectra(single, "density")


def _relative_rms(f: np.ndarray, reference: np.ndarray, weight: np.ndarray) -> float:
    return np.sqrt((weight * f**2).sum() / (weight * reference**2).sum())


def _row_means(f: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average f (D, L) over the bins of ∇²δ; zero where none has weight."""
    rows = weight.sum(axis=1)
    return np.divide((weight * f).sum(axis=1), rows, out=np.zeros_like(rows), where=rows > 0)


@claim(
    "C01",
    "The f of the networks traces the least-squares f.",
    place=_PLACE + " left",
    metric=f"rms of f_NN − f_LS over rms of f_LS, bins weighted by their share of the particles, "
    f"shares above {MIN_SHARE:g}; also printed: the same of the averages over ∇²δ, and with the "
    "standard deviation of f_LS between sub-samples as the difference",
    paper="traces it (figure)",
    threshold="below {below:g}",
    limits={"below": 0.1},
)
def _networks_trace_least_squares(evidence: Evidence, *, below: float) -> Measurement:
    least_squares, networks = _pair(evidence)
    weight = np.where(least_squares.share > MIN_SHARE, least_squares.share, 0.0)
    reference = least_squares.f.mean(axis=0)
    difference = networks.f.mean(axis=0) - reference
    found = _relative_rms(difference, reference, weight)
    each = [_relative_rms(f - reference, reference, weight) for f in networks.f]
    noise = _relative_rms(least_squares.f.std(axis=0, ddof=1), reference, weight)
    means = (_row_means(f, weight) for f in (difference, reference))
    of_means = _relative_rms(*means, weight.sum(axis=1))
    return Measurement(
        f"rms difference {found:.3f} of rms f, {of_means:.3f} after averaging over ∇²δ; f_LS of "
        f"one sub-sample scatters by {noise:.3f}",
        {"rms difference": found, "of averages over ∇²δ": of_means, "scatter of f_LS": noise},
        found < below,
        scatter=(np.ptp(each), "networks"),
    )


@claim(
    "C02",
    "The f of the networks is much smoother than the least-squares f, which is noisy at high δ.",
    place=_PLACE + " left",
    metric=f"roughness Σ(Δ²f)² along δ > {ROUGH_FROM:g} σ of the average f, ratio of networks to "
    "least squares",
    paper="remarkably smoother (figure)",
    threshold="ratio below {below:g}",
    limits={"below": 0.3},
)
def _networks_are_smoother(evidence: Evidence, *, below: float) -> Measurement:
    least_squares, networks = _pair(evidence)
    filled = (least_squares.share > 0) & (networks.share > 0)
    rough, smooth = roughness(least_squares, filled), roughness(networks, filled)
    if rough == 0:
        raise Untestable("the least-squares f of this run is a straight line at high δ")
    return Measurement(
        f"ratio {smooth / rough:.3f}: networks {smooth:.3g}, least squares {rough:.3g}",
        {"ratio": smooth / rough, "networks": smooth, "least squares": rough},
        smooth / rough < below,
    )


@claim(
    "C03",
    "Networks and least squares give the same power.",
    place=_PLACE + " right",
    metric="|⟨R⟩ of the networks / ⟨R⟩ of the least squares − 1|",
    paper="reproduces it well (figure)",
    threshold="at most {most:g}",
    limits={"most": 0.01},
)
def _same_power(evidence: Evidence, *, most: float) -> Measurement:
    least_squares, networks = map(mean_ratio, _spectra(evidence))
    found = abs(networks / least_squares - 1)
    return Measurement(
        f"{found:.4f}: networks ⟨R⟩ = {networks:.4f}, least squares {least_squares:.4f}",
        {"difference": found, "networks": networks, "least squares": least_squares},
        found <= most,
        scatter=(spread(_spectra(evidence)[1]), "networks"),
    )


@claim(
    "C04",
    "Power scatters by about 1 % between networks, and by much less between least squares.",
    place=_PLACE + " right",
    metric=f"range (max − min) of ⟨R⟩ (k < {K_MAX} h/Mpc) over networks (NN) and over "
    "least-squares solutions (LS), each for its own sub-sample",
    paper="NN about 1 %, LS much below 1 %",
    threshold="NN {least:g} to {most:g}, LS below {least_squares:g}, LS < NN / {factor:g}",
    limits={"least": 0.003, "most": 0.02, "least_squares": 0.003, "factor": 3},
)
def _networks_scatter_more(
    evidence: Evidence, *, least: float, most: float, least_squares: float, factor: float
) -> Measurement:
    deterministic, networks = map(spread, _spectra(evidence))
    return Measurement(
        f"NN {networks:.4f}, LS {deterministic:.5f}",
        {"networks": networks, "least squares": deterministic},
        least <= networks <= most and deterministic < min(least_squares, networks / factor),
        scatter=(networks, "networks"),
    )


@claim(
    "C05",
    "With δ and ∇²δ of one scale both fall short of the halo power by about 5 %.",
    place=_PLACE + " right",
    metric=f"1 − ⟨R⟩ (k < {K_MAX} h/Mpc) of both",
    paper="about 5 %",
    threshold="{least:g} to {most:g} both",
    limits={"least": 0.03, "most": 0.09},
)
def _both_fall_short(evidence: Evidence, *, least: float, most: float) -> Measurement:
    least_squares, networks = (1 - mean_ratio(spectra) for spectra in _spectra(evidence))
    return Measurement(
        f"networks {networks:.3f}, least squares {least_squares:.3f}",
        {"networks": networks, "least squares": least_squares},
        least <= min(networks, least_squares) and max(networks, least_squares) <= most,
        scatter=(spread(_spectra(evidence)[1]), "networks"),
    )
