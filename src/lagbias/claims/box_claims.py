"""Claims about one and several scales on training and validation boxes (§2.2, §3.2, Fig. 3)."""

import numpy as np

from lagbias.claims.base import Measurement, Untestable, claim, listed, named, span
from lagbias.claims.evidence import Evidence
from lagbias.claims.measured import K_MAX, arrow, large_scales, mean_ratio, spread

_PLACE = "§3.2, Fig. 3"
_MEAN = f"⟨R⟩, the mean of R = P_model/P_h over the modes of k < {K_MAX} h/Mpc"


@claim(
    "C06",
    "Three scales bring the model power to the halos' within about 2 %.",
    place=_PLACE + " top left",
    metric=f"largest |R − 1| on the training box, from the second bin up to k < {K_MAX} h/Mpc",
    paper="within about 2 %",
    threshold="at most {most:g}",
    limits={"most": 0.025},
)
def _several_scales_match(evidence: Evidence, *, most: float) -> Measurement:
    spectra = evidence.spectra(evidence.multi, target_box=evidence.train_box)
    largest = np.abs(spectra.ratio - 1)[large_scales(spectra, first=2)].max()
    mean = mean_ratio(spectra)
    return Measurement(
        f"largest {largest:.3f}; ⟨R⟩ = {mean:.3f}",
        {"largest departure": largest, "mean ratio": mean},
        largest <= most,
        scatter=(spread(spectra), "networks, of ⟨R⟩"),
    )


@claim(
    "C07",
    "One scale gives at most 0.95 of the halo power.",
    place=_PLACE + " top left",
    metric=_MEAN + ", on the training box",
    paper="at most about 0.95",
    threshold="at most {most:g}",
    limits={"most": 0.955},
)
def _one_scale_falls_short(evidence: Evidence, *, most: float) -> Measurement:
    spectra = evidence.spectra(evidence.single, target_box=evidence.train_box)
    mean = mean_ratio(spectra)
    return Measurement(
        f"⟨R⟩ = {mean:.3f}",
        {"mean ratio": mean},
        mean <= most,
        scatter=(spread(spectra), "networks"),
    )


@claim(
    "C08",
    "On validation boxes the power follows that of the training box, within 5 %.",
    place=_PLACE + " top right",
    metric=f"largest |R_validation − R_training| of any box and bin of k < {K_MAX} h/Mpc, of one "
    "and of several scales",
    paper="up to 5 %",
    threshold="at most {most:g}",
    limits={"most": 0.05},
)
def _validation_follows_training(evidence: Evidence, *, most: float) -> Measurement:
    largest, boxes = {}, evidence.roles["validation_boxes"]
    for name in (evidence.single, evidence.multi):
        training = evidence.spectra(name, target_box=evidence.train_box)
        large = large_scales(training)
        others = [evidence.spectra(name, target_box=box) for box in boxes]
        largest[name] = max(np.abs(s.ratio - training.ratio)[large].max() for s in others)
        means = [mean_ratio(s) for s in others]
    return Measurement(
        f"largest {listed(largest)} (validation boxes: {len(boxes)})",
        named("largest difference", largest),
        max(largest.values()) <= most,
        scatter=(np.ptp(means), f"validation boxes, of ⟨R⟩ of {evidence.multi}"),
    )


@claim(
    "C09",
    "On one box, networks of several scales scatter by about 1.5 %, of one scale by about 0.5 %.",
    place="§3.2",
    metric="range (max − min) of ⟨R⟩ over the networks of one training box, mean over the boxes "
    "that they are applied to",
    paper="several 1.5 %, one 0.5 %",
    threshold="several {several_least:g} to {several_most:g}, one {one_least:g} to {one_most:g}, "
    "several > one",
    limits={"several_least": 0.007, "several_most": 0.03, "one_least": 0.002, "one_most": 0.012},
)
def _scatter_on_one_box(evidence: Evidence, **limits: float) -> Measurement:
    boxes = dict.fromkeys([evidence.train_box, *evidence.roles["validation_boxes"]])
    one, several = (
        [spread(evidence.spectra(name, target_box=box)) for box in boxes]
        for name in (evidence.single, evidence.multi)
    )
    mean = {evidence.single: np.mean(one), evidence.multi: np.mean(several)}
    return Measurement(
        f"{listed(mean, '.4f')} ({len(boxes)} boxes)",
        named("spread", mean),
        limits["one_least"] <= np.mean(one) <= limits["one_most"]
        and limits["several_least"] <= np.mean(several) <= limits["several_most"]
        and np.mean(several) > np.mean(one),
        scatter=(np.ptp(several), f"boxes, of {evidence.multi}"),
    )


