"""The picture of the workflow: reading, simplifying, layering and drawing a graph of rules."""

import io
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from lagbias import workflow_drawing, workflow_graph, workflow_layout
from lagbias.cli import main

FIGURES = ("power_ratio_boxes", "principal_components", "method_overview", "residual_slices")
NEEDS = {
    "make_features": ["simulate_box"],
    "fit_whitening": ["simulate_box", "make_features"],
    "make_halo_fields": ["simulate_box"],
    "train_network": ["make_features", "fit_whitening", "make_halo_fields", "gradient_pca"],
    "gradient_pca": ["simulate_box", "make_features", "fit_whitening", "train_network"],
    "predict_spectra": ["make_features", "make_halo_fields", "train_network", "gradient_pca"],
    "least_squares": ["make_features", "make_halo_fields"],
    "predict_least_squares": ["simulate_box", "least_squares"],
    "bin_networks": ["least_squares", "train_network"],
    "cut_slab": ["simulate_box", "train_network"],
    "check_claims": ["predict_spectra", "predict_least_squares", "bin_networks"],
    "write_configuration": [],
    "power_ratio_boxes": ["predict_spectra"],
    "principal_components": ["gradient_pca"],
    "method_overview": ["cut_slab"],
    "residual_slices": ["predict_spectra", "make_halo_fields"],
    "all": [*FIGURES, "check_claims", "write_configuration"],
}
BACK = ("gradient_pca", "train_network")


def dot(needs, first=()):
    """Write a graph as Snakemake does, with the nodes `first` before the others."""
    names = list(
        dict.fromkeys([*first, *needs, *(rule for rules in needs.values() for rule in rules)])
    )
    lines = ["digraph snakemake_dag {", "    graph[bgcolor=white, margin=0];"]
    lines += ["    node[shape=box, style=rounded, fontname=sans,    fontsize=10, penwidth=2];"]
    lines += ["    edge[penwidth=2, color=grey];"]
    lines += [
        f'\t{i}[label = "{name}", color = "0.{i:02d} 0.6 0.85", style="rounded"];'
        for i, name in enumerate(names)
    ]
    lines += [
        f"\t{names.index(before)} -> {names.index(after)}"
        for after, rules in needs.items()
        for before in rules
    ]
    return "\n".join([*lines, "}            ", ""])


def graph_of(*edges):
    nodes = tuple(dict.fromkeys(node for edge in edges for node in edge))
    return workflow_graph.Graph(nodes, edges)


@pytest.fixture(scope="module")
def workflow():
    return workflow_graph.parse(dot(NEEDS))


def test_rules_and_edges_are_read_and_the_target_is_left_out(workflow):
    assert set(workflow.nodes) == {*NEEDS, "simulate_box"} - {"all"}
    expected = {(before, after) for after, rules in NEEDS.items() for before in rules}
    assert set(workflow.edges) == {edge for edge in expected if "all" not in edge}
    assert workflow.successors("make_halo_fields") == [
        "train_network",
        "predict_spectra",
        "least_squares",
        "residual_slices",
    ]
    assert workflow.predecessors("fit_whitening") == ["simulate_box", "make_features"]


def test_a_graph_of_jobs_is_read_as_one_of_rules():
    text = """digraph snakemake_dag {
        0[label = "train", color = "0.1 0.6 0.85"];
        "job 1"[color = "0.2 0.6 0.85", label = "simulate\\nbox: box0"];
        2[label = "simulate\\nbox: box1"];
        "job 1" -> 0;
        2 -> 0;
    }"""
    graph = workflow_graph.parse(text)
    assert set(graph.nodes) == {"simulate", "train"}
    assert graph.edges == (("simulate", "train"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with 'nothing'"),
        ("Building DAG of jobs...\n", "begins with 'Building DAG of jobs...'"),
        ('digraph g {\n 0[label = "all"];\n}', "no rules besides the target"),
        ('digraph g {\n 0[label = "a"];\n 7 -> 0\n}', "nodes 7, which have no label"),
    ],
)
def test_bad_input_is_explained(text, message):
    with pytest.raises(ValueError, match=message):
        workflow_graph.parse(text)


def test_stages_come_from_names_and_else_from_what_needs_a_rule(workflow):
    stages = {node: workflow_graph.stage_of(node, workflow) for node in workflow.nodes}
    assert {node for node, stage in stages.items() if stage == "figures"} == set(FIGURES)
    assert stages["simulate_box"] == "data" and stages["check_claims"] == "claims"
    unknown = graph_of(("simulate_box", "measure_bispectra"), ("measure_bispectra", "bispectra"))
    assert workflow_graph.stage_of("measure_bispectra", unknown) == "evaluation"
    assert workflow_graph.stage_of("bispectra", unknown) == "figures"


