"""The gallery: every figure is there, with the code that draws it and the data it shows.

`origin` makes the two lines below each figure from the table of figures, the paths of artefacts
and the default configuration, so that the gallery cannot say anything else.
"""

import ast
import importlib.util
import re
from itertools import chain
from types import SimpleNamespace

import pytest
import yaml

from lagbias.config import model as configuration

#: Wildcards of artefacts' paths that say which data a figure shows, in the words of the gallery.
SHOWN = {
    "smoothing_set": "scales",
    "sample": "halos",
    "train_box": "trained on",
    "box": "shown on",
}


@pytest.fixture(scope="module")
def config(repository):
    text = (repository / "config" / "config.yaml").read_text("utf-8")
    return configuration.load(yaml.safe_load(text))


@pytest.fixture(scope="module")
def gallery(repository):
    return (repository / "docs" / "gallery.md").read_text("utf-8")


def literal(path, name):
    """Return the syntax tree of a dictionary that a file of rules assigns to a name."""
    text = path.read_text("utf-8")
    found = re.search(rf"^{name} = \{{.*?^\}}$", text, re.MULTILINE | re.DOTALL)
    return ast.parse(found[0].removeprefix(f"{name} = "), mode="eval")


@pytest.fixture(scope="module")
def figures(repository, config):
    """Inputs of each figure: pairs of a kind of artefact and the values of its wildcards."""
    rules = repository / "workflow" / "rules"
    patterns = ast.literal_eval(literal(rules / "paths.smk", "PATHS").body)
    usual = {
        "smoothing_set": config.figure_sets.multi_scale,
        "train_box": config.boxes.train[0],
        "box": config.boxes.validation[0],
        "sample": config.sample,
    }

    def wildcards(kind, **chosen):
        values = {name: chosen.get(name, usual.get(name)) for name in SHOWN}
        return kind, {
            name: [value] if isinstance(value, str) else list(value)
            for name, value in values.items()
            if f"{{{name}}}" in patterns[kind]
        }

    table = compile(literal(rules / "figures.smk", "FIGURES"), "figures.smk", "eval")
    return eval(
        table,
        {
            "CONFIG": config,
            "SETS": config.figure_sets,
            "TRAINING_BOX": config.boxes.train[0],
            "EVALUATION_CELLS": 0,
            "figure": lambda *_, settings=None, megabytes=0, **inputs: inputs.values(),
            "path": wildcards,
            "paths": wildcards,
            "radii_of": lambda _: None,
            "section": lambda *_: None,
            "SimpleNamespace": SimpleNamespace,
        },
    )


def origin(name, inputs, config):
    """Return the two lines below a figure."""
    kinds = ", ".join(f"[`{kind}`](pipeline.md#artefacts)" for kind in unique(k for k, _ in inputs))
    data = [kinds]
    for wildcard, words in SHOWN.items():
        values = unique(chain.from_iterable(chosen.get(wildcard, []) for _, chosen in inputs))
        if values and values != [config.sample]:
            data.append(f"{words} {', '.join(values)}")
    return (
        f"Code: [`figures/{name}.py`](../src/lagbias/figures/{name}.py) · "
        f"rule [`{name}`](../workflow/rules/figures.smk) · "
        f"[caption](../workflow/report/{name}.rst)\\\n"
        f"Data: {' · '.join(data)}"
    )


def unique(values):
    return list(dict.fromkeys(values))


def test_every_figure_is_there_with_its_code_and_data(config, figures, gallery):
    expected = [origin(name, figures[name], config) for name in config.figures]
    assert sorted(re.findall(r"^Code: .*\nData: .*$", gallery, re.MULTILINE)) == sorted(expected)


def test_every_figure_is_followed_by_its_own_lines(config, gallery):
    shown = re.findall(r"^!\[.*\]\(images/embedded/(\w+)\.png\)$", gallery, re.MULTILINE)
    drawn = re.findall(r"^Code: \[`figures/(\w+)\.py`\]", gallery, re.MULTILINE)
    assert shown == drawn
    assert sorted(shown) == sorted(config.figures)


def test_every_thumbnail_leads_to_its_figure(config, gallery):
    cards = re.findall(
        r"^:::\{grid-item-card\} .*\n:img-top: images/embedded/(\w+)\.png\n:link: fig-(\w+)$",
        gallery,
        re.MULTILINE,
    )
    targets = re.findall(r"^\(fig-(\w+)\)=$", gallery, re.MULTILINE)
    assert sorted(cards) == sorted((name, name) for name in config.figures)
    assert sorted(targets) == sorted(config.figures)


def test_every_figure_is_followed_by_the_provenance_in_its_file(repository, config, gallery):
    path = repository / "docs" / "_ext" / "figure_provenance.py"
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.updated(gallery) == gallery, "run `make gallery`"
    assert gallery.count("\nDrawn by ``lagbias.figures.") == len(config.figures)


def test_what_the_gallery_links_to_exists(repository, gallery):
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", gallery)
    assert len(links) > 10
    assert not [link for link in links if not (repository / "docs" / link).is_file()]
