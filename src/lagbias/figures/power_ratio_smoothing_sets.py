"""Model power for coarse and fine smoothing sets (Wu, Muñoz & Eisenstein 2023, Fig. 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from lagbias.bias.spectra import Spectra
from lagbias.figures.common import Inputs, load_all, new_figure, set_label, set_style, style
from lagbias.figures.curves import K_LABEL, RATIO_LABEL, finish_axes, plot_curve, ratio_curve

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 3.6  # inches: the full text width


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read the spectra ``coarse`` and ``fine``; the radii of the sets [Mpc/h] label them."""
    spectra = {name: load_all(inputs[name], Spectra) for name in ("coarse", "fine")}
    return spectra | {"smoothing_sets": smoothing_sets}


def draw(
    coarse: Sequence[Spectra],
    fine: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw the coarse sets on the left and the fine ones on the right, on one vertical scale."""
    if not coarse or not fine:
        raise ValueError(
            "power_ratio_smoothing_sets needs at least one coarse and one fine smoothing set; "
            f"got {len(coarse)} and {len(fine)}."
        )
    names = [entry.smoothing_set for entry in (*coarse, *fine)]
    rows = max(len(coarse), len(fine))
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        curves = []
        for axes, spectra in zip(panels, (coarse, fine), strict=True):
            for entry in spectra:
                name = entry.smoothing_set
                curves.append(ratio_curve(entry, k_max=k_max))
                look = replace(set_style(name, names), dashes="solid")
                plot_curve(axes, curves[-1], look, label=set_label(name, smoothing_sets))
        for axes, title in zip(panels, ("Coarse", "Fine"), strict=True):
            finish_axes(axes, curves, reference=1.0, legend_rows=rows)
            axes.set_title(rf"{title} spacing in $R_f$")
            axes.set_xlabel(K_LABEL)
            axes.legend(loc="upper left")
        panels[0].set_ylabel(RATIO_LABEL)
    return figure
