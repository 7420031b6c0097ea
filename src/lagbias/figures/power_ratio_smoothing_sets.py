"""Model power for coarse and fine smoothing sets (Wu, Muñoz & Eisenstein 2023, Fig. 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
from lagbias.figures.curves import Spectra, ratio_curve, rebin

__all__ = ["draw"]

WIDTH, HEIGHT = 7.1, 3.6  # inches: the full text width


def draw(
    coarse: Sequence[Spectra],
    fine: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw the two panels, on one vertical scale.

    Parameters
    ----------
    coarse, fine : sequence of Spectra
        One entry for each smoothing set, all of one training and one target box. Left and right.
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
        If a panel has no spectra.
    """
    if not coarse or not fine:
        raise ValueError(
            "power_ratio_smoothing_sets needs at least one coarse and one fine smoothing set; "
            f"got {len(coarse)} and {len(fine)}."
        )
    names = [entry.attribute("smoothing_set") for entry in (*coarse, *fine)]
    rows = max(len(coarse), len(fine))
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        curves = []
        for axes, spectra in zip(panels, (coarse, fine), strict=True):
            for entry in spectra:
                name = entry.attribute("smoothing_set")
                curves.append(ratio_curve(rebin(entry), k_max=k_max))
                label = set_label(name, smoothing_sets)
                look = replace(set_style(name, names), dashes="solid")
                plot_curve(axes, curves[-1], look, label=label)
        for axes, title in zip(panels, ("coarse", "fine"), strict=True):
            finish_axes(axes, curves, reference=1.0, legend_rows=rows)
            axes.set_title(rf"{title.capitalize()} spacing in $R_f$")
            axes.set_xlabel(K_LABEL)
            axes.legend(loc="upper left")
        panels[0].set_ylabel(r"$P_{\rm model}\,/\,P_{\rm h}$")
    return figure
