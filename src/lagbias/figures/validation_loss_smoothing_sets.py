"""Validation loss and model power of the smoothing sets (Wu, Muñoz & Eisenstein 2023, Fig. 9)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import Inputs, set_label, set_style
from lagbias.figures.loss_panels import draw_loss_and_power, load_losses_and_spectra
from lagbias.training.network import Network

__all__ = ["draw", "load"]


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``networks`` and ``spectra``; the radii of the sets [Mpc/h] label them."""
    return load_losses_and_spectra(inputs) | {"smoothing_sets": smoothing_sets}


def draw(
    ensembles: Sequence[Sequence[Network]],
    spectra: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw the validation loss on the left, P_model / P_h on the right, for each smoothing set."""
    names = [entry.smoothing_set for entry in spectra]
    looks = [set_style(name, names) for name in names]
    labels = [set_label(name, smoothing_sets) for name in names]
    return draw_loss_and_power(ensembles, spectra, looks, labels, k_max=k_max)
