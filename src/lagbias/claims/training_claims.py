"""Claims about losses and training (§2, App. A, Fig. 9)."""

import numpy as np
from scipy import stats

from lagbias.claims.base import Measurement, Untestable, claim, listed, named, span
from lagbias.claims.evidence import COARSE, EXTENDED, FINE, FINEST, Evidence
from lagbias.claims.measured import (
    K_MAX,
    arrow,
    mean_ratio,
    mean_ratios,
    smallest_draw,
    validation_loss,
)

__all__ = ["FLAT_FROM", "rank_correlation"]

#: Fraction of the epochs after which the loss is flat: the paper's 20 of 50.
FLAT_FROM = 0.4
_PLACE = "App. A, Fig. 9"
_LOSS = "final validation loss per cell, mean of the networks"


def rank_correlation(x: np.ndarray, y: np.ndarray, groups: int) -> tuple[float, float]:
    """Return Spearman's ρ and its two-sided p-value (Student's t) after removal of group means.

    x and y (N,) are departures from the means of `groups` groups; each costs a degree of freedom.
    """
    freedom = len(x) - groups - 1
    if freedom < 1 or np.ptp(x) == 0 or np.ptp(y) == 0:
        raise Untestable(
            f"{len(x)} networks of {groups} sets are too few to correlate, or do not vary"
        )
    rho = float(stats.spearmanr(x, y).statistic)
    # ranks in perfect order would divide by zero
    t = rho * np.sqrt(freedom / max(1 - rho**2, np.finfo(float).eps))
    return rho, float(2 * stats.t.sf(abs(t), freedom))


def _losses(evidence: Evidence, names: list[str]) -> dict[str, float]:
    return {name: validation_loss(evidence.networks(name)) for name in names}


@claim(
    "C11",
    "Whether the power is too high or too low is unrelated to the loss.",
    place="§3.2, App. A",
    metric=f"Spearman's ρ of the final training loss and ⟨R⟩ (k < {K_MAX} h/Mpc, validation box) "
    "of all networks of several scales, each minus the mean of its set",
    paper="uncorrelated",
    threshold="probability of chance above {above:g}",
    limits={"above": 0.05},
)
def _power_unrelated_to_loss(evidence: Evidence, *, above: float) -> Measurement:
    losses, ratios = [], []
    for name in evidence.several:
        networks, spectra = evidence.networks(name), evidence.spectra(name)
        if [network.seed for network in networks] != list(spectra.seeds):
            raise Untestable(f"the spectra and the networks of {name} have different seeds")
        last, means = np.array([n.losses[-1] for n in networks]), mean_ratios(spectra)
        losses.append(last - last.mean())
        ratios.append(means - means.mean())
    rho, p = rank_correlation(np.concatenate(losses), np.concatenate(ratios), len(losses))
    count = sum(map(len, losses))
    return Measurement(
        f"ρ = {rho:+.2f}, p = {p:.3f} ({count} networks of {len(losses)} sets)",
        {"rho": rho, "p": p, "networks": count},
        p > above,
    )


@claim(
    "C17",
    "Coarse and fine scales have the same loss.",
    place="§3.2, Fig. 9",
    metric=f"largest relative difference of the {_LOSS}, any fine set against any coarse one",
    paper="indistinguishable",
    threshold="below {below:g}",
    limits={"below": 0.01},
)
def _same_loss_coarse_and_fine(evidence: Evidence, *, below: float) -> Measurement:
    coarse = _losses(evidence, [evidence.multi, COARSE])
    fine = _losses(evidence, [FINE, FINEST])
    differences = {
        f"{name}/{other}": loss / reference - 1
        for name, loss in fine.items()
        for other, reference in coarse.items()
    }
    return Measurement(
        f"{listed(differences, '+.4f')} (losses {listed(coarse | fine, '.4g')})",
        named("difference", differences),
        max(map(abs, differences.values())) < below,
        scatter=(span(differences), "pairs of sets"),
    )


@claim(
    "C31",
    "The losses of all sets of several scales differ by less than a per cent.",
    place=_PLACE + " left",
    metric=f"range over mean of the {_LOSS}",
    paper="sub-per-cent at epoch 50",
    threshold="below {below:g}",
    limits={"below": 0.01},
)
def _losses_are_alike(evidence: Evidence, *, below: float) -> Measurement:
    losses = _losses(evidence, evidence.several)
    found = span(losses) / np.mean(list(losses.values()))
    return Measurement(
        f"{found:.4f}: {listed(losses, '.4g')}",
        {"range over mean": found, **named("loss", losses)},
        found < below,
        scatter=(found, "sets"),
    )


