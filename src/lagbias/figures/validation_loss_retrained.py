"""Validation loss and power before and after retraining (Wu, Muñoz & Eisenstein 2023, Fig. 11)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.figures.common import set_label
from lagbias.figures.curves import Spectra
from lagbias.figures.histories import LossHistories
from lagbias.figures.loss_panels import draw_loss_and_power
from lagbias.figures.power_ratio_retrained import LABELS, LOOKS

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
        Two ensembles of one smoothing set: first that of all inputs, then that of the first two
        components of ∇f. Left.
    spectra : sequence of Spectra
        The same two in the same order, on one target box. Right.
    smoothing_sets : Mapping of str to sequence of float, optional
        Radii of the set for the legend [Mpc/h].
    k_max : float
        Largest wavenumber shown [h/Mpc].

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If these are not two ensembles of one set, the lists do not hold the same ones, or a loss
        is not finite.
    """
    names = [entry.attribute("smoothing_set") for entry in spectra]
    if len(names) != 2 or len(set(names)) != 1:
        raise ValueError(
            "validation_loss_retrained compares two ensembles of one smoothing set; got the "
            f"spectra of {names}."
        )
    labels = [f"{set_label(names[0], smoothing_sets)}: {LABELS[0]}", LABELS[1]]
    return draw_loss_and_power(histories, spectra, LOOKS, labels, k_max=k_max)
