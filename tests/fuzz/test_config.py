"""Configurations, from good to hostile: each is used, or refused in a paragraph that names a key.

What is accepted cannot lead a path out of the directories of the run, nor make one that no file
system takes.
"""

import copy
import datetime
import io
import math
import re
from itertools import product
from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.io import expand
from snakemake_interface_common.exceptions import WorkflowError

from lagbias.config.model import Config, ConfigError, format_radius, load

pytestmark = [pytest.mark.timeout(6 * 3600), pytest.mark.usefixtures("bounded_memory")]
# to explain a failure, hypothesis would trace every line that runs
reusing_fixtures = settings(
    suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain}
)

ROOT = Path(__file__).parents[2]
SHIPPED = ["config", "tiny", "large", "abacus", "mini"]
#: Longest explanation, in characters: a paragraph of twenty mistakes, each with its long value.
LONGEST_MESSAGE = 40_000
#: Longest part of a path that common file systems take, in bytes.
LONGEST_PART = 255
#: What the store appends to the name of an artefact, and a job to that of its log.
SUFFIXES = (".traceback", ".checkpoint", ".99999999.tmp")

BAD_NAMES = [
    "", ".", "..", "../up", "a/b", "/etc/passwd", "~", "~root", "-rf", "a\0b", "a\nb", "a\n", "\ta",
    "a\\b", "{run}", "{{run}}", "a{0.__class__}", "a b", "$(id)", "`id`", "a;b", "a|b", "*", "?",
    "a\u202eb", "é", "\u2215", "a" * 300, "a'b", 'a"b', "#a", "&a", "!a", "%s", "a\x7f", "\ud800",
]  # fmt: skip
ODD_NAMES = ["a.", "a..", "a..b", "a.h5", "plan.txt", "suite", "0", "1e5", "none", "CON", "a+b-c"]
NUMBERS = [
    0, -1, 1, 2, 1.5, -0.0, math.nan, math.inf, -math.inf, 1e300, -1e300, 5e-324, 10**30,
    -(10**400), 2**31, 2**63, "1", "nan", "inf", "1e400", "9" * 5000, "0x10", "1_000", " 5 ", "٣",
]  # fmt: skip
OTHERS = [
    None, True, False, [], {}, [[]], {"a": {}}, b"bytes", {1, 2}, (1, 2), 1j, print, object(),
    datetime.date(2023, 5, 1), range(3), {None: 1}, {1: 2}, {(1, 2): 3}, {True: 1}, {1.5: 2},
]  # fmt: skip
HOSTILE = [*BAD_NAMES, *ODD_NAMES, *NUMBERS, *OTHERS]

NASTY_TEXTS = [
    "!!python/object/apply:os.system ['touch touched']", "!!python/name:os.system", "!!binary aGk=",
    "!!python/tuple [1, 2]", "!!set {a, b}", "!!timestamp 2023-05-01", "&a [*a]", "&a {b: *a}",
    "*b", "<<: {run: x}", "---", "...", "%YAML 9.9", "\t", "\0", "\ufeff", "? ", "[" * 200,
    "{" * 200, "- " * 100, "0b" + "1" * 70, "0x" + "f" * 6000, "1" * 5000, "1e999", ".nan", "-.inf",
    "~", "null", "run: a\nrun: b", "'", '"\\', "|", ">", "@", "`", "1:60:60", "0o17", "=",
]  # fmt: skip


def merge(base, top):
    """Lay one configuration on another as Snakemake does: mappings merge, the rest is replaced."""
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


TEXTS = {name: (ROOT / "config" / f"{name}.yaml").read_text("utf-8") for name in SHIPPED}
DEFAULT = yaml.safe_load(TEXTS["config"])
VALID = {name: merge(DEFAULT, yaml.safe_load(text)) for name, text in TEXTS.items()}