@claim(
    "C32",
    "The set with 11.3 Mpc/h has no larger loss than the coarse one, though far less power at "
    "the lowest k.",
    place=_PLACE,
    metric=f"relative difference of the {_LOSS}; difference of R in the lowest bin",
    paper="slightly lower loss; −5 % against a fair match",
    threshold="loss not above {loss:g}, R lower by {power:g} or more",
    soft=True,
    limits={"loss": 0, "power": 0.01},
)
def _lower_loss_lower_power(evidence: Evidence, *, loss: float, power: float) -> Measurement:
    losses = _losses(evidence, [EXTENDED, COARSE])
    change = losses[EXTENDED] / losses[COARSE] - 1
    lowest = {name: evidence.spectra(name).ratio[0] for name in (EXTENDED, COARSE)}
    scatter = np.ptp(evidence.spectra(EXTENDED).ratios[:, 0])
    return Measurement(
        f"loss {change:+.4f}; lowest R: {listed(lowest)}",
        {"loss": change, **named("lowest ratio", lowest)},
        change <= loss and lowest[COARSE] - lowest[EXTENDED] >= power,
        scatter=(scatter, f"networks of {EXTENDED}, of the lowest R"),
    )


@claim(
    "C38",
    "The loss is flat after 20 of 50 epochs, and the power has converged after 50.",
    place="§2.2, Fig. 9",
    metric=f"largest |loss after {100 * FLAT_FROM:g} % of the run's epochs (the paper's 20 of 50) "
    "/ final loss − 1| of any set, validation loss per cell, mean of the networks; |change of ⟨R⟩| "
    "with a longer training",
    paper="rather flat after epoch 20; converged after 50",
    threshold="loss below {below:g}, power below {power:g}",
    limits={"below": 0.02, "power": 0.005},
)
def _training_has_converged(evidence: Evidence, *, below: float, power: float) -> Measurement:
    falls, epochs = {}, 0
    for name in evidence.all_sets:
        networks = evidence.networks(name)
        epochs = len(networks[0].losses)
        falls[name] = validation_loss(networks, FLAT_FROM) / validation_loss(networks) - 1
    text = ". Not tested: the power after further training, which the run does not do"
    sets, settings = evidence.variant("longer")
    changes, arrows = {}, []
    for name in sets:
        before, after = (mean_ratio(evidence.spectra(name, i)) for i in ("full", "longer"))
        changes[name] = after - before
        arrows.append(f"{name} {arrow(before, after)}")
    if sets:
        text = f"; with {settings}: {', '.join(arrows)}"
    return Measurement(
        f"{listed(falls, '+.4f')} ({epochs} epochs){text}",
        {**named("fall", falls), "epochs": epochs, **named("change", changes)},
        max(map(abs, falls.values())) < below
        and max(map(abs, changes.values()), default=0) < power,
        scatter=(span(falls), "sets"),
    )


@claim(
    "C39",
    "⟨f⟩ is one within a few per cent without the integral constraint, and below a per cent with "
    "it.",
    place="§2.1",
    metric="largest |⟨f⟩ − 1| of any network on any box it was applied to",
    paper="few per cent; sub-per-cent",
    threshold="below {with_it:g} with a constraint, below {without:g} without",
    limits={"with_it": 0.01, "without": 0.1},
)
def _mean_f_is_one(evidence: Evidence, *, with_it: float, without: float) -> Measurement:
    found = _departures(evidence, evidence.all_sets)
    worst = max(found, key=found.get)
    constraint = evidence.roles["constraint"]
    limit, left_out = (without, "with") if constraint == "none" else (with_it, "without")
    text = f". Not tested: networks {left_out} a constraint, which the run does not train"
    free = _departures(evidence, evidence.variant("unconstrained")[0], "unconstrained")
    if free:
        text = f"; without one {listed(free, '.4f')}"
    return Measurement(
        f"largest {found[worst]:.4f} ({worst}), constraint {constraint}{text}",
        named("largest", found) | named("without", free),
        found[worst] < limit and max(free.values(), default=0) < without,
        scatter=(span(found), "sets and boxes"),
    )


def _departures(evidence: Evidence, names: list[str], inputs: str = "full") -> dict[str, float]:
    """Return the largest |⟨f⟩ − 1| of the networks of sets, on each box."""
    return {
        f"{name} on {box}": np.abs(spectra.mean_f - 1).max()
        for name in names
        for box, spectra in evidence.spectra_everywhere(name, inputs).items()
    }


@claim(
    "C40",
    "With a tenth of the particles, every cell still has one or more.",
    place="§2.2",
    metric="fewest particles that a network saw in a cell, zero if a cell holds none at all",
    paper="at least 1",
    threshold="at least {least:g}",
    limits={"least": 1},
)
def _every_cell_is_sampled(evidence: Evidence, *, least: float) -> Measurement:
    draws = {name: smallest_draw(evidence.networks(name)) for name in evidence.all_sets}
    smallest = min(draws.values())
    return Measurement(
        f"{smallest}, in cells of {evidence.roles['cell_size']:g} Mpc/h",
        named("fewest", draws),
        smallest >= least,
        scatter=(max(draws.values()) - smallest, "sets"),
    )