def test_figures_become_one_node_with_their_names(workflow):
    grouped = workflow_graph.group_figures(workflow)
    assert sorted(grouped.members["figures"]) == sorted(FIGURES)
    assert not set(FIGURES) & set(grouped.nodes)
    needed = {"predict_spectra", "gradient_pca", "cut_slab", "make_halo_fields"}
    assert set(grouped.predecessors("figures")) == needed
    alone = graph_of(("predict_spectra", "power_ratio_boxes"))
    assert workflow_graph.group_figures(alone) is alone


@pytest.mark.parametrize("first", [("all",), ("gradient_pca",), ("train_network",)])
def test_a_cycle_is_cut_where_it_leads_back_whatever_the_order(first):
    graph, back = workflow_graph.split_cycles(workflow_graph.parse(dot(NEEDS, first)))
    assert back == (BACK,)
    assert BACK not in graph.edges and BACK[::-1] in graph.edges
    assert workflow_graph.layers(graph)["train_network"] < workflow_graph.layers(graph)[BACK[0]]


def test_cycles_of_unknown_rules_are_cut_too():
    graph = graph_of(("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"))
    cut, back = workflow_graph.split_cycles(graph)
    assert back == (("c", "a"),)
    assert workflow_graph.layers(cut) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_layers_of_a_cycle_are_refused():
    with pytest.raises(ValueError, match=r"a, b need each other .* split_cycles"):
        workflow_graph.layers(graph_of(("a", "b"), ("b", "a")))


