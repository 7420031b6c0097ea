"""Claims about different sets of smoothing scales (§3.2, Figs. 3 and 4)."""

import numpy as np

from lagbias.claims.base import Measurement, claim, listed, named, span, within
from lagbias.claims.evidence import COARSE, EXTENDED, FINE, FINEST, Evidence
from lagbias.claims.measured import K_MAX, mean_between, mean_ratio, spread

#: Ranges of k in which R peaks, and in which it is below one [h/Mpc].
BUMP_RANGE, HIGH_RANGE = (0.2, 0.8), (0.8, 1.0)
_PLACE = "§3.2, Fig. 4"
_MEAN = f"⟨R⟩ of the average f (k < {K_MAX} h/Mpc) on the validation box"


def _means(evidence: Evidence, names: list[str]) -> dict[str, float]:
    return {name: mean_ratio(evidence.spectra(name)) for name in names}


def _largest_spread(evidence: Evidence, names: list[str]) -> float:
    return max(spread(evidence.spectra(name)) for name in names)


@claim(
    "C13",
    "Every set of several scales scatters by 1 to 2 %.",
    place=_PLACE,
    metric=f"range (max − min) of ⟨R⟩ (k < {K_MAX} h/Mpc) over the networks of each set",
    paper="1 to 2 %",
    threshold="{least:g} to {most:g} each",
    limits={"least": 0.005, "most": 0.03},
)
def _every_set_scatters(evidence: Evidence, *, least: float, most: float) -> Measurement:
    spreads = {name: spread(evidence.spectra(name)) for name in evidence.several}
    return Measurement(
        listed(spreads, ".4f"),
        named("spread", spreads),
        within(spreads, least, most),
        scatter=(span(spreads), "sets, of their spreads"),
    )


@claim(
    "C14",
    "Three coarsely spaced scales give the halo power to 1 %.",
    place=_PLACE + " left",
    metric=_MEAN + " of the reference and the coarser set: |⟨R⟩ − 1|",
    paper="to 1 %",
    threshold="at most {most:g} both",
    limits={"most": 0.012},
)
def _coarse_sets_match(evidence: Evidence, *, most: float) -> Measurement:
    names = [evidence.multi, COARSE]
    means = _means(evidence, names)
    return Measurement(
        f"⟨R⟩: {listed(means)}",
        named("mean ratio", means),
        max(abs(mean - 1) for mean in means.values()) <= most,
        scatter=(_largest_spread(evidence, names), "networks, the larger of the two"),
    )


@claim(
    "C15",
    "Adding R_f = 11.3 Mpc/h lowers the power on the largest scales by up to 5 %.",
    place=_PLACE + " left",
    metric="largest 1 − R of the two lowest bins; and ⟨R⟩ compared with the set without 11.3",
    paper="up to 5 %",
    threshold="{least:g} to {most:g}, and ⟨R⟩ lower",
    limits={"least": 0.03, "most": 0.07},
)
def _large_scale_lowers_power(evidence: Evidence, *, least: float, most: float) -> Measurement:
    extended, reference = evidence.spectra(EXTENDED), evidence.spectra(evidence.multi)
    lowest = 1 - extended.ratio[:2].min()
    means = {EXTENDED: mean_ratio(extended), evidence.multi: mean_ratio(reference)}
    return Measurement(
        f"1 − R = {lowest:.3f} at k ≤ {extended.k[1]:.3f} h/Mpc; ⟨R⟩: {listed(means)}",
        {"deficit": lowest, **named("mean ratio", means)},
        least <= lowest <= most and means[EXTENDED] < means[evidence.multi],
        scatter=(spread(extended), "networks, of ⟨R⟩"),
    )


@claim(
    "C16",
    "Finely spaced scales fall short by 2 to 3 %.",
    place=_PLACE + " right",
    metric="1 − " + _MEAN,
    paper="2 to 3 %",
    threshold="{least:g} to {most:g} both",
    limits={"least": 0.015, "most": 0.035},
)
def _fine_sets_fall_short(evidence: Evidence, *, least: float, most: float) -> Measurement:
    names = [FINE, FINEST]
    deficits = {name: 1 - mean for name, mean in _means(evidence, names).items()}
    return Measurement(
        f"1 − ⟨R⟩: {listed(deficits)}",
        named("deficit", deficits),
        within(deficits, least, most),
        scatter=(_largest_spread(evidence, names), "networks, the larger of the two"),
    )


@claim(
    "C44",
    "Beyond the large scales R rises to a bump, larger with one scale, and then falls below one.",
    place="Figs. 3 and 4",
    metric=f"largest R of {BUMP_RANGE[0]} ≤ k < {BUMP_RANGE[1]} h/Mpc, its k, and the mean R of "
    f"{HIGH_RANGE[0]} ≤ k < {HIGH_RANGE[1]}, several scales on the validation box; largest R with "
    "one scale",
    paper="1.06 near 0.4 h/Mpc (read off)",
    threshold="bump {least:g} to {most:g} at k = {k_least:g} to {k_most:g}, larger with one scale, "
    "R below {high:g} beyond",
    soft=True,
    limits={"least": 1.045, "most": 1.075, "k_least": 0.25, "k_most": 0.6, "high": 1},
)
def _bump_and_fall(evidence: Evidence, **limits: float) -> Measurement:
    several, single = evidence.spectra(evidence.multi), evidence.spectra(evidence.single)
    beyond = mean_between(several, *HIGH_RANGE)
    window = (several.k >= BUMP_RANGE[0]) & (several.k < BUMP_RANGE[1])
    at = several.k[window][several.ratio[window].argmax()]
    bump, bump_of_one = several.ratio[window].max(), single.ratio[window].max()
    bumps = {evidence.multi: bump, evidence.single: bump_of_one}
    return Measurement(
        f"bump {listed(bumps)}, at k = {at:.2f} h/Mpc; R = {beyond:.3f} beyond",
        {**named("bump", bumps), "k of the bump": at, "beyond": beyond},
        limits["least"] <= bump <= limits["most"]
        and limits["k_least"] <= at <= limits["k_most"]
        and bump_of_one > bump
        and beyond < limits["high"],
        scatter=(np.ptp(several.ratios[:, window].max(axis=1)), "networks, of the bump"),
    )
