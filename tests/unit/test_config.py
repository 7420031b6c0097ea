"""Configuration: the shipped files are valid, and every kind of error is explained."""

import copy

import pytest
import yaml

from lagbias.config import docs as config_docs
from lagbias.config import model as configuration
from lagbias.config.model import ConfigError, load


@pytest.fixture(scope="module")
def default(repository):
    return yaml.safe_load((repository / "config" / "config.yaml").read_text())


def merge(base, top):
    """Lay one configuration on another as Snakemake does: mappings merge, the rest is replaced."""
    merged = copy.deepcopy(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def variant(name, **training):
    return {"variants": {name: {"sets": ["1Rf"], "training": training}}}


@pytest.mark.parametrize(
    "name", ["config", "tiny", "reference", "abacus", "mini", "files", "beyond", "recommended"]
)
def test_shipped_configurations_are_valid(repository, default, name):
    top = yaml.safe_load((repository / "config" / f"{name}.yaml").read_text())
    config = load(merge(default, top))
    assert config.figures
    assert set(config.box_names()) <= set(config.settings().boxes)


@pytest.fixture
def beyond(repository, default):
    return merge(default, yaml.safe_load((repository / "config/beyond.yaml").read_text()))


def started(**training):
    """A variant of the comparison that starts from other networks."""
    return {"variants": {"fourier": {"sets": ["3Rf"], "start_from": "full", "training": training}}}


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"fit_boxes": ["box8"]}, ["beyond.validation names ['box8']"]),
        ({"validation": ["box0", "box8"]}, ["beyond.validation names ['box0']", "nothing else"]),
        ({"variants": {"full": {"sets": ["3Rf"], "training": {}}}}, ["variants.full", "is taken"]),
        ({"variants": {"fourier": {"sets": ["thin"]}}}, ["fourier.sets names", "'thin'"]),
        ({"transfer": {"fuorier": ["3Rf"]}}, ["beyond.transfer", "did you mean 'fourier'?"]),
        ({"transfer": {"two_boxes": ["1Rf"]}}, ["beyond.transfer.two_boxes", "among ['3Rf']"]),
        (started(fourier_rounds=2, epochs=9), ["leaves only keys fourier_*", "['epochs']"]),
        (started(fourier_rounds=0), ["start_from = full needs rounds", "Set fourier_rounds"]),
    ],
)
def test_errors_about_the_comparison_are_explained(beyond, change, fragments):
    with pytest.raises(ConfigError) as caught:
        load(merge(beyond, {"beyond": change}))
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.mark.parametrize("key", ["combinations", "fourier_rounds"])
def test_networks_that_are_not_the_papers_are_no_start(beyond, key):
    change = {"training": {key: 2}, "beyond": started(fourier_rounds=2)}
    with pytest.raises(ConfigError, match=f"needs training.{key} = 0, not 2. Change it"):
        load(merge(beyond, change))


@pytest.fixture
def paper(repository, default):
    return merge(default, yaml.safe_load((repository / "config/abacus.yaml").read_text()))


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"boxes": {"ph3102": "AbacusSummit_small_c000_ph3100"}}, ["same simulation"]),
        ({"density_grid": 1000, "particles_per_side": 864}, ["density_grid = 1000 exceeds"]),
        ({"base_url": "ftp://somewhere"}, ["abacus.base_url", "ftp://somewhere"]),
        ({"base_uri": "https://somewhere"}, ["abacus.base_uri", "did you mean 'base_url'?"]),
        ({"density_grid": 288}, ["R_f = 1.0 Mpc/h", "abacus.box_size / 288"]),
        ({"min_halo_particles": 200}, ["below abacus.min_halo_particles = 200"]),
    ],
)
def test_errors_about_abacus_are_explained(paper, change, fragments):
    with pytest.raises(ConfigError) as caught:
        load(merge(paper, {"abacus": change}))
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.fixture
def own(repository, default):
    return merge(default, yaml.safe_load((repository / "config/files.yaml").read_text()))


CATALOGUE = {"positions": "h.npz:x", "masses": "h.npz:m"}
ARRAYS = {"snapshot": None, "format": None, "positions": "p.npy"}