@claim(
    "C10",
    "On large scales hardly any of the model power is uncorrelated with the halos.",
    place=_PLACE + " bottom left",
    metric=f"largest P_uncorr/P_h of k < {K_MAX} h/Mpc on the training box, one and several scales",
    paper="below 0.002",
    threshold="below {below:g}",
    limits={"below": 0.003},
)
def _little_uncorrelated_power(evidence: Evidence, *, below: float) -> Measurement:
    largest = {}
    for name in (evidence.single, evidence.multi):
        spectra = evidence.spectra(name, target_box=evidence.train_box)
        largest[name] = spectra.uncorrelated[large_scales(spectra)].max()
    return Measurement(
        f"largest {listed(largest, '.4f')}",
        named("largest", largest),
        max(largest.values()) < below,
    )


def _by_training_box(evidence: Evidence, name: str, inputs: str = "full") -> dict[str, float]:
    """Return ⟨R⟩ on the validation box of networks of each training box."""
    boxes = evidence.roles["train_boxes"]
    if len(boxes) < 2:
        raise Untestable("the scatter of training boxes needs two or more; this run has one")
    return {box: mean_ratio(evidence.spectra(name, inputs, train_box=box)) for box in boxes}


@claim(
    "C12",
    "The power of the average f of four training boxes scatters by 1 to 2 %.",
    place=_PLACE + " bottom right",
    metric=_MEAN + ", on one validation box: range (max − min) over the training boxes",
    paper="1 to 2 %",
    threshold="{least:g} to {most:g}",
    limits={"least": 0.005, "most": 0.025},
)
def _training_boxes_scatter(evidence: Evidence, *, least: float, most: float) -> Measurement:
    means = _by_training_box(evidence, evidence.multi)
    scatter = span(means)
    return Measurement(
        f"{scatter:.4f}: {listed(means)}",
        {"range": scatter, **named("mean ratio", means)},
        least <= scatter <= most,
        scatter=(scatter, "training boxes"),
    )


@claim(
    "C36",
    "Keeping 2n + 1 inputs is more stable than choosing them by a cut in the eigenvalues.",
    place="§2.1, footnote 2",
    metric=_MEAN + ": range (max − min) over the training boxes with 2n + 1 inputs, divided by "
    "that with the cut",
    paper="more stable",
    threshold="ratio below {below:g} each",
    soft=True,
    limits={"below": 1},
)
def _fixed_number_is_stabler(evidence: Evidence, *, below: float) -> Measurement:
    names = evidence.roles["cut"]
    if not names:
        raise Untestable(
            "this run trains no networks on inputs chosen by a cut in the eigenvalues "
            "(figure_sets.cut is empty)"
        )
    ratios, ranges = {}, []
    for name in names:
        fixed, cut = (_by_training_box(evidence, name, inputs) for inputs in ("full", "cut"))
        if fixed == cut:
            raise Untestable(f"the cut keeps the same inputs of {name}; change eigenvalue_cut")
        ratios[name] = span(fixed) / span(cut)
        ranges.append(f"{name} {span(fixed):.4f} and {span(cut):.4f}")
    return Measurement(
        f"ratio {listed(ratios, '.2f')} (ranges {', '.join(ranges)} with the cut)",
        named("ratio", ratios),
        max(ratios.values()) < below,
        scatter=(max(spread(evidence.spectra(n, "cut")) for n in names), "networks, of ⟨R⟩"),
    )


@claim(
    "C37",
    "With one scale the power changes by less than 1 to 2 % with the initial weights and the "
    "sub-sample, and larger networks do no better.",
    place="§2.2",
    metric="range (max − min) of ⟨R⟩ over the networks of one scale, on the validation box; "
    "|change of ⟨R⟩| with larger networks",
    paper="below 1 to 2 %; no improvement",
    threshold="range below {below:g}, change below {change:g}",
    limits={"below": 0.02, "change": 0.01},
)
def _one_scale_is_stable(evidence: Evidence, *, below: float, change: float) -> Measurement:
    usual = evidence.spectra(evidence.single)
    found = {"spread": spread(usual)}
    text = ". Not tested: larger networks, which the run does not train"
    sets, settings = evidence.variant("larger")
    if evidence.single in sets:
        before, after = mean_ratio(usual), mean_ratio(evidence.spectra(evidence.single, "larger"))
        found["change"] = after - before
        text = f"; with {settings}: {arrow(before, after)}"
    return Measurement(
        f"{found['spread']:.4f}{text}",
        found,
        found["spread"] < below and abs(found.get("change", 0)) < change,
        scatter=(found["spread"], "networks"),
    )
