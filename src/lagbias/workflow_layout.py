"""Places for the rules of a workflow: an order in each layer, and coordinates.

The usual steps of a layered drawing: ways over several layers get a placeholder in each, layers are
sorted by the mean place of their neighbours while that avoids crossings, and then pulled straight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lagbias.workflow_graph import Edge, Graph

__all__ = ["Layout", "arrange", "count_crossings"]

_SWEEPS = 24  # of the order; crossings cease to fall after a few
_PULLS = 60  # of the coordinates
# An item and one of the next layer.
Link = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """Where everything goes.

    Attributes
    ----------
    rows : list of list of str
        Rules and placeholders of each layer, from left to right.
    x : dict of str to float
        Middle of each, in the units of the widths.
    ways : dict of (str, str) to list of str
        Each edge: the rule it comes from, its placeholders, the rule that it leads to.
    """

    rows: list[list[str]]
    x: dict[str, float]
    ways: dict[Edge, list[str]]


def arrange(
    graph: Graph, layer_of: Mapping[str, int], widths: Mapping[str, float], *, gap: float
) -> Layout:
    """Place the rules so that edges cross little and run straight.

    Parameters
    ----------
    graph : Graph
        Without cycles.
    layer_of : Mapping of str to int
        Layer of each rule; every edge leads to a higher one.
    widths : Mapping of str to float
        Width of each rule's box, in any unit.
    gap : float, keyword-only
        Least distance of neighbouring boxes, in the same unit.

    Returns
    -------
    Layout
    """
    rows: list[list[str]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in graph.nodes:
        rows[layer_of[node]].append(node)
    ways = {}
    for first, second in graph.edges:
        between = range(layer_of[first] + 1, layer_of[second])
        placeholders = [f"{first} -> {second} @ {layer}" for layer in between]
        for layer, name in zip(between, placeholders, strict=True):
            rows[layer].append(name)
        ways[first, second] = [first, *placeholders, second]
    links = [link for way in ways.values() for link in pairwise(way)]
    rows = _sorted_rows(rows, links)
    return Layout(rows, _coordinates(rows, links, widths, gap), ways)


def count_crossings(rows: Sequence[Sequence[str]], links: Sequence[Link]) -> int:
    """Count the pairs of links that cross.

    Parameters
    ----------
    rows : sequence of sequence of str
        Items of each layer, from left to right.
    links : sequence of (str, str)
        Each from an item to one of the next layer.

    Returns
    -------
    int
    """
    place = {name: (layer, i) for layer, row in enumerate(rows) for i, name in enumerate(row)}
    ends = [(*place[first], place[second][1]) for first, second in links]
    return sum(
        layer == other and (start - begin) * (stop - end) < 0
        for index, (layer, start, stop) in enumerate(ends)
        for other, begin, end in ends[:index]
    )


def _sorted_rows(rows: list[list[str]], links: list[Link]) -> list[list[str]]:
    """Sort each layer by the mean place of the neighbours, downwards and upwards in turn."""
    above, below = _neighbours(links)
    best, fewest = rows, count_crossings(rows, links)
    rows = [list(row) for row in rows]
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            beside = rows[index - 1 if down else index + 1]
            # relative places, as layers differ in length
            place = {name: (i + 0.5) / len(beside) for i, name in enumerate(beside)}
            own = {name: (i + 0.5) / len(rows[index]) for i, name in enumerate(rows[index])}
            key = {
                name: np.mean([place[other] for other in neighbours.get(name, [])] or [own[name]])
                for name in rows[index]
            }
            rows[index].sort(key=key.__getitem__)
        crossings = count_crossings(rows, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return _swapped(best, links)


def _swapped(rows: list[list[str]], links: list[Link]) -> list[list[str]]:
    """Exchange neighbours as long as that avoids crossings, which mean places may leave."""
    rows = [list(row) for row in rows]
    fewest, before = count_crossings(rows, links), None
    while fewest != before:
        before = fewest
        for row in rows:
            for i in range(len(row) - 1):
                row[i], row[i + 1] = row[i + 1], row[i]
                crossings = count_crossings(rows, links)
                if crossings < fewest:
                    fewest = crossings
                else:
                    row[i], row[i + 1] = row[i + 1], row[i]
    return rows


def _coordinates(
    rows: list[list[str]], links: list[Link], widths: Mapping[str, float], gap: float
) -> dict[str, float]:
    """Pull every item to the mean place of its neighbours as far as its row has room."""
    above, below = _neighbours(links)
    offsets, x = [], {}
    for row in rows:
        width = np.array([widths.get(name, 0.0) for name in row])
        steps = 0.5 * (width[:-1] + width[1:]) + gap
        offsets.append(np.concatenate([[0.0], np.cumsum(steps)]))
        x |= dict(zip(row, offsets[-1] - 0.5 * offsets[-1][-1], strict=True))
    for pull in range(_PULLS):
        order = range(len(rows)) if pull % 2 == 0 else range(len(rows) - 1, -1, -1)
        for index in order:
            row = rows[index]
            wanted = [
                np.mean([x[o] for o in above.get(name, []) + below.get(name, [])] or [x[name]])
                for name in row
            ]
            placed = _nondecreasing(np.array(wanted) - offsets[index]) + offsets[index]
            x |= dict(zip(row, placed.tolist(), strict=True))
    return x


def _nondecreasing(values: np.ndarray) -> np.ndarray:
    """Return the nearest values, in the mean square, of which none is below the one before."""
    blocks: list[list[float]] = []  # mean and number
    for value in values:
        blocks.append([float(value), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, number = blocks.pop()
            total = blocks[-1][1] + number
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * number) / total, total]
    return np.concatenate([np.full(int(number), mean) for mean, number in blocks])


def _neighbours(links: list[Link]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return what each item is linked to in the layer above and in that below."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for first, second in links:
        above.setdefault(second, []).append(first)
        below.setdefault(first, []).append(second)
    return above, below