def boxes(**train):
    return {"boxes": {"train": train}}


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (boxes(linear_density="a.txt"), ["files.boxes.train.linear_density", "`file.npz:name`"]),
        (boxes(position="p.npy"), ["files.boxes.train.position", "did you mean 'positions'?"]),
        (boxes(positions="p.npy"), ["files.boxes.train", "both are given"]),
        (boxes(snapshot=None), ["files.boxes.train", "neither is given"]),
        (boxes(format=None), ["format = None: give both"]),
        (boxes(format="gadget2"), ["files.boxes.train.format", "'gadget4' or 'swift'"]),
        (boxes(lagrangian_index="l.npy"), ["lagrangian_index = l.npy repeats"]),
        (boxes(particle_ids="l.npy"), ["belong to an array of positions"]),
        (boxes(halos=CATALOGUE), ["boxes.train: halo_finder = friends_of", "Remove halos"]),
        (boxes(halos={"positions": "h.npy"}), ["files.boxes.train.halos.masses is missing"]),
        (boxes(halos=CATALOGUE | {"mass": "m.npy"}), ["halos.mass: unknown", "'masses'?"]),
        ({"halo_finder": "catalogue"}, ["boxes.train", "Name its arrays in halos"]),
        ({"linking_length": None}, ["needs a linking_length"]),
        ({"density_grid": 1100}, ["density_grid = 1100 exceeds particles_per_side = 1024"]),
        (
            boxes(**ARRAYS, lagrangian_index="l.npy"),
            ["kept_fraction = 0.125 needs particle_ids instead of", "in box train"],
        ),
        ({"first_id": -1}, ["files.first_id = -1"]),
        ({"density_grid": 256}, ["R_f = 1.0 Mpc/h", "files.box_size / 256"]),
        ({"min_halo_particles": 60}, ["below files.min_halo_particles = 60"]),
    ],
)
def test_errors_about_files_are_explained(own, change, fragments):
    with pytest.raises(ConfigError) as caught:
        load(merge(own, {"files": change}))
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_boxes_of_the_same_files_are_refused(own):
    same = own["files"]["boxes"]["train"]
    with pytest.raises(ConfigError, match="boxes train and again have the same files"):
        load(merge(own, {"files": {"boxes": {"again": same}}}))


def test_the_files_of_a_box_are_known(own):
    settings = load(merge(own, {"files": boxes(**ARRAYS, particle_ids="p.h5:id")})).settings()
    assert settings.input_files("train") == ["data/train/ics.h5", "p.npy", "p.h5"]
    assert settings.input_files("check") == ["data/check/ics.h5", "data/check/snap_0005.hdf5"]


def test_the_paper_trains_eighty_networks_on_its_own_boxes(paper):
    config = load(paper)
    assert config.boxes.train[0] == "ph3100" and config.boxes.validation[0] == "ph3102"
    assert (config.training.epochs, config.training.cells_per_batch) == (50, 10000)
    assert len(config.box_names()) == 5


