"""Model power and correlation with the halos for every smoothing set of the configuration."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.figures.common import (
    K_LABEL,
    finish_axes,
    new_figure,
    plot_curve,
    set_label,
    set_style,
    style,
)
from lagbias.figures.curves import Spectra, decorrelation_curve, ratio_curve, rebin

__all__ = ["draw"]

WIDTH, HEIGHT = 5.2, 6.4  # inches
LEGEND_COLUMNS = 2


def draw(
    spectra: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h above and 1 - r below, one line for each smoothing set.

    Parameters
    ----------
    spectra : sequence of Spectra
        One entry for each smoothing set, all of one training and one target box.
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
        If there are no spectra.
    """
    if not spectra:
        raise ValueError("power_ratio_all_sets needs the spectra of at least one smoothing set.")
    names = [entry.attribute("smoothing_set") for entry in spectra]
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        top, bottom = figure.subplots(2, 1, sharex=True)
        bottom.set_yscale("log")
        for axes, function in ((top, ratio_curve), (bottom, decorrelation_curve)):
            curves = [function(rebin(entry), k_max=k_max) for entry in spectra]
            for name, curve in zip(names, curves, strict=True):
                label = set_label(name, smoothing_sets)
                plot_curve(axes, curve, set_style(name, names), label=label)
            finish_axes(axes, curves, reference=1.0 if axes is top else None)
        top.set_ylabel(r"$P_{\rm model}\,/\,P_{\rm h}$")
        bottom.set_ylabel(r"$1 - r(k)$")
        bottom.set_xlabel(K_LABEL)
        handles, labels = top.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=LEGEND_COLUMNS)
    return figure
