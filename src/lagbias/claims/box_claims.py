"""Claims about one and several scales on training and validation boxes (§2.2, §3.2, Fig. 3)."""

import numpy as np

from lagbias.claims.base import Measurement, Untestable, claim, listed, named
from lagbias.claims.evidence import EIGENVALUE_CUT, Evidence
from lagbias.claims.measured import K_MAX

__all__: list[str] = []

_PLACE = "§3.2, Fig. 3"
_MEAN = f"⟨R⟩, the mean of R = P_model/P_h over the modes of k < {K_MAX} h/Mpc"


@claim(
    "C06",
    "Three scales bring the model power to the halos' within about 2 %.",
    place=_PLACE + " top left",
    metric=f"largest |R − 1| on the training box, from the second bin up to k < {K_MAX} h/Mpc",
    paper="within about 2 %",
    threshold="at most {most:g}",
    most=0.025,
)
def _several_scales_match(evidence: Evidence, *, most: float) -> Measurement:
    spectra = evidence.spectra(evidence.multi, target_box=evidence.train_box)
    departure = np.abs(spectra.ratio - 1)[spectra.large_scales(first=2)]
    return Measurement(
        f"largest {departure.max():.3f}; ⟨R⟩ = {spectra.mean_ratio:.3f}",
        {"largest departure": departure.max(), "mean ratio": spectra.mean_ratio},
        departure.max() <= most,
        scatter=spectra.spread,
        scatter_of="networks, of ⟨R⟩",
    )


@claim(
    "C07",
    "One scale gives at most 0.95 of the halo power.",
    place=_PLACE + " top left",
    metric=_MEAN + ", on the training box",
    paper="at most about 0.95",
    threshold="at most {most:g}",
    most=0.955,
)
def _one_scale_falls_short(evidence: Evidence, *, most: float) -> Measurement:
    spectra = evidence.spectra(evidence.single, target_box=evidence.train_box)
    return Measurement(
        f"⟨R⟩ = {spectra.mean_ratio:.3f}",
        {"mean ratio": spectra.mean_ratio},
        spectra.mean_ratio <= most,
        scatter=spectra.spread,
        scatter_of="networks",
    )


@claim(
    "C08",
    "On validation boxes the power follows that of the training box, within 5 %.",
    place=_PLACE + " top right",
    metric=f"largest |R_validation − R_training| of any box and bin of k < {K_MAX} h/Mpc, of one "
    "and of several scales",
    paper="up to 5 %",
    threshold="at most {most:g}",
    most=0.05,
)
def _validation_follows_training(evidence: Evidence, *, most: float) -> Measurement:
    largest, means = {}, []
    for name in (evidence.single, evidence.multi):
        training = evidence.spectra(name, target_box=evidence.train_box)
        large = training.large_scales()
        others = [
            evidence.spectra(name, target_box=box) for box in evidence.role("validation_boxes")
        ]
        largest[name] = max(np.abs(s.ratio - training.ratio)[large].max() for s in others)
        means = [s.mean_ratio for s in others]
    return Measurement(
        f"largest {listed(largest)} (validation boxes: {len(means)})",
        named("largest difference", largest),
        max(largest.values()) <= most,
        scatter=np.ptp(means),
        scatter_of=f"validation boxes, of ⟨R⟩ of {evidence.multi}",
    )


@claim(
    "C09",
    "On one box, networks of several scales scatter by about 1.5 %, of one scale by about 0.5 %.",
    place="§3.2",
    metric="largest less smallest ⟨R⟩ of the networks of one training box, mean over the boxes "
    "that they are applied to",
    paper="several 1.5 %, one 0.5 %",
    threshold="several {several_least:g} to {several_most:g}, one {one_least:g} to {one_most:g}, "
    "several > one",
    several_least=0.007,
    several_most=0.03,
    one_least=0.002,
    one_most=0.012,
)
def _scatter_on_one_box(evidence: Evidence, **limits: float) -> Measurement:
    boxes = dict.fromkeys([evidence.train_box, *evidence.role("validation_boxes")])
    one, several = (
        [evidence.spectra(name, target_box=box).spread for box in boxes]
        for name in (evidence.single, evidence.multi)
    )
    mean = {evidence.single: np.mean(one), evidence.multi: np.mean(several)}
    return Measurement(
        f"{listed(mean, '.4f')} ({len(boxes)} boxes)",
        named("spread", mean),
        limits["one_least"] <= np.mean(one) <= limits["one_most"]
        and limits["several_least"] <= np.mean(several) <= limits["several_most"]
        and np.mean(several) > np.mean(one),
        scatter=np.ptp(several),
        scatter_of=f"boxes, of {evidence.multi}",
    )


