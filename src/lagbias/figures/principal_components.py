"""f along the principal components of its gradient (Wu, Muñoz & Eisenstein 2023, Fig. 5)."""

from matplotlib.figure import Figure

from lagbias.bias.components import ComponentSample
from lagbias.figures.common import new_figure, style
from lagbias.figures.component_panels import (
    add_component_bar,
    add_f_bar,
    draw_plane,
    draw_scatter,
    f_scale,
)

__all__ = ["draw"]

WIDTH, HEIGHT = 7.1, 5.3  # inches: the full text width
MOST_COLUMNS = 3


def draw(sample: ComponentSample, *, label: str | None = None) -> Figure:
    """Draw f in the planes of PC0 and the next components, and against PC0.

    Parameters
    ----------
    sample : ComponentSample
        Particles in random order, with two components or more; up to four are shown.
    label : str, optional
        What was trained, for the title.

    Returns
    -------
    Figure
        One column for PC1, PC2 and PC3, as far as there are so many: the mean f in bins of PC0
        and that component above, f of single particles coloured by it below.

    Raises
    ------
    ValueError
        If there is only one component.
    """
    columns = min(sample.components.shape[1] - 1, MOST_COLUMNS)
    if columns < 1:
        raise ValueError(
            "principal_components needs at least two components to draw a plane, but the sample "
            "of particles has one; use networks with two inputs or more."
        )
    scale = f_scale(sample)
    with style():
        figure = new_figure(WIDTH, HEIGHT)
        panels = figure.subplots(2, columns, squeeze=False, sharex=True)
        for column, (top, bottom) in enumerate(panels.T):
            mesh = draw_plane(top, sample, column + 1, scale)
            points = draw_scatter(bottom, sample, column + 1)
            add_component_bar(points, column + 1, location="bottom")
            if column:
                bottom.tick_params(labelleft=False)
        panels[1, 0].set_ylabel("$f$")
        add_f_bar(mesh, panels[0], location="top", aspect=60)
        if label:
            figure.suptitle(label)
    return figure