def test_layers_are_the_longest_ways():
    graph = graph_of(("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("late", "d"), ("a", "end"))
    nodes = (*graph.nodes, "alone")
    found = workflow_graph.layers(workflow_graph.Graph(nodes, graph.edges))
    assert found == {"a": 0, "b": 1, "c": 2, "d": 3, "late": 2, "end": 3, "alone": 0}


def reachable(graph):
    """Pairs of rules of which one leads to the other, as powers of the adjacency matrix."""
    place = {node: i for i, node in enumerate(graph.nodes)}
    matrix = np.eye(len(place), dtype=int)
    for a, b in graph.edges:
        matrix[place[a], place[b]] = 1
    return np.linalg.matrix_power(matrix, len(place)) > 0


def test_reduction_leaves_out_what_a_longer_way_implies(workflow):
    chain = graph_of(("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("a", "d"))
    assert workflow_graph.reduce_edges(chain).edges == (("a", "b"), ("b", "c"), ("c", "d"))
    graph, _ = workflow_graph.split_cycles(workflow)
    reduced = workflow_graph.reduce_edges(graph)
    assert len(reduced.edges) < len(graph.edges)
    np.testing.assert_array_equal(reachable(reduced), reachable(graph))
    for edge in reduced.edges:  # none can be spared
        fewer = tuple(other for other in reduced.edges if other != edge)
        assert not np.array_equal(
            reachable(workflow_graph.Graph(reduced.nodes, fewer)), reachable(reduced)
        )


def arranged(graph, width=1.0, gap=0.5):
    layer_of = workflow_graph.layers(graph)
    widths = dict.fromkeys(graph.nodes, width)
    return workflow_layout.arrange(graph, layer_of, widths, gap=gap), layer_of


def test_long_edges_have_a_place_in_every_layer_between(workflow):
    graph, _ = workflow_graph.split_cycles(workflow)
    layout, layer_of = arranged(graph)
    row_of = {name: row for row, names in enumerate(layout.rows) for name in names}
    assert {node: row_of[node] for node in graph.nodes} == layer_of
    for (first, second), way in layout.ways.items():
        assert (way[0], way[-1]) == (first, second)
        assert all(row_of[b] - row_of[a] == 1 for a, b in pairwise(way))


def test_neighbours_keep_their_distance(workflow):
    graph, _ = workflow_graph.split_cycles(workflow)
    layout, _ = arranged(graph, width=1.0, gap=0.5)
    for row in layout.rows:
        for left, right in pairwise(row):
            widths = 0.5 * sum(name in graph.nodes for name in (left, right))
            assert layout.x[right] - layout.x[left] >= widths + 0.5 - 1e-9


def test_crossings_are_counted_and_avoided():
    links = [("a", "y"), ("b", "x")]
    assert workflow_layout.count_crossings([["a", "b"], ["x", "y"]], links) == 1
    assert workflow_layout.count_crossings([["a", "b"], ["y", "x"]], links) == 0
    # two trees, given interleaved, need not cross
    graph = graph_of(("r", "a"), ("s", "b"), ("r", "c"), ("s", "d"), ("r", "e"), ("s", "f"))
    layout, _ = arranged(graph)
    assert workflow_layout.count_crossings(layout.rows, list(graph.edges)) == 0


def test_a_chain_is_straight():
    layout, _ = arranged(graph_of(("a", "b"), ("b", "c"), ("c", "d")))
    assert np.ptp(list(layout.x.values())) == pytest.approx(0.0, abs=1e-9)


@pytest.fixture(scope="module")
def picture(workflow):
    figure = workflow_drawing.draw(workflow)
    FigureCanvasAgg(figure).draw()
    return figure


def patches(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def test_every_rule_is_named_in_the_picture(workflow, picture):
    shown = [text.get_text() for text in picture.axes[0].texts]
    for node in workflow.nodes:
        assert shown.count(node) == 1
    assert "figures (4)" in shown and "all" not in shown
    # a box for every rule that draws no figure, and one for all that do
    assert len(patches(picture, FancyBboxPatch)) == len(workflow.nodes) - len(FIGURES) + 1


def test_boxes_hold_their_text_and_do_not_overlap(picture):
    boxes = [patch.get_window_extent() for patch in patches(picture, FancyBboxPatch)]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
    labels = [text for text in picture.axes[0].texts if text.get_zorder() == 4]
    assert len(labels) == len(boxes) + len(FIGURES)
    for label in labels:
        text = label.get_window_extent()
        assert any(
            box.x0 < text.x0 and text.x1 < box.x1 and box.y0 < text.y0 and text.y1 < box.y1
            for box in boxes
        )


def test_arrows_pass_no_box_and_stay_inside(workflow, picture):
    boxes = [patch.get_window_extent().padded(-1.0) for patch in patches(picture, FancyBboxPatch)]
    arrows = patches(picture, FancyArrowPatch)
    grouped, back = workflow_graph.split_cycles(workflow_graph.group_figures(workflow))
    assert len(arrows) == len(workflow_graph.reduce_edges(grouped).edges) + len(back)
    to_display = picture.axes[0].transData
    for arrow in arrows:
        path = to_display.transform_path(arrow._path_original)
        points = Path(path.to_polygons(closed_only=False)[0]).interpolated(20).vertices
        assert not any(box.contains(x, y) for x, y in points for box in boxes)
        assert picture.bbox.padded(1.0).contains(*points.min(axis=0))
        assert picture.bbox.padded(1.0).contains(*points.max(axis=0))


def test_the_edge_back_is_dashed_and_labelled(picture):
    dashed = [
        a for a in patches(picture, FancyArrowPatch) if a.get_linestyle() not in ("-", "solid")
    ]
    assert len(dashed) == 1
    start, stop = dashed[0]._path_original.vertices[[0, -1]]
    assert start[1] < stop[1]  # upwards
    label = next(t for t in picture.axes[0].texts if t.get_text() == "two components")
    text = label.get_window_extent()
    assert not any(
        box.get_window_extent().overlaps(text) for box in patches(picture, FancyBboxPatch)
    )
    assert picture.bbox.containsx(text.x0) and picture.bbox.containsx(text.x1)


@pytest.mark.parametrize("needs", [{"all": ["a"]}, {"a": ["b"], "b": ["a"]}, NEEDS])
def test_any_graph_draws(needs, tmp_path):
    figure = workflow_drawing.draw(workflow_graph.parse(dot(needs)))
    workflow_drawing.save(figure, tmp_path / "graph.png")
    assert (tmp_path / "graph.png").stat().st_size > 0


def test_drawing_leaves_matplotlib_settings_alone(workflow):
    before = dict(matplotlib.rcParams)
    workflow_drawing.draw(workflow)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_command_draws_a_file_and_standard_input_alike(suffix, tmp_path, monkeypatch, capsys):
    source = tmp_path / "graph.dot"
    source.write_text(dot(NEEDS), encoding="utf-8")
    assert main(["graph", str(source), "--output", str(tmp_path / f"a.{suffix}")]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(dot(NEEDS)))
    assert main(["graph", "--output", str(tmp_path / f"b.{suffix}")]) == 0
    assert f"b.{suffix}" in capsys.readouterr().out
    first = (tmp_path / f"a.{suffix}").read_bytes()
    assert first == (tmp_path / f"b.{suffix}").read_bytes() and first


def test_the_command_explains_what_is_wrong(tmp_path, capsys):
    output = ["--output", str(tmp_path / "graph.png")]
    assert main(["graph", str(tmp_path / "none.dot"), *output]) == 1
    assert "none.dot does not exist" in capsys.readouterr().err
    source = tmp_path / "bad.dot"
    source.write_text("nothing of the kind", encoding="utf-8")
    assert main(["graph", str(source), *output]) == 1
    assert "no directed graph" in capsys.readouterr().err
    source.write_text(dot(NEEDS), encoding="utf-8")
    assert main(["graph", str(source), "--output", str(tmp_path / "graph.jpg")]) == 1
    assert "'.jpg'" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.dot"]