@claim(
    "C10",
    "On large scales hardly any of the model power is uncorrelated with the halos.",
    place=_PLACE + " bottom left",
    metric=f"largest P_uncorr/P_h of k < {K_MAX} h/Mpc on the training box, one and several scales",
    paper="below 0.002",
    threshold="below {below:g}",
    below=0.003,
)
def _little_uncorrelated_power(evidence: Evidence, *, below: float) -> Measurement:
    largest = {}
    for name in (evidence.single, evidence.multi):
        spectra = evidence.spectra(name, target_box=evidence.train_box)
        largest[name] = spectra.uncorrelated[spectra.large_scales()].max()
    return Measurement(
        f"largest {listed(largest, '.4f')}",
        named("largest", largest),
        max(largest.values()) < below,
    )


@claim(
    "C12",
    "The power of the average f of four training boxes scatters by 1 to 2 %.",
    place=_PLACE + " bottom right",
    metric=_MEAN + ", on one validation box: largest less smallest of the training boxes",
    paper="1 to 2 %",
    threshold="{least:g} to {most:g}",
    least=0.005,
    most=0.025,
)
def _training_boxes_scatter(evidence: Evidence, *, least: float, most: float) -> Measurement:
    boxes = evidence.role("train_boxes")
    if len(boxes) < 2:
        raise Untestable("the scatter of training boxes needs two or more; this run has one")
    means = {box: evidence.spectra(evidence.multi, train_box=box).mean_ratio for box in boxes}
    scatter = np.ptp(list(means.values()))
    return Measurement(
        f"{scatter:.4f}: {listed(means)}",
        {"range": scatter, **named("mean ratio", means)},
        least <= scatter <= most,
        scatter=scatter,
        scatter_of="training boxes",
    )


@claim(
    "C36",
    "Keeping 2n + 1 inputs is more stable than choosing them by a cut in the eigenvalues.",
    place="§2.1, footnote 2",
    metric=_MEAN + ": largest less smallest of the training boxes, with 2n + 1 inputs over with "
    "the cut",
    paper="more stable",
    threshold="ratio below {below:g}",
    soft=True,
    below=1,
)
def _fixed_number_is_stabler(evidence: Evidence, *, below: float) -> Measurement:
    boxes, scatter = evidence.role("train_boxes"), {}
    if len(boxes) < 2:
        raise Untestable("the scatter of training boxes needs two or more; this run has one")
    for inputs in (EIGENVALUE_CUT, "full"):
        spectra = [evidence.spectra(evidence.multi, inputs, train_box=box) for box in boxes]
        scatter[inputs] = np.ptp([s.mean_ratio for s in spectra])
    if scatter[EIGENVALUE_CUT] == 0:
        raise Untestable("the networks with the cut do not scatter at all")
    ratio = scatter["full"] / scatter[EIGENVALUE_CUT]
    return Measurement(
        f"ratio {ratio:.2f}: {listed(scatter, '.4f')}",
        {"ratio": ratio, **named("range", scatter)},
        ratio < below,
        scatter=scatter["full"],
        scatter_of="training boxes",
    )


@claim(
    "C37",
    "With one scale the power changes by less than 1 to 2 % with the initial weights and the "
    "sub-sample, and larger networks do no better.",
    place="§2.2",
    metric="largest less smallest ⟨R⟩ of the networks of one scale, on the validation box",
    paper="below 1 to 2 %; no improvement",
    threshold="below {below:g}",
    below=0.02,
)
def _one_scale_is_stable(evidence: Evidence, *, below: float) -> Measurement:
    spectra = evidence.spectra(evidence.single)
    return Measurement(
        f"{spectra.spread:.4f}. Not tested: larger networks, which the run does not train",
        {"spread": spectra.spread},
        spectra.spread < below,
        scatter=spectra.spread,
        scatter_of="networks",
    )
