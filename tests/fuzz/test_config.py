"""Configurations with typos, wrong types and values out of range: used, or refused with the key."""

import copy
import datetime
import io
import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake_interface_common.exceptions import WorkflowError

from lagbias.cli.configfile import merge
from lagbias.config.model import Config, ConfigError, format_radius, load

pytestmark = pytest.mark.timeout(6 * 3600)

ROOT = Path(__file__).parents[2]
#: Longest path component of common file systems [bytes].
LONGEST_COMPONENT = 255
#: Appended to the names of artefacts and logs.
SUFFIXES = (".traceback", ".checkpoint", ".99999999.tmp")
LONGEST_MESSAGE = 10_000
VALUES = [
    None, True, False, 0, -1, 1, 2, 1.5, 1e-9, 1e9, 1e300, 2**31, 10**30, math.nan, math.inf,
    "", "many", "1", "1.5", "nan", "3Rf", "box0", "a b", [], [1, 1], [[1]], {}, {"a": 1},
    {1: 2}, datetime.date(2023, 5, 1),
]  # fmt: skip
BAD_NAMES = [
    "", ".", "..", "../up", "a/b", "/etc/passwd", "~", "-rf", "a\nb", "a b", "{run}", "*", "$(id)",
    "é", "a" * 49, 'a"b',
]  # fmt: skip
PIECES = ["", " ", "  ", "-", ":", ": ", "#", "'", '"', "[", "]", "{", ",", "\n", "\t", "0", "x"]


TEXTS = {
    name: (ROOT / "config" / f"{name}.yaml").read_text("utf-8")
    for name in ("config", "tiny", "reference", "abacus", "mini", "files")
}
DEFAULT = yaml.safe_load(TEXTS["config"])
VALID = {name: merge(DEFAULT, yaml.safe_load(text)) for name, text in TEXTS.items()}


def accepts(raw) -> bool:
    """Load a configuration; assert that it is safe to use, or refused in a paragraph with a key."""
    try:
        config = load(raw)
    except ConfigError as error:
        message = str(error)
        assert message.isprintable() and len(message) < LONGEST_MESSAGE
        assert any(str(key) in message for key in {*Config.model_fields, *raw})
        return False
    names = [config.run, *config.box_names(), *config.halo_samples, *config.smoothing_sets]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+\-]{,47}", name) for name in names)
    radii = [radius for values in config.smoothing_sets.values() for radius in values]
    assert all(re.fullmatch(r"[0-9.]+", format_radius(radius)) for radius in radii)
    return True


@st.composite
def spoiled_texts(draw):
    """Return a shipped file with some characters replaced."""
    text = TEXTS[draw(st.sampled_from(list(TEXTS)))]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.sampled_from([0, 1, 2, 20]))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[stop:]
    return text


@st.composite
def spoiled_values(draw):
    """Return a shipped configuration with some keys or values changed."""
    raw = copy.deepcopy(VALID[draw(st.sampled_from(list(VALID)))])
    for _ in range(draw(st.integers(1, 3))):
        inside, key = raw, draw(st.sampled_from(list(raw)))
        while isinstance(inside[key], dict | list) and inside[key] and draw(st.integers(0, 3)):
            inside = inside[key]
            members = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            key = draw(st.sampled_from(members))
        action = draw(st.sampled_from(["replace", "replace", "remove", "wrap", "misspell"]))
        if action == "replace":
            value = draw(st.sampled_from(VALUES) | st.integers() | st.floats())
            inside[key] = copy.deepcopy(value)
        elif action == "wrap":
            inside[key] = [inside[key]]
        elif action == "misspell" and isinstance(key, str):
            place = draw(st.integers(0, len(key)))
            inside[key[:place] + draw(st.sampled_from("as_0")) + key[place + 1 :]] = inside.pop(key)
        elif len(raw) > 1:
            del inside[key]
    return raw


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+\-]{0,47}", fullmatch=True).filter(
    lambda name: name not in ("plan.txt", "suite", "paper_scale")
)


@st.composite
def valid_values(draw):
    """Return a valid configuration with random names, seeds and numbers."""
    raw = copy.deepcopy(DEFAULT)
    boxes, sets, samples = (
        draw(st.lists(NAMES, min_size=n, max_size=n, unique=True)) for n in (5, 7, 3)
    )
    seeds = draw(st.lists(st.integers(0, 2**31 - 1), min_size=5, max_size=5, unique=True))
    raw["run"] = draw(NAMES)
    raw["embedded"]["boxes"] = dict(zip(boxes, seeds, strict=True))
    raw["boxes"] = {"train": boxes[:1], "validation": boxes[1:]}
    new = dict(zip(raw["smoothing_sets"], sets, strict=True))
    raw["smoothing_sets"] = {new[name]: radii for name, radii in raw["smoothing_sets"].items()}
    for key, value in raw["figure_sets"].items():
        one = isinstance(value, str)
        raw["figure_sets"][key] = new[value] if one else [new[name] for name in value]
    raw["halo_samples"] = dict(zip(samples, raw["halo_samples"].values(), strict=True))
    raw["sample"], raw["thin_samples"] = samples[0], samples[1:]
    raw["seeds"] = draw(st.sampled_from([seeds[:2], list(map(str, seeds))]))
    raw["training"]["epochs"] = draw(st.integers(1, 10**6))
    raw["training"]["learning_rate"] = draw(st.floats(1e-9, 0.5))
    return raw


@given(text=spoiled_texts())
def test_a_file_with_typos_is_used_or_explained(text):
    try:
        raw = load_configfile(io.StringIO(text))
    except (WorkflowError, yaml.YAMLError, TypeError):
        event("refused by Snakemake")
        return
    event("used" if accepts(merge(DEFAULT, raw)) else "explained")


@given(raw=spoiled_values())
def test_wrong_values_are_used_or_explained(raw):
    event("used" if accepts(raw) else "explained")


@given(raw=valid_values())
@settings(max_examples=settings().max_examples // 4)
def test_a_valid_configuration_is_used(raw):
    assert accepts(raw)


@pytest.mark.parametrize("key", ["run", "box", "set", "sample"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_name_leads_out_of_the_directories_of_the_run(key, name):
    raw = copy.deepcopy(DEFAULT)
    if key == "run":
        raw["run"] = name
    elif key == "box":
        raw["embedded"]["boxes"][name] = 7
    else:
        raw[{"set": "smoothing_sets", "sample": "halo_samples"}[key]][name] = (
            [2.83] if key == "set" else {"min_particles": 20}
        )
    with pytest.raises(ConfigError):
        load(raw)


def test_paths_of_the_longest_names_fit_the_file_system():
    files = [*(ROOT / "workflow").rglob("*.smk"), *(ROOT / "workflow").rglob("Snakefile")]
    text = "".join(path.read_text("utf-8") for path in files)
    patterns = set(re.findall(r'"((?:results|logs|benchmarks)/[^"\n]*)"', text))
    assert len(patterns) > 20
    for pattern in patterns:
        for component in re.sub(r"\{+[^{}]+\}+", "a" * 48, pattern).split("/"):
            assert len(component) + max(map(len, SUFFIXES)) <= LONGEST_COMPONENT, pattern