def parsed(content: bytes):
    """Read a file as Snakemake reads one; None where it refuses."""
    try:
        return load_configfile(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
    except (WorkflowError, yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError):
        return None  # the loader's own business, before anything of this package runs


def judged(raw, watch) -> Config | None:
    """Load a configuration; None where it is refused as it should be."""
    with watch.nothing_touched():
        try:
            config = load(raw)
        except ConfigError as error:
            message = str(error)
        else:
            message = ""
    if not message:
        check_paths(config)
        return config
    assert message.isprintable(), "more than one line"
    assert len(message) < LONGEST_MESSAGE
    keys = set(Config.model_fields) | set(map(str, raw) if isinstance(raw, dict) else ())
    assert not isinstance(raw, dict) or any(
        key in message for key in {*keys, "name of a key", "values"}
    )
    return None


def patterns_of_rules() -> list[str]:
    """Return all patterns of paths in the workflow's rules."""
    rules = (ROOT / "workflow" / "rules").glob("*.smk")
    text = "".join(path.read_text("utf-8") for path in rules)
    return sorted(set(re.findall(r'"((?:results|logs|benchmarks)/[^"\n]*)"', text)))


def functions_of_paths(config: Config) -> dict:
    """Run workflow/rules/paths.smk as Snakemake does."""
    names = {
        "CONFIG": config,
        "TRAINING_BOX": config.boxes.train[0],
        "VALIDATION_BOX": config.boxes.validation[0],
        "expand": expand,
        "format_radius": format_radius,
    }
    exec(PATHS, names)
    return names


PATHS = compile((ROOT / "workflow/rules/paths.smk").read_text("utf-8"), "paths.smk", "exec")
PATTERNS = patterns_of_rules()


def flat(value):
    """Yield the strings in nested lists and mappings."""
    if isinstance(value, str):
        yield value
    else:
        for item in value.values() if isinstance(value, dict) else value:
            yield from flat(item)


def filled(pattern: str, config: Config, names: dict[str, list[str]]):
    """Fill a pattern with the longest and the shortest names that its places may hold."""
    places = re.findall(r"\{+([^{}]+)\}+", pattern)
    values = []
    for place in places:
        known = names.get(place, names["any"])
        values.append({"run": [config.run], "CONFIG.run": [config.run]}.get(place, known))
    for chosen in [map(max_length, values), map(min_length, values)]:
        parts = iter(list(chosen))
        yield re.sub(r"\{+[^{}]+\}+", lambda _, parts=parts: next(parts), pattern)


def max_length(names):
    return max(names, key=len)


def min_length(names):
    return min(names, key=len)


def check_paths(config: Config) -> None:
    """Assert that every path made of the configuration stays in the directories of the run."""
    radii = [format_radius(r) for values in config.smoothing_sets.values() for r in values]
    assert all(re.fullmatch(r"[0-9.]+", radius) for radius in radii)
    boxes, samples = config.box_names(), [*config.halo_samples]
    names = {
        "box": boxes,
        "train_box": config.boxes.train,
        "sample": samples,
        "smoothing_set": [*config.smoothing_sets],
        "inputs": ["full", "least_squares"],
        "rf": radii,
        "seed": list(map(str, config.seeds)),
    }
    names["any"] = [*boxes, *samples, *config.smoothing_sets, *config.figures]
    functions = functions_of_paths(config)
    derived = [
        *(path for pattern in PATTERNS for path in filled(pattern, config, names)),
        *flat([functions["all_figures"](), functions["all_tables"](), functions["evidence"]()]),
    ]
    for path in derived:
        check_path(path, config.run)


def check_path(path: str, run: str) -> None:
    parts = path.split("/")
    assert parts[0] in ("results", "logs", "benchmarks") and parts[1] == run, path
    # one part is one directory or file: no empty ones, none that climbs, hides or is an option
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+\-]*", part) for part in parts), path
    assert PurePosixPath(path).parts == tuple(parts)
    for part in parts:
        assert len(part.encode()) + max(map(len, SUFFIXES)) <= LONGEST_PART, path


@st.composite
def spoiled_texts(draw):
    """Return a shipped file with some pieces cut out or put in."""
    text = TEXTS[draw(st.sampled_from(SHIPPED))]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.sampled_from([0, 0, 1, 2, 5, 40]))
        piece = draw(st.sampled_from(NASTY_TEXTS) | st.text(max_size=8))
        text = text[:start] + piece + text[stop:]
    return text.encode("utf-8", "surrogatepass")


