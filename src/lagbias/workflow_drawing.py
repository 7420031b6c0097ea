"""A picture of the workflow's rules (see `lagbias.workflow_graph`)."""

import os
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve
from matplotlib.transforms import Bbox

from lagbias import store
from lagbias.figures.common import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from lagbias.workflow_graph import (
    STAGES,
    Edge,
    Graph,
    group_figures,
    layers,
    reduce_edges,
    split_cycles,
    stage_of,
)
from lagbias.workflow_layout import Layout, arrange

__all__ = ["draw", "save"]

# Borders of each stage's boxes.
_COLOURS = dict(zip(STAGES, (BLUE, SKY, ORANGE, GREEN, PURPLE, VERMILION), strict=True))
_INK, _ARROW, _BACK = "#1A1A1A", "#6B6B6B", "#C07F00"
_SUFFIXES = (".pdf", ".png", ".svg")
# Meaning of an edge that closes a cycle.
_BACK_LABELS = {("gradient_pca", "train_network"): "two components"}

# Lengths in inches, sizes of type in points.
_NAME_SIZE, _SMALL_SIZE = 8.5, 6.5
_BOX_HEIGHT, _PADDING, _LINE = 0.30, 0.11, 0.135
_ROW_GAP, _BOX_GAP, _EDGE_MARGIN = 0.40, 0.28, 0.12
_ROUNDING, _BULGE = 0.06, 0.42
_COLUMNS = 3  # of the names of grouped rules
_PORT_STEP = 0.13  # of arrows that leave or reach one box
_LEGEND_HEIGHT = 0.34
_TINT = 0.22
_FONT = "DejaVu Sans Mono"  # comes with matplotlib; every character is 0.602 em wide
_CHARACTER = 0.602


def draw(graph: Graph) -> Figure:
    """Draw the rules in layers, with arrows to those that need them.

    Rules that draw figures share a box. Arrows that a longer way implies are left out; those that
    close a cycle are dashed.

    Parameters
    ----------
    graph : Graph
        As `lagbias.workflow_graph.parse` reads it.

    Returns
    -------
    Figure
        As large as it needs to be.
    """
    grouped = group_figures(graph)
    stages = {node: stage_of(node, grouped) for node in grouped.nodes}
    forward, back = split_cycles(grouped)
    forward = reduce_edges(forward)
    sizes = {node: _box_size(node, forward) for node in forward.nodes}
    ends = {node for edge in back for node in edge}  # which need room for an arc at their side
    widths = {node: width + _BULGE * (node in ends) for node, (width, _) in sizes.items()}
    layout = arrange(forward, layers(forward), widths, gap=_BOX_GAP)
    boxes = _boxes(layout, sizes)
    arcs = [_arc(edge, boxes) for edge in back]
    with matplotlib.rc_context({"font.family": _FONT}):
        figure, axes = _canvas([*boxes.values(), *arcs])
        for edge, way in layout.ways.items():
            _arrow(axes, _curve(edge, way, layout, boxes), _ARROW, "solid")
        for edge, arc in zip(back, arcs, strict=True):
            _back_arrow(axes, edge, arc, boxes)
        for node in forward.nodes:
            _draw_box(axes, node, forward, boxes[node], _COLOURS[stages[node]])
        _legend(axes, [stage for stage in STAGES if stage in stages.values()])
    return figure


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure, atomically and without dates.

    Parameters
    ----------
    figure : Figure
    path : path-like
        The suffix, .png, .svg or .pdf, is the format.

    Raises
    ------
    ValueError
        If the suffix is another.
    lagbias.store.ArtefactError
        If the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise ValueError(
            f"{path} has the suffix {path.suffix!r}, but a picture is one of "
            f"{', '.join(_SUFFIXES)}; change the name."
        )
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with store.replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "lagbias"}):
        figure.savefig(temporary, format=path.suffix[1:], dpi=200, metadata=metadata[path.suffix])


