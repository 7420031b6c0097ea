"""The workflow's rules as a graph: read from DOT, simplified, and laid out in layers.

`lagbias.workflow_drawing` draws the result. Nothing here needs Graphviz.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

__all__ = [
    "STAGES",
    "Edge",
    "Graph",
    "group_figures",
    "layers",
    "parse",
    "reduce_edges",
    "split_cycles",
    "stage_of",
]

#: A rule and one that needs its output.
Edge = tuple[str, str]

#: Stages of the workflow in their order, and the rules that belong to them.
STAGES: Mapping[str, frozenset[str]] = {
    "data": frozenset(
        {"simulate_box", "plan_acquisition", "acquire_box", "read_box", "make_halo_fields"}
    ),
    "features": frozenset({"make_features", "fit_whitening"}),
    "networks": frozenset({"train_network"}),
    "evaluation": frozenset(
        {
            "gradient_pca",
            "predict_spectra",
            "least_squares",
            "predict_least_squares",
            "bin_networks",
            "cut_slab",
        }
    ),
    "figures": frozenset({"figures"}),
    "claims": frozenset({"check_claims", "write_configuration"}),
}
# Other rules are evaluation, unless only the target rule needs them: then they draw a figure.
_DEFAULT, _DEFAULT_SINK = "evaluation", "figures"
_TARGET = "all"

_NODE = re.compile(
    r'^\s*(?P<id>"[^"]+"|\w+)\s*\[.*?\blabel\s*=\s*"(?P<label>(?:[^"\\]|\\.)*)"', re.MULTILINE
)
_EDGE = re.compile(r'^\s*(?P<from>"[^"]+"|\w+)\s*->\s*(?P<to>"[^"]+"|\w+)', re.MULTILINE)
_DEFAULTS = frozenset({"graph", "node", "edge"})


@dataclass(frozen=True)
class Graph:
    """Rules and what they need.

    Attributes
    ----------
    nodes : tuple of str
        Names of rules, each once.
    edges : tuple of (str, str)
        A rule and one that needs its output, each pair once, without loops.
    members : Mapping of str to tuple of str
        The rules that a node stands for, where it stands for several.
    """

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def successors(self, node: str) -> list[str]:
        """Return the rules that need this one, in the order of the edges."""
        return [second for first, second in self.edges if first == node]

    def predecessors(self, node: str) -> list[str]:
        """Return the rules that this one needs, in the order of the edges."""
        return [first for first, second in self.edges if second == node]


def parse(text: str) -> Graph:
    """Read what ``snakemake --rulegraph dot`` writes.

    Nodes of one name are one rule, so the output of ``--dag dot``, with a node for each job, gives
    the same graph. The target rule `all`, which makes nothing, is left out.

    Parameters
    ----------
    text : str
        A graph in the DOT language, one statement to a line.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        If the text is no such graph, has no rules, or an edge names a node that is not there.
    """
    if not re.search(r"\bdigraph\b", text):
        start = text.strip().splitlines()[:1] or ["nothing"]
        raise ValueError(
            f"This is no directed graph in the DOT language: it begins with {start[0][:60]!r}. "
            "Give it the output of `snakemake --rulegraph dot`."
        )
    found = [(match["id"], match["label"]) for match in _NODE.finditer(text)]
    # the second line of a label holds wildcards
    names = {key: label.split("\\n")[0] for key, label in found if key not in _DEFAULTS}
    edges = [(match["from"], match["to"]) for match in _EDGE.finditer(text)]
    if unknown := {key for edge in edges for key in edge} - names.keys():
        raise ValueError(
            f"The graph's edges name the nodes {', '.join(sorted(unknown))}, which have no label. "
            "The text may have been cut off; make it again with `snakemake --rulegraph dot`."
        )
    nodes = tuple(dict.fromkeys(name for name in names.values() if name != _TARGET))
    if not nodes:
        raise ValueError(
            "The graph has no rules besides the target. Ask for something that has yet to be "
            "made, or add `--forceall` to the snakemake command."
        )
    return Graph(nodes, _distinct((names[first], names[second]) for first, second in edges))


def stage_of(node: str, graph: Graph) -> str:
    """Return the stage of a rule, one of `STAGES`."""
    known = (stage for stage, rules in STAGES.items() if node in rules)
    return next(known, _DEFAULT if graph.successors(node) else _DEFAULT_SINK)


def group_figures(graph: Graph) -> Graph:
    """Make one node of all rules that draw figures.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        With a node "figures" and its members, or unchanged where fewer than two draw.
    """
    drawing = [node for node in graph.nodes if stage_of(node, graph) == "figures"]
    if len(drawing) < 2:
        return graph
    new_name = {node: "figures" if node in drawing else node for node in graph.nodes}
    edges = _distinct((new_name[first], new_name[second]) for first, second in graph.edges)
    nodes = tuple(dict.fromkeys(new_name.values()))
    return Graph(nodes, edges, {"figures": tuple(drawing)})


def split_cycles(graph: Graph) -> tuple[Graph, tuple[Edge, ...]]:
    """Take out the edges that close cycles.

    Two rules may each need the other's output, for different wildcards. Of the edges among the
    rules of a cycle those are taken out that lead to an earlier stage or, within a stage, to a rule
    that the graph names earlier.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    Graph
        Without cycles.
    tuple of (str, str)
        The edges taken out, in their order.
    """
    after = {node: _reachable(node, graph.successors) for node in graph.nodes}
    stages = list(STAGES)

    def place(node: str) -> tuple[int, int]:
        return stages.index(stage_of(node, graph)), graph.nodes.index(node)

    back = tuple(
        (first, second)
        for first, second in graph.edges
        if first in after[second] and place(first) > place(second)
    )
    kept = tuple(edge for edge in graph.edges if edge not in back)
    return Graph(graph.nodes, kept, graph.members), back


def reduce_edges(graph: Graph) -> Graph:
    """Leave out edges that a longer way between the same rules implies.

    Parameters
    ----------
    graph : Graph
        Without cycles.

    Returns
    -------
    Graph
        The fewest edges with which every rule still leads to the same others.
    """
    after = {node: _reachable(node, graph.successors) for node in graph.nodes}
    kept = tuple(
        (first, second)
        for first, second in graph.edges
        if not any(second in after[other] for other in graph.successors(first))
    )
    return Graph(graph.nodes, kept, graph.members)


def layers(graph: Graph) -> dict[str, int]:
    """Give every rule a layer, from which edges lead to higher ones only.

    Parameters
    ----------
    graph : Graph
        Without cycles.

    Returns
    -------
    dict of str to int
        Length of the longest way to each rule, dimensionless. Rules that need nothing are put just
        before the first that needs them, those that nothing needs in the last layer, and those
        without edges in the first.

    Raises
    ------
    ValueError
        If the graph has a cycle.
    """
    found: dict[str, int] = {}
    while len(found) < len(graph.nodes):
        ready = [
            node
            for node in graph.nodes
            if node not in found and found.keys() >= set(graph.predecessors(node))
        ]
        if not ready:
            rest = ", ".join(node for node in graph.nodes if node not in found)
            raise ValueError(
                f"The rules {rest} need each other in a circle, so they have no layers; take the "
                "edges out with split_cycles."
            )
        for node in ready:
            found[node] = max((found[other] + 1 for other in graph.predecessors(node)), default=0)
    last = max(found.values())
    for node in graph.nodes:
        before, after = graph.predecessors(node), graph.successors(node)
        if before and not after:
            found[node] = last
        elif after and not before:
            found[node] = min(found[other] for other in after) - 1
    return found


def _reachable(node: str, neighbours: Callable[[str], list[str]]) -> set[str]:
    """Return what can be reached from a node by at least one edge."""
    found: set[str] = set()
    waiting = list(neighbours(node))
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += neighbours(current)
    return found


def _distinct(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Drop repeated edges, loops and those to the target."""
    return tuple(dict.fromkeys((a, b) for a, b in edges if a != b and _TARGET not in (a, b)))