@st.composite
def spoiled_values(draw):
    """Return a shipped configuration with some keys and values changed."""
    raw = copy.deepcopy(VALID[draw(st.sampled_from(SHIPPED))])
    for _ in range(draw(st.integers(1, 3))):
        inside = raw
        while True:
            keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            deeper = inside[key]
            if not isinstance(deeper, dict | list) or not deeper or draw(st.booleans()):
                break
            inside = deeper
        if keys:
            spoil(draw, raw, inside, key)
    return raw


def spoil(draw, raw, inside, key) -> None:
    """Change one member of a mapping or a list."""
    chosen = st.sampled_from(HOSTILE).map(copy.deepcopy)  # it may be spoiled itself later
    value = draw(chosen | st.integers() | st.floats() | st.text(max_size=50))
    deeds = ["replace", "replace", "remove", "wrap", "bury", "alias", "repeat", "rename", "add"]
    deed = draw(st.sampled_from(deeds))
    if deed == "replace":
        inside[key] = value
    elif deed == "remove":
        del inside[key]
    elif deed == "wrap":
        inside[key] = draw(st.sampled_from([[inside[key]], {"a": inside[key]}]))
    elif deed == "bury":
        for _ in range(draw(st.sampled_from([1, 5, 100, 2000]))):
            inside[key] = [inside[key]]
    elif deed == "alias":
        inside[key] = draw(st.sampled_from([raw, inside]))
    elif deed == "repeat":
        for _ in range(draw(st.sampled_from([1, 3, 12]))):
            inside[key] = [inside[key]] * 10
    elif isinstance(inside, dict):
        name = draw(st.sampled_from([n for n in [*HOSTILE, "b"] if n.__hash__]))
        inside[name] = inside.pop(key) if deed == "rename" else value


LETTERS = "abzABZ019"
NAMES = st.builds(
    str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "_.+-", max_size=47)
).filter(lambda name: name not in ("plan.txt", "suite", "paper_scale"))


@st.composite
def valid_values(draw):
    """Return a configuration that has to be accepted, with names and numbers of all kinds."""
    raw = copy.deepcopy(DEFAULT)
    boxes = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    raw["run"] = draw(NAMES)
    seeds = draw(st.lists(st.integers(0, 2**31 - 1), min_size=5, max_size=5, unique=True))
    raw["embedded"]["boxes"] = dict(zip(boxes, seeds, strict=False))
    raw["boxes"] = {"train": boxes[:1], "validation": boxes[1:]}
    names = draw(st.lists(NAMES, min_size=7, max_size=7, unique=True))
    new_names = dict(zip(raw["smoothing_sets"], names, strict=True))
    raw["smoothing_sets"] = {new_names[n]: radii for n, radii in raw["smoothing_sets"].items()}
    chosen = raw["figure_sets"]
    for key, value in chosen.items():
        one = isinstance(value, str)
        chosen[key] = new_names[value] if one else [new_names[name] for name in value]
    samples = draw(st.lists(NAMES, min_size=3, max_size=3, unique=True))
    raw["halo_samples"] = dict(zip(samples, raw["halo_samples"].values(), strict=True))
    raw["sample"], raw["thin_samples"] = samples[0], samples[1:]
    raw["seeds"] = seeds[:2]
    raw["training"]["epochs"] = draw(st.integers(1, 10**6))
    raw["training"]["learning_rate"] = draw(st.floats(1e-9, 0.5))
    return raw


LINES = st.builds(
    "{}: {}".format,
    st.sampled_from([*Config.model_fields, "b", "? a", "<<"]),
    st.sampled_from(NASTY_TEXTS) | st.text(max_size=20),
)
BYTES = st.binary(max_size=300) | st.one_of(
    st.text(max_size=300), st.lists(LINES, max_size=9).map("\n".join)
).map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(content=BYTES)
@reusing_fixtures
def test_any_bytes_are_refused(content, watch):
    raw = parsed(content)
    event("not for Snakemake either" if raw is None else "YAML")
    if raw is not None:
        assert judged(raw, watch) is None


@given(content=spoiled_texts())
@reusing_fixtures
def test_a_spoiled_file_is_used_or_explained(content, watch):
    raw = parsed(content)
    event("not for Snakemake either" if raw is None else "YAML")
    if raw is not None:
        event("used" if judged(merge(DEFAULT, raw), watch) else "explained")