def test_table_1_of_the_paper_and_the_set_of_its_section_5(default):
    assert load(default).smoothing_sets == {
        "1Rf": [2.83],
        "3Rf": [1.41, 2.83, 5.66],
        "3Rf+11.3": [1.41, 2.83, 5.66, 11.3],
        "3Rf_coarse": [1.0, 2.83, 8.0],
        "3Rf_fine": [2.0, 2.83, 4.0],
        "5Rf_fine": [1.41, 2.0, 2.83, 4.0, 5.66],
        "thin": [1.0, 2.0, 4.0],
    }


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (
            {"training": {"epoch": 3}},
            ["training.epoch: unknown configuration key", "did you mean 'epochs'?"],
        ),
        ({"smothing_sets": {}}, ["smothing_sets", "did you mean 'smoothing_sets'?"]),
        (
            {"halo_samples": {"threshold": {"min_particle": 3}}},
            ["halo_samples.threshold.min_particle", "did you mean 'min_particles'?"],
        ),
        ({"halo_samples": {"mine": {}}}, ["mine", "needs limits", "has none"]),
        (
            {"halo_samples": {"thin_low": {"min_mass": 3e11}}},
            ["thin_low", "either", "max_particles, min_mass, min_particles"],
        ),
        (
            {"halo_samples": {"mine": {"min_mass": 1e13, "max_mass": 2e12}}},
            ["max_mass = 2e+12 is below min_mass = 1e+13", "Swap"],
        ),
        ({"run": "suite"}, ["run = suite is reserved", "another name"]),
        ({"training": {"epochs": "many"}}, ["training.epochs = 'many'", "integer"]),
        ({"training": {"epochs": 2.5}}, ["training.epochs = 2.5", "integer"]),
        ({"training": {"loss": "cubed"}}, ["training.loss = 'cubed'", "squared"]),
        ({"training": {"constraint": "norm"}}, ["training.constraint", "normalise"]),
        ({"training": {"cell_size": 7.0}}, ["training.cell_size = 7", "divisor"]),
        ({"training": {"cells_per_batch": 10**6}}, ["cells_per_batch = 1000000", "fewer"]),
        ({"embedded": {"box_size": -200.0}}, ["embedded.box_size = -200.0", "greater than 0"]),
        ({"embedded": {"boxes": {"box1": 3100}}}, ["same seed are identical"]),
        ({"embedded": {"initial_redshift": 1.2, "redshift": 2.0}}, ["initial_redshift = 1.2"]),
        ({"embedded": {"min_halo_particles": 50}}, ["min_particles = 15", "Raise the former"]),
        ({"seeds": [0]}, ["seeds = [0]", "at least 2", "five"]),
        ({"seeds": [1, 1]}, ["seeds = [1, 1]", "repeats"]),
        ({"seeds": [0, -1]}, ["seeds.1 = -1", "greater than or equal to 0"]),
        ({"seeds": [True, 2]}, ["seeds.0 = True", "number, not a boolean"]),
        ({"training": {"epochs": True}}, ["training.epochs = True", "number, not a boolean"]),
        ({"training": {"learning_rate": float("nan")}}, ["learning_rate = nan", "finite"]),
        ({"embedded": {"boxes": {"plan.txt": 7}}, "boxes": {"train": ["plan.txt"]}}, ["reserved"]),
        ({"embedded": {"boxes": {"a" * 49: 7}}}, ["embedded.boxes", "48 characters"]),
        ({"boxes": {"train": ["box0", "box0"]}}, ["repeats a box"]),
        ({"source": "abacus"}, ["requires the section abacus", "config/abacus.yaml"]),
        ({"boxes": None}, ["boxes = None"]),
        ({"smoothing_sets": {"mine": [0.5]}}, ["mine", "R_f = 0.5", "density, 0.625 Mpc/h"]),
        ({"smoothing_sets": {"mine": [2.8284271]}}, ["R_f = 2.8284271", "2.82843"]),
        ({"smoothing_sets": {"mine": [90.0]}}, ["R_f = 90", "quarter of the box"]),
        ({"smoothing_sets": {"mine": [4.0, 2.0]}}, ["smoothing_sets.mine", "increasing order"]),
        ({"smoothing_sets": {"mine": []}}, ["smoothing_sets.mine", "at least one"]),
        (
            {"embedded": {"box_size": 1e8}, "smoothing_sets": {"1Rf": [2e6]}},
            ["R_f = 2000000.0 Mpc/h needs an exponent"],
        ),
        ({"smoothing_sets": {"mine": ["two"]}}, ["smoothing_sets.mine.0 = 'two'"]),
        ({"smoothing_sets": {"../up": [2.0]}}, ["smoothing_sets", "../up"]),
        ({"figure_sets": {"coarse": ["3Rfcoarse"]}}, ["'3Rfcoarse'", "'3Rf_coarse'?"]),
        ({"figures": ["power_ratio"]}, ["'power_ratio'", "did you mean"]),
        ({"sample": "treshold"}, ["'treshold'", "did you mean 'threshold'?"]),
        ({"thin_samples": ["thin"]}, ["thin_samples names", "'thin'", "thin_low"]),
        ({"figure_sets": {"single_scale": "3Rf"}}, ["single_scale = 3Rf", "one radius"]),
        ({"figure_sets": {"retrained_losses": "1Rf"}}, ["retrained_losses = 1Rf", "Add it there"]),
        ({"figure_sets": {"thin": "3Rf"}}, ["figure_sets.thin = 3Rf", "another set"]),
        ({"figure_sets": {"nested": ["thin"]}}, ["figure_sets.nested names ['thin']", "Add them"]),
        ({"figure_sets": {"cut": ["thin"]}}, ["figure_sets.cut names ['thin']", "Add them"]),
        ({"eigenvalue_cut": 1.0}, ["eigenvalue_cut = 1.0", "less than 1"]),
        (variant("large", width=128), ["variants.large", "'larger', 'longer' or 'unconstrained'"]),
        (variant("larger", widht=128), ["variants.larger.training.widht", "'width'?"]),
        (variant("larger", cell_size=5), ["variants.larger.training.cell_size: unknown"]),
        (variant("larger", width=-1), ["variants.larger.training.width = -1", "greater than 0"]),
        (variant("larger", width=32), ["{'width': 32} is not larger", "Raise hidden_layers"]),
        (variant("longer", epochs=8), ["{'epochs': 8} is not longer", "Raise epochs"]),
        (variant("unconstrained"), ["variants.unconstrained.training = {}", "Set constraint"]),
        (
            variant("unconstrained", constraint="none", fourier_rounds=2),
            ["variant unconstrained", "fourier_rounds = 2 needs constraint = normalise, not none"],
        ),
        ({"variants": {"longer": {"sets": ["1Rf"]}}}, ["variants.longer.training is missing"]),
        (
            {"variants": {"longer": {"sets": ["2Rf"], "training": {"epochs": 9}}}},
            ["variants.longer.sets names ['2Rf']", "Add them"],
        ),
        (
            {"least_squares": {"delta_range": [5, -4]}},
            ["delta_range = [5.0, -4.0] is not increasing"],
        ),
        ({"least_squares": {"percentiles": [5, 95]}}, ["must increase from 0 to 100"]),
        ({"gradient_pca": {"particles": 10}}, ["gradient_pca.particles = 10", "1000"]),
        ({"boxes": {"train": ["box9"]}}, ["'box9'", "did you mean 'box"]),
        ({"boxes": {"validation": ["box0"]}}, ["box0 is both the main training box"]),
        ({"boxes": {"validation": ["box2"]}}, ["main validation box box2"]),
        ({"source": "abacas"}, ["source = 'abacas'"]),
        ({"run": "a/b"}, ["run = 'a/b'"]),
    ],
)
def test_an_error_is_explained_in_one_paragraph(default, change, fragments):
    with pytest.raises(ConfigError) as caught:
        load(merge(default, change))
    message = str(caught.value)
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


