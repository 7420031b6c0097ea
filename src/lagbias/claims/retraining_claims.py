"""Claims about networks with other inputs: two components of ∇f, or n δ and one ∇²δ (§4)."""

from lagbias.claims.base import Measurement, Untestable, claim, listed, named, span
from lagbias.claims.evidence import EXTENDED, FINE, FINEST, Evidence
from lagbias.claims.measured import (
    K_MAX,
    arrow,
    mean_ratio,
    spread,
    training_loss,
    validation_loss,
)

_MEAN = f"⟨R⟩ (k < {K_MAX} h/Mpc, validation box)"
_PC2 = "pc2"


def _before_and_after(evidence: Evidence, name: str, inputs: str = _PC2) -> tuple[float, float]:
    """Return ⟨R⟩ with all inputs, and with others."""
    return mean_ratio(evidence.spectra(name)), mean_ratio(evidence.spectra(name, inputs))


def _largest_change(
    evidence: Evidence, names: list[str], inputs: str, most: float, scatter_of: str, remark: str
) -> Measurement:
    """Test whether other inputs change ⟨R⟩ of every set by at most `most`."""
    pairs = {name: _before_and_after(evidence, name, inputs) for name in names}
    changes = {name: after - before for name, (before, after) in pairs.items()}
    return Measurement(
        "; ".join(f"{name} {arrow(*pair)}" for name, pair in pairs.items()) + remark,
        named("change", changes),
        max(map(abs, changes.values())) <= most,
        scatter=(max(spread(evidence.spectra(name, inputs)) for name in names), scatter_of),
    )


@claim(
    "C21",
    "Retraining on two components changes nothing for three scales, coarse or fine.",
    place="§4, Fig. 6",
    metric=f"|change of {_MEAN}|",
    paper="the same: about 1 and 0.98",
    threshold="at most {most:g} both",
    limits={"most": 0.01},
)
def _two_components_suffice(evidence: Evidence, *, most: float) -> Measurement:
    of = "retrained networks, the larger of the two"
    return _largest_change(evidence, [evidence.multi, FINE], _PC2, most, of, remark="")


@claim(
    "C22",
    "Retraining on two components removes the deficit of five fine scales, from 0.98 to about 1.",
    place="§4, Fig. 6 right",
    metric=_MEAN + " before and after",
    paper="0.98 → about 1",
    threshold="below {limit:g} before, above after, change at least {least:g}",
    limits={"limit": 0.99, "least": 0.01},
)
def _raises_fine_scales(evidence: Evidence, *, limit: float, least: float) -> Measurement:
    before, after = _before_and_after(evidence, FINEST)
    return Measurement(
        arrow(before, after),
        {"before": before, "after": after},
        before < limit < after and after - before >= least,
        scatter=(spread(evidence.spectra(FINEST, _PC2)), "retrained networks"),
    )


@claim(
    "C23",
    "Retraining on two components raises the set with 11.3 Mpc/h by 3 %, to 0.98.",
    place="§4",
    metric=_MEAN + " after, and its change",
    paper="+3 %, to 0.98",
    threshold="change {least:g} to {most:g}, ⟨R⟩ {low:g} to {high:g}",
    limits={"least": 0.015, "most": 0.045, "low": 0.965, "high": 0.995},
)
def _retraining_raises_extended(evidence: Evidence, **limits: float) -> Measurement:
    before, after = _before_and_after(evidence, EXTENDED)
    return Measurement(
        arrow(before, after),
        {"before": before, "after": after},
        limits["least"] <= after - before <= limits["most"]
        and limits["low"] <= after <= limits["high"],
        scatter=(spread(evidence.spectra(EXTENDED, _PC2)), "retrained networks"),
    )


@claim(
    "C24",
    "Retraining on two components keeps the training and the validation loss.",
    place="§4",
    metric="largest relative change of the final loss per cell (mean of the networks) of any "
    "retrained set",
    paper="recovers both",
    threshold="below {below:g}",
    limits={"below": 0.01},
)
def _retraining_keeps_losses(evidence: Evidence, *, below: float) -> Measurement:
    training, validation = {}, {}
    for name in evidence.roles["retrained"]:
        before, after = evidence.networks(name), evidence.networks(name, _PC2)
        training[name] = training_loss(after) / training_loss(before) - 1
        validation[name] = validation_loss(after) / validation_loss(before) - 1
    changes = named("training", training) | named("validation", validation)
    return Measurement(
        f"training {listed(training, '+.4f')}; validation {listed(validation, '+.4f')}",
        changes,
        max(map(abs, changes.values())) < below,
        scatter=(span(changes), "sets and losses, of the change"),
    )


@claim(
    "C34",
    "Five fine scales and their two components have equal losses but differ by 2 % in power.",
    place="App. A, Fig. 11",
    metric=f"relative change of the final validation loss; |change of {_MEAN}|",
    paper="indistinguishable; 2 %",
    threshold="loss below {loss:g}; power {least:g} to {most:g}",
    limits={"loss": 0.005, "least": 0.01, "most": 0.03},
)
def _equal_loss(evidence: Evidence, *, loss: float, least: float, most: float) -> Measurement:
    full, retrained = evidence.networks(FINEST), evidence.networks(FINEST, _PC2)
    change = validation_loss(retrained) / validation_loss(full) - 1
    before, after = _before_and_after(evidence, FINEST)
    return Measurement(
        f"loss {change:+.4f}; {arrow(before, after)}",
        {"loss": change, "power": after - before},
        abs(change) < loss and least <= abs(after - before) <= most,
        scatter=(spread(evidence.spectra(FINEST, _PC2)), "retrained networks, of ⟨R⟩"),
    )


@claim(
    "C35",
    "For close scales, n δ and the ∇²δ of the smallest scale are as good as the n + 1 largest "
    "directions.",
    place="§2.1, footnote 1",
    metric=f"|change of {_MEAN}|",
    paper="the same",
    threshold="at most {most:g}",
    limits={"most": 0.01},
)
def _one_laplacian_suffices(evidence: Evidence, *, most: float) -> Measurement:
    names = evidence.roles["nested"]
    if not names:
        raise Untestable(
            "this run trains no networks on n δ and one ∇²δ (figure_sets.nested is empty)"
        )
    remark = ". Not tested: that it fails for widely separated scales"
    return _largest_change(evidence, names, "nested", most, "networks", remark)