def _box_size(node: str, graph: Graph) -> tuple[float, float]:
    """Return width and height of a box [inches]."""
    members = graph.members.get(node, ())
    if not members:
        return _text_width(node, _NAME_SIZE) + 2 * _PADDING, _BOX_HEIGHT
    columns = min(_COLUMNS, len(members))
    width = columns * (max(_text_width(m, _SMALL_SIZE) for m in members) + _PADDING) + _PADDING
    return width, _BOX_HEIGHT + _LINE * -(-len(members) // columns) + 0.5 * _PADDING


def _text_width(text: str, size: float) -> float:
    return len(text) * _CHARACTER * size / 72.0


def _boxes(layout: Layout, sizes: dict[str, tuple[float, float]]) -> dict[str, Bbox]:
    """Return the place of everything [inches], rows downwards from y = 0, each aligned at its top.

    Placeholders have no width and reach from the top of their row to its bottom.
    """
    boxes, top = {}, 0.0
    for row in layout.rows:
        depth = max(sizes[name][1] for name in row if name in sizes)
        for name in row:
            width, height = sizes.get(name, (0.0, depth))
            left = layout.x[name] - 0.5 * width
            boxes[name] = Bbox([[left, top - height], [left + width, top]])
        top -= depth + _ROW_GAP
    return boxes


def _canvas(contents: list[Bbox]) -> tuple[Figure, Axes]:
    """Return a figure whose axes measure inches and hold everything."""
    limits = Bbox.union(contents).padded(_EDGE_MARGIN)
    left, bottom, right, top = limits.x0, limits.y0, limits.x1, limits.y1 + _LEGEND_HEIGHT
    figure = Figure(figsize=(right - left, top - bottom), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    return figure, axes


def _draw_box(axes: Axes, node: str, graph: Graph, box: Bbox, colour: str) -> None:
    tint = 1.0 - _TINT * (1.0 - np.array(matplotlib.colors.to_rgb(colour)))
    inner = box.padded(-_ROUNDING)  # the patch grows by its rounding
    axes.add_patch(
        FancyBboxPatch(
            inner.p0,
            inner.width,
            inner.height,
            boxstyle=f"round,pad={_ROUNDING}",
            facecolor=tint,
            edgecolor=colour,
            linewidth=1.3,
            zorder=3,
        )
    )
    look = {"color": _INK, "va": "center", "zorder": 4}
    members = graph.members.get(node, ())
    middle, y = 0.5 * (box.x0 + box.x1), box.y1 - 0.5 * _BOX_HEIGHT
    title = f"{node} ({len(members)})" if members else node
    axes.text(middle, y, title, size=_NAME_SIZE, ha="center", **look)
    columns = min(_COLUMNS, len(members))
    for index, member in enumerate(members):
        column, row = divmod(index, -(-len(members) // columns))
        x = box.x0 + _PADDING + column * (box.width - _PADDING) / columns
        axes.text(x, y - 0.21 - row * _LINE, member, size=_SMALL_SIZE, **look)


def _curve(edge: Edge, way: list[str], layout: Layout, boxes: dict[str, Bbox]) -> Curve:
    """Lead an edge through its placeholders, upright wherever it meets a row."""
    points, codes = [(_port(edge, way[0], layout), boxes[way[0]].y0)], [Curve.MOVETO]
    for name in way[1:]:
        x = _port(edge, name, layout) if name == way[-1] else layout.x[name]
        (x_before, y_before), top = points[-1], boxes[name].y1
        middle = 0.5 * (y_before + top)
        points += [(x_before, middle), (x, middle), (x, top)]
        codes += [Curve.CURVE4] * 3
        if name != way[-1]:
            points.append((x, boxes[name].y0))
            codes.append(Curve.LINETO)
    return Curve(points, codes)


def _port(edge: Edge, node: str, layout: Layout) -> float:
    """Return where on a box an arrow leaves or arrives, so that several lie side by side."""
    end, beside = (0, 1) if node == edge[0] else (-1, -2)
    others = [way[beside] for way in layout.ways.values() if way[end] == node]
    others.sort(key=layout.x.__getitem__)
    index = others.index(layout.ways[edge][beside])
    return layout.x[node] + (index - 0.5 * (len(others) - 1)) * _PORT_STEP


def _arc(edge: Edge, boxes: dict[str, Bbox]) -> Bbox:
    """Return the space [inches] of an arrow to an earlier row, on the side with more room.

    It reaches from the farther of the two boxes outwards, over both rows, and holds the label.
    """
    ends = [boxes[node] for node in edge]
    rows = Bbox.union(ends)
    others = [
        box
        for name, box in boxes.items()
        if name not in edge and box.y1 >= rows.y0 and box.y0 <= rows.y1
    ]
    width = _BULGE + _text_width(_BACK_LABELS.get(edge, ""), _SMALL_SIZE)
    room_left = min((rows.x0 - box.x1 for box in others if box.x0 < rows.x0), default=np.inf)
    room_right = min((box.x0 - rows.x1 for box in others if box.x1 > rows.x1), default=np.inf)
    if room_left > room_right:
        return Bbox([[rows.x0 - width, rows.y0], [rows.x0, rows.y1]])
    return Bbox([[rows.x1, rows.y0], [rows.x1 + width, rows.y1]])


def _back_arrow(axes: Axes, edge: Edge, arc: Bbox, boxes: dict[str, Bbox]) -> None:
    """Draw an edge to an earlier row as a dashed arc beside the boxes, with its meaning."""
    first, second = (boxes[node] for node in edge)
    right = arc.x0 >= max(first.x1, second.x1)
    start, stop = (first.x1, second.x1) if right else (first.x0, second.x0)
    outward = 1.0 if right else -1.0
    out = (arc.x0 if right else arc.x1) + outward * _BULGE
    y_start, y_stop = (0.5 * (box.y0 + box.y1) for box in (first, second))
    points = [(start, y_start), (out, y_start), (out, y_stop), (stop, y_stop)]
    curve = Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * 3])
    _arrow(axes, curve, _BACK, (0, (4, 2)))
    # beside the curve, nearer to its head, where fewer arrows pass
    shares = np.array([0.03, 0.19, 0.43, 0.35])  # the curve's polynomials at 0.7 of its way
    x, y = shares @ np.array(points)
    axes.text(
        x + outward * 0.06,
        y,
        _BACK_LABELS.get(edge, ""),
        size=_SMALL_SIZE,
        color=_INK,
        ha="left" if right else "right",
        va="center",
    )


def _arrow(axes: Axes, curve: Curve, colour: str, dashes: str | tuple) -> None:
    axes.add_patch(
        FancyArrowPatch(
            path=curve,
            arrowstyle="-|>,head_length=0.55,head_width=0.24",
            mutation_scale=9,
            facecolor=colour,
            edgecolor=colour,
            linewidth=1.1,
            linestyle=dashes,
            zorder=2,
        )
    )


def _legend(axes: Axes, stages: list[str]) -> None:
    """Name the stages' colours in a line above the first row."""
    size, square, gap = _SMALL_SIZE + 0.5, 0.16, 0.2
    lengths = [square + _text_width(stage, size) + gap for stage in stages]
    x, y = 0.5 * (sum(axes.get_xlim()) - sum(lengths)), axes.get_ylim()[1] - 0.14
    for stage, length in zip(stages, lengths, strict=True):
        axes.plot([x], [y], marker="s", markersize=6, color=_COLOURS[stage])
        axes.text(x + square - 0.06, y, stage, size=size, color=_INK, va="center_baseline")
        x += length