@given(raw=spoiled_values())
@example(raw={**DEFAULT, 10**30: "\x1f"})
@reusing_fixtures
def test_a_spoiled_configuration_is_used_or_explained(raw, watch):
    event("used" if judged(raw, watch) else "explained")


ANYTHING = st.recursive(
    st.sampled_from(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*Config.model_fields, "b"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(raw=ANYTHING)
@reusing_fixtures
def test_any_value_is_refused(raw, watch):
    assert judged(raw, watch) is None


@given(raw=valid_values())
@settings(reusing_fixtures, max_examples=reusing_fixtures.max_examples // 4)
def test_a_valid_configuration_is_used(raw, watch):
    assert judged(raw, watch) is not None
    # and as Snakemake hands over what was written on the command line: as text
    raw["seeds"] = list(map(str, raw["seeds"]))
    assert load(raw).seeds == list(map(int, raw["seeds"]))


def named(raw, key, name):
    """Put a name in the place of one that becomes part of paths."""
    raw = copy.deepcopy(raw)
    if key == "run":
        raw["run"] = name
    elif key == "box":
        raw["embedded"]["boxes"][name] = raw["embedded"]["boxes"].pop("box1")
        raw["boxes"] = {"train": ["box0"], "validation": [name]}
    elif key == "set":
        raw["smoothing_sets"][name] = [2.83]
    elif key == "sample":
        raw["halo_samples"][name] = {"min_particles": 20}
        raw["sample"] = name
    elif key == "figure":
        raw["figures"].append(name)
    elif key == "simulation":
        raw["abacus"]["boxes"]["ph3100"] = name
    return raw


KEYS = ["run", "box", "set", "sample", "figure", "simulation"]


@pytest.mark.parametrize(("key", "name"), list(product(KEYS, BAD_NAMES)))
def test_no_name_leads_elsewhere(key, name, watch):
    raw = VALID["abacus" if key == "simulation" else "config"]
    assert judged(named(raw, key, name), watch) is None


@pytest.mark.parametrize("name", ["plan.txt", "a" * 49])
def test_a_box_takes_no_name_of_a_file_and_none_too_long(name, watch):
    assert judged(named(VALID["config"], "box", name), watch) is None
    assert judged(named(VALID["config"], "box", "a" * 48), watch) is not None


@pytest.mark.parametrize("radius", [1e6, 2e7])
def test_a_radius_that_files_would_write_with_an_exponent_is_refused(radius, watch):
    raw = copy.deepcopy(VALID["config"])
    raw["embedded"]["box_size"] = 1e9
    raw["embedded"]["particles_per_side"] = 1024
    raw["smoothing_sets"]["1Rf"] = [radius]
    with pytest.raises(ConfigError, match=r"R_f = .* exponent"):
        load(raw)


@pytest.mark.parametrize("value", [True, False])
def test_true_is_no_number(value):
    raw = copy.deepcopy(VALID["config"])
    raw["training"]["epochs"] = value
    with pytest.raises(ConfigError, match=f"training: epochs is or holds {value}"):
        load(raw)


def test_aliases_that_stand_for_billions_of_values_are_refused_at_once(watch):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    raw = parsed("\n".join([*lines, "seeds: *a29"]).encode())
    assert raw is not None
    with pytest.raises(ConfigError, match="more than 8 levels"):
        load({**VALID["config"], "seeds": raw["seeds"]})
    with pytest.raises(ConfigError, match="more than 2000 values"):
        load({**VALID["config"], "seeds": raw["a3"]})
    assert judged(raw, watch) is None


def test_twice_the_same_key_is_the_last_one():
    """Snakemake's loader keeps the last; nothing after it can know of the first."""
    raw = parsed(b"run: first\nrun: second\n")
    assert load(merge(DEFAULT, raw)).run == "second"


def test_ten_thousand_mistakes_are_explained_in_brief(watch):
    raw = copy.deepcopy(VALID["config"])
    raw["thin_samples"] = [f"unknown{n}" for n in range(1500)]
    with pytest.raises(ConfigError) as caught:
        load(raw)
    assert str(caught.value).count("does not define") == 20
    assert judged(raw, watch) is None
