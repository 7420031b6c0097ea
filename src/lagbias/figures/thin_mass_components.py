"""f of halos in thin ranges of mass (Wu, Muñoz & Eisenstein 2023, Fig. 8)."""

from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lagbias.bias.components import ComponentSample
from lagbias.figures.common import new_figure, style
from lagbias.figures.component_panels import (
    add_component_bar,
    add_f_bar,
    component_range,
    draw_mean,
    draw_plane,
    draw_scatter,
    f_scale,
)

__all__ = ["draw"]

COLUMN_WIDTH, HEIGHT = 3.55, 5.2  # inches: two columns fill the text width


def draw(samples: Mapping[str, ComponentSample], labels: Mapping[str, str] | None = None) -> Figure:
    """Draw f in the plane of PC0 and PC1, and against PC0, for each range of mass.

    Parameters
    ----------
    samples : Mapping of str to ComponentSample
        Particles in random order, with two components or more, by the name of the halo sample,
        in the order of the columns.
    labels : Mapping of str to str, optional
        Title of each; without one, the name.

    Returns
    -------
    Figure
        One column for each sample: the mean f in bins of PC0 and PC1 above; f of single particles
        coloured by PC1 and the mean f in bins of PC0 below.

    Raises
    ------
    ValueError
        If there are no samples, or one has a single component.
    """
    _check(samples)
    with style():
        figure = new_figure(COLUMN_WIDTH * len(samples), HEIGHT)
        panels = figure.subplots(2, len(samples), squeeze=False, sharex=True)
        for (name, sample), (top, bottom) in zip(samples.items(), panels.T, strict=True):
            mesh = draw_plane(top, sample, 1, f_scale(sample))
            add_f_bar(mesh, top, location="right", aspect=22)
            points = draw_scatter(bottom, sample, 1)
            draw_mean(bottom, sample)
            add_component_bar(points, 1, location="right")
            bottom.set_ylabel("$f$")
            top.set_title((labels or {}).get(name, name))
        _share_ranges(panels[0], samples.values())
    return figure


def _check(samples: Mapping[str, ComponentSample]) -> None:
    """Raise ValueError where there is nothing to draw, or no plane."""
    if not samples:
        raise ValueError(
            "thin_mass_components needs at least one sample of particles; name some in "
            "`thin_samples`."
        )
    for name, sample in samples.items():
        if sample.components.shape[1] < 2:
            raise ValueError(
                f"thin_mass_components needs at least two components to draw a plane, but "
                f"`{name}` has one; use networks with two inputs or more."
            )


def _share_ranges(planes: Sequence[Axes], samples: Collection[ComponentSample]) -> None:
    """Give all columns the same axes, so that peaks can be compared."""
    for component, name in enumerate("xy"):
        low, high = zip(*(component_range(sample, component) for sample in samples), strict=True)
        for axes in planes:
            axes.set(**{f"{name}lim": (min(low), max(high))})
