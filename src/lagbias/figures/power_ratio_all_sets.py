"""Model power and correlation with the halos for every smoothing set of the configuration."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import (
    Inputs,
    legend_above,
    load_all,
    new_figure,
    set_label,
    set_style,
    style,
)
from lagbias.figures.curves import (
    K_LABEL,
    RATIO_LABEL,
    decorrelation_curve,
    finish_axes,
    plot_curves,
    ratio_curve,
)

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 5.2, 6.4  # inches


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``spectra``; the radii of the sets [Mpc/h] label them."""
    return {"spectra": load_all(inputs["spectra"], Spectra), "smoothing_sets": smoothing_sets}


def draw(
    spectra: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h above and 1 - r below, one line for each smoothing set."""
    if not spectra:
        raise ValueError("power_ratio_all_sets needs the spectra of at least one smoothing set.")
    names = [entry.smoothing_set for entry in spectra]
    looks = [set_style(name, names) for name in names]
    labels = [set_label(name, smoothing_sets) for name in names]
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        top, bottom = figure.subplots(2, 1, sharex=True)
        bottom.set_yscale("log")
        for axes, function in ((top, ratio_curve), (bottom, decorrelation_curve)):
            curves = [function(entry, k_max=k_max) for entry in spectra]
            plot_curves(axes, curves, looks, labels)
            finish_axes(axes, curves, reference=1.0 if axes is top else None)
        top.set_ylabel(RATIO_LABEL)
        bottom.set_ylabel(r"$1 - r(k)$")
        bottom.set_xlabel(K_LABEL)
        legend_above(figure, top, 2)
    return figure