def test_a_missing_section_is_named(default):
    with pytest.raises(ConfigError, match="training is missing"):
        load({key: value for key, value in default.items() if key != "training"})


@pytest.mark.parametrize("raw", [None, ["run"], "run"])
def test_a_top_level_that_is_no_mapping_is_refused(raw):
    with pytest.raises(ConfigError, match="The top level is a"):
        load(raw)


def test_many_errors_are_listed_up_to_a_limit(default):
    with pytest.raises(ConfigError) as caught:
        load(merge(default, {"thin_samples": [f"unknown{n}" for n in range(1500)]}))
    assert str(caught.value).count("does not define") == configuration.MAX_ERRORS


def test_samples_may_be_ranges_of_mass(default):
    sample = {"min_mass": 3.16e11, "max_mass": 1e12}
    config = load(merge(default, {"halo_samples": {"mine": sample}}))
    assert config.halo_samples["mine"].model_dump(exclude_unset=True) == sample


def test_galaxies_are_counted(default):
    galaxies = {"log_min_mass": 12, "sigma": 0.3, "log_cut_mass": 12, "log_mass_1": 13, "alpha": 1}
    sample = {"min_mass": 3.16e11, "weighting": "number", "galaxies": galaxies}
    config = load(merge(default, {"halo_samples": {"mine": sample}}))
    assert config.halo_samples["mine"].galaxies.seed == 0
    assert load(config.model_dump()) == config
    with pytest.raises(ConfigError, match="Set weighting = number"):
        load(merge(default, {"halo_samples": {"mine": sample | {"weighting": "mass"}}}))


def test_a_new_set_is_one_line(default):
    config = load(merge(default, {"smoothing_sets": {"mine": [2, 4]}}))
    assert config.smoothing_sets["mine"] == [2.0, 4.0]


def test_a_variant_differs_from_the_training_in_its_own_settings(default):
    config = load(merge(default, variant("larger", hidden_layers=7, width="128")))
    usual = config.training.model_dump()
    for inputs in ("full", "cut", "longer"):
        assert config.training_of(inputs).model_dump() == usual
    expected = usual | {"hidden_layers": 7, "width": 128}
    assert config.training_of("larger").model_dump() == expected
    assert load(config.model_dump()) == config


def test_numbers_given_as_text_on_the_command_line_are_numbers(default):
    config = load(merge(default, {"seeds": ["0", "1"], "smoothing_sets": {"mine": ["2", "4"]}}))
    assert config.seeds == [0, 1]
    assert config.smoothing_sets["mine"] == [2.0, 4.0]


@pytest.mark.parametrize(("radius", "text"), [(2.83, "2.83"), (8.0, "8"), (11.3, "11.3")])
def test_radii_in_paths(radius, text):
    assert configuration.format_radius(radius) == text


def test_the_page_of_values_has_every_key_and_its_value(default):
    page = config_docs.values_page(load(default))
    for text in ("training.learning_rate<", "0.002", "halo_samples.thin_low.max_particles<", "47"):
        assert text in page
    assert page.count("<tr>") > 50
    assert "smoothing_sets.3Rf+11.3<" in page and "[1.41, 2.83, 5.66, 11.3]" in page


def test_generated_documentation_is_in_step(repository):
    for path, make in config_docs.FILES.items():
        assert (repository / path).read_text(encoding="utf-8") == make(), (
            f"{path} is out of step: run `python -m lagbias config --write`"
        )
