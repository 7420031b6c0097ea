"""Validation loss and model power of the smoothing sets (Wu, Muñoz & Eisenstein 2023, Fig. 9)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.figures.common import set_label, set_style
from lagbias.figures.curves import Spectra
from lagbias.figures.histories import LossHistories
from lagbias.figures.loss_panels import draw_loss_and_power

__all__ = ["draw"]


def draw(
    histories: Sequence[LossHistories],
    spectra: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw the two panels.

    Parameters
    ----------
    histories : sequence of LossHistories
        One entry for each smoothing set, all of one training box. Left.
    spectra : sequence of Spectra
        The same sets in the same order, on one target box. Right.
    smoothing_sets : Mapping of str to sequence of float, optional
        Radii of the sets for the legend [Mpc/h].
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are no sets, the lists do not hold the same ones, or a loss is not finite.
    """
    names = [entry.attribute("smoothing_set") for entry in spectra]
    looks = [set_style(name, names) for name in names]
    labels = [set_label(name, smoothing_sets) for name in names]
    return draw_loss_and_power(histories, spectra, looks, labels, k_max=k_max)
