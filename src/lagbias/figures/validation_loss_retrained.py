"""Validation loss and power before and after retraining (Wu, Muñoz & Eisenstein 2023, Fig. 11)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import Inputs, set_label
from lagbias.figures.loss_panels import draw_loss_and_power, load_losses_and_spectra
from lagbias.figures.power_ratio_retrained import LABELS, LOOKS
from lagbias.training.network import Network

__all__ = ["draw", "load"]


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``networks`` and ``spectra``; the radii of the set [Mpc/h] label it."""
    return load_losses_and_spectra(inputs) | {"smoothing_sets": smoothing_sets}


def draw(
    ensembles: Sequence[Sequence[Network]],
    spectra: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw an ensemble of all inputs, then one of two components of ∇f, of one smoothing set."""
    names = [entry.smoothing_set for entry in spectra]
    if len(names) != 2 or len(set(names)) != 1:
        raise ValueError(
            "validation_loss_retrained compares two ensembles of one smoothing set; got the "
            f"spectra of {names}."
        )
    labels = [f"{set_label(names[0], smoothing_sets)}: {LABELS[0]}", LABELS[1]]
    return draw_loss_and_power(ensembles, spectra, LOOKS, labels, k_max=k_max)
