"""f along the principal components of its gradient (Wu, Muñoz & Eisenstein 2023, Fig. 5)."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.components import GradientPCA
from lagbias.figures.common import Inputs, load_one, new_figure, set_label, style
from lagbias.figures.component_panels import (
    add_component_bar,
    add_f_bar,
    draw_plane,
    draw_scatter,
    f_scale,
)

__all__ = ["draw", "load"]

WIDTH, HEIGHT = 7.1, 5.3  # inches: the full text width
MAX_COLUMNS = 3


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read ``components`` of one smoothing set, labelled with its radii [Mpc/h]."""
    pca = load_one(inputs["components"], GradientPCA)
    return {"pca": pca, "label": set_label(pca.smoothing_set, smoothing_sets)}


def draw(pca: GradientPCA, *, label: str | None = None) -> Figure:
    """Draw f in the planes of PC0 and each of PC1 to PC3 that is stored, and against PC0."""
    columns = min(pca.components.shape[1] - 1, MAX_COLUMNS)
    if columns < 1:
        raise ValueError(
            "principal_components needs at least two components to draw a plane, but got one; use "
            "networks with two inputs or more."
        )
    scale = f_scale(pca)
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(2, columns, squeeze=False, sharex=True)
        for column, (top, bottom) in enumerate(panels.T):
            mesh = draw_plane(top, pca, column + 1, scale)
            points = draw_scatter(bottom, pca, column + 1)
            add_component_bar(points, column + 1, location="bottom")
            if column:
                bottom.tick_params(labelleft=False)
        panels[1, 0].set_ylabel("$f$")
        add_f_bar(mesh, panels[0], location="top", aspect=60)
        if label:
            figure.suptitle(label)
    return figure
