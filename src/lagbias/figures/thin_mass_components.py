"""f of halos in thin ranges of mass (Wu, Muñoz & Eisenstein 2023, Fig. 8)."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.bias.components import GradientPCA
from lagbias.figures.common import Inputs, load_all, new_figure, sample_label, style
from lagbias.figures.component_panels import (
    add_component_bar,
    add_f_bar,
    component_range,
    draw_mean,
    draw_plane,
    draw_scatter,
    f_scale,
)

__all__ = ["draw", "load"]

COLUMN_WIDTH, HEIGHT = 3.55, 5.2  # inches: two columns fill the text width


def load(inputs: Inputs, *, samples: Mapping[str, Mapping[str, float]]) -> dict:
    """Read ``components`` of every halo sample, labelled with its limits (see `sample_label`)."""
    pcas = load_all(inputs["components"], GradientPCA)
    return {"pcas": pcas, "labels": [sample_label(**samples[pca.sample]) for pca in pcas]}


def draw(pcas: Sequence[GradientPCA], labels: Sequence[str]) -> Figure:
    """Draw f in the plane of PC0 and PC1, and against PC0, a column for each range of mass."""
    _check(pcas)
    with style():
        figure = new_figure(COLUMN_WIDTH * len(pcas), HEIGHT)
        panels = figure.subplots(2, len(pcas), squeeze=False, sharex=True)
        for pca, label, (top, bottom) in zip(pcas, labels, panels.T, strict=True):
            mesh = draw_plane(top, pca, 1, f_scale(pca))
            add_f_bar(mesh, top, location="right", aspect=22)
            points = draw_scatter(bottom, pca, 1)
            draw_mean(bottom, pca)
            add_component_bar(points, 1, location="right")
            bottom.set_ylabel("$f$")
            top.set_title(label)
        _share_ranges(panels[0], pcas)
    return figure


def _check(pcas: Sequence[GradientPCA]) -> None:
    """Raise ValueError if there is nothing to draw, or no plane."""
    if not pcas:
        raise ValueError(
            "thin_mass_components needs at least one halo sample; name some in `thin_samples`."
        )
    for pca in pcas:
        if pca.components.shape[1] < 2:
            raise ValueError(
                "thin_mass_components needs at least two components to draw a plane, but "
                f"`{pca.sample}` has one; use networks with two inputs or more."
            )


def _share_ranges(planes: Sequence[Axes], pcas: Sequence[GradientPCA]) -> None:
    """Give all columns the same limits, so that peaks can be compared."""
    for component, name in enumerate("xy"):
        low, high = zip(*(component_range(pca, component) for pca in pcas), strict=True)
        for axes in planes:
            axes.set(**{f"{name}lim": (min(low), max(high))})
