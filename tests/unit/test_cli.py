"""The command line."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import ClassVar

import h5py
import numpy as np
import pytest
import shtab
import yaml

import lagbias
from lagbias.artefacts import store
from lagbias.bias.spectra import Spectra
from lagbias.cli import arguments, completion, configfile, main
from lagbias.cli.predicted_field import PredictedField
from lagbias.config import docs
from lagbias.figures import common
from lagbias.model import pretrained
from lagbias.schema import fields
from lagbias.sources.base import LinearDensity
from lagbias.sources.files.arrays import read_array

COMMANDS = (
    "fetch predict fit show export check doctor summary claims unpack config completion".split()
)
BOX_SIZE, N_SIDE = 100.0, 40
#: A configuration with a simulation of the user's own.
OWN = {
    "run": "own",
    "source": "files",
    "files": {
        "box_size": 250.0,
        "particles_per_side": 400,
        "density_grid": 400,
        "redshift": 0.5,
        "omega_m": 0.3,
        "min_halo_particles": 10,
        "halo_finder": "friends_of_friends",
        "linking_length": 0.2,
        "boxes": {
            name: {"linear_density": f"{name}.h5:delta", "positions": f"{name}.h5:position"}
            for name in ("box0", "box1")
        },
    },
    "boxes": {"train": ["box0"], "validation": ["box1"]},
}


@dataclass(frozen=True, kw_only=True)
class Example:
    KIND: ClassVar[str] = "example"
    position: np.ndarray = fields.array("Mpc/h", "particle 3", "position")
    attributes: dict = fields.attributes("of the source")
    box: str = fields.label("box")
    unused: int = field(default=0)


@pytest.fixture
def example(tmp_path):
    thing = Example(position=np.ones((5, 3)), attributes={"seed": 3}, box="box0")
    store.write(tmp_path / "a.h5", thing, provenance={"artefact_id": "abc"})
    return tmp_path / "a.h5"


def test_show_prints_contents_and_provenance(example, capsys):
    assert main(["show", str(example)]) == 0
    printed = capsys.readouterr().out
    for text in ("a.h5: example", "seed = 3", "box = box0", "float64 (5, 3) [Mpc/h]", '"abc"'):
        assert text in printed


def test_show_prints_the_provenance_of_a_figure(tmp_path, capsys):
    with common.style():
        figure = common.new_figure(1.0, 1.0)
    _, png = common.save(figure, tmp_path / "figure", {"rule": "drawn", "commit": "c0ffee"})
    assert main(["show", str(png)]) == 0
    assert '"commit": "c0ffee"' in capsys.readouterr().out


def test_show_explains_a_bad_file(tmp_path, capsys):
    (tmp_path / "a.h5").write_text("no")
    assert main(["show", str(tmp_path / "a.h5")]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert "a.h5 is truncated, damaged or not an HDF5 file" in printed.err


def test_summary_prints_one_row_per_file_of_spectra(tmp_path, capsys):
    assert main(["summary", str(tmp_path)]) == 1
    assert "contains no spectra" in capsys.readouterr().err
    power = np.ones(2)
    spectra = Spectra(
        k=np.array([0.05, 0.5]),
        n_modes=np.array([10, 100]),
        halo_power=power,
        model_power=np.stack([0.9 * power, 1.1 * power]),
        cross_power=np.stack([power, power]),
        average_model_power=1.02 * power,
        average_cross_power=power,
        mean_f=np.ones(2),
        average_mean_f=np.ones(1),
        seeds=np.arange(2),
        smoothing_set="3Rf",
        target_box="box1",
    )
    store.write(tmp_path / "spectra" / "deep" / "on_box1.h5", spectra)
    assert main(["summary", str(tmp_path)]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    assert "| 3Rf |" in row and "| box1 | 1.020 | 0.200 |" in row


def test_claims_prints_a_column_for_each_run(tmp_path, capsys):
    claim = {"id": "C01", "statement": "f.", "paper": "1", "threshold": "t", "reason": ""}
    claim |= {"verdict": "holds", "measured": "0.9"}
    summary = {"holds": 1, "does not hold": 0, "cannot be tested": 0}
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        found = {"run": path.stem, "summary": summary, "claims": [claim]}
        path.write_text(json.dumps(found), encoding="utf-8")
    missing = ["--missing", "c", "--missing", "d"]
    assert main(["claims", *map(str, paths), *missing]) == 0
    printed = capsys.readouterr().out
    assert "| id | claim | paper | threshold | a | b | c | d |" in printed
    last = "| C01 | f. | 1 | t | **holds**: 0.9 | **holds**: 0.9 | not run | not run |\n"
    assert printed.endswith(last)
    assert main(["claims", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err


def test_config_docs_are_checked_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["config", "--check"]) == 1
    assert "README.md is out of date" in capsys.readouterr().err
    assert main(["config", "--write"]) == 0
    assert main(["config", "--check"]) == 0
    for path, make in docs.FILES.items():
        assert (tmp_path / path).read_text(encoding="utf-8") == make()


def test_a_reader_that_closes_the_pipe_is_no_error(example):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lagbias", "show", str(example), str(example)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


# ---- help, errors and completion


def test_help_imports_nothing_heavy():
    heavy = "numba torch matplotlib numpy h5py pydantic yaml scipy shtab".split()
    code = (
        "import sys; from lagbias.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    )
    status, printed, error = run_python(code)
    assert (status, error) == (1, "[]\n")
    assert all(f"\n    {name} " in printed or f"\n    {name}\n" in printed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_has_an_example(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  lagbias {name}" in capsys.readouterr().out


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"lagbias {lagbias.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["shwo", "a.h5"], "unknown command 'shwo'; did you mean 'show'?"),
        (["xyzzy"], "unknown command 'xyzzy'. Commands: fetch"),
        ([], "required: COMMAND"),
    ],
)
def test_an_unknown_command_is_refused_with_a_suggestion(typed, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(typed)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_ctrl_c_ends_a_command_without_a_traceback(capsys, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lagbias.claims.table.side_by_side", interrupt)
    monkeypatch.setattr("lagbias.cli.claims.json.loads", interrupt)
    assert main(["claims", __file__]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    error = capsys.readouterr().err
    assert "shtab" in error and "lagbias doctor" in error


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_shells_complete_commands_options_and_files(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for text in ("doctor", "predict", "lagrangian-index", arguments.COMPLETE_FILES[shell]):
        assert text in script
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])
    assert ended.value.code == 0
    assert capsys.readouterr().out == script


def test_files_are_completed_as_shtab_does():
    assert arguments.COMPLETE_FILES.items() <= shtab.FILE.items()
    assert set(completion.SHELLS) == set(arguments.COMPLETE_FILES)


def test_bash_takes_the_script_and_completes_a_command(tmp_path, capsys):
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    typed = (
        f"source {script}; COMP_WORDS=(lagbias do); COMP_CWORD=1; _shtab_lagbias; "
        "echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
    assert done.stdout == "doctor\n"


# ---- models


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """Files of a small simulation, and the options that name them."""
    given = {"box_size": BOX_SIZE, "particles_per_side": N_SIDE, "steps": 4}
    made = lagbias.simulate_box(1, **given, linking_length=0.2, threads=1)
    folder = tmp_path_factory.mktemp("box")
    with h5py.File(folder / "box.h5", "w") as file:
        file["ics/delta"] = made.linear_density.delta
        file["site"] = made.particles.lagrangian_site
    np.save(folder / "position.npy", made.particles.position)
    np.savez(folder / "halos.npz", position=made.halos.position, mass=made.halos.mass)
    simulation = f"--density {folder}/box.h5:ics/delta --positions {folder}/position.npy"
    simulation += f" --lagrangian-index {folder}/box.h5:site --box-size {BOX_SIZE}"
    halos = f"--halo-positions {folder}/halos.npz:position --halo-masses {folder}/halos.npz:mass"
    return folder, simulation.split(), halos.split()


@pytest.fixture(scope="module")
def model(box):
    """A model file that ``lagbias fit`` has made."""
    folder, simulation, halos = box
    path = folder / "models" / "model.safetensors"
    options = f"--radii 2.83 5.66 --seeds 1 --epochs 1 --output {path} --threads 1".split()
    options += ["--checkpoints", str(folder / "checkpoints")]
    assert main(["fit", *simulation, *halos, *options]) == 0
    return path


def test_fit_saves_a_model_and_show_prints_its_card(model, capsys):
    assert main(["show", str(model)]) == 0
    card = lagbias.load(model).card()
    assert capsys.readouterr().out == f"{card}\n"
    assert "R_f = 2.83, 5.66 Mpc/h" in card


@pytest.mark.parametrize("suffix", ["txt", "csv"])
def test_predict_writes_the_field_and_its_power(suffix, box, model, tmp_path, capsys):
    _, simulation, _ = box
    field, power = tmp_path / "new" / "field.h5", tmp_path / f"power.{suffix}"
    options = ["--grid", "16", "--output", str(field), "--power", str(power), "--threads", "1"]
    assert main(["predict", str(model), *simulation, *options]) == 0
    assert "δ_h on 16³ nodes" in capsys.readouterr().out
    found = store.read(field, PredictedField)
    assert (found.overdensity.shape, found.box_size) == ((16,) * 3, BOX_SIZE)
    loaded, arrays = lagbias.load(model), read_arrays(box)
    common = {"box_size": BOX_SIZE, "grid": 16, "threads": 1}
    np.testing.assert_array_equal(found.overdensity, loaded.predict(*arrays, **common))
    comma = "," if suffix == "csv" else None
    k, modes, measured = np.loadtxt(power, delimiter=comma, skiprows=1, unpack=True)
    expected = loaded.halo_power(*arrays, **common)
    np.testing.assert_allclose(k, expected.k, rtol=1e-8)
    np.testing.assert_array_equal(modes, expected.n_modes)
    np.testing.assert_allclose(measured, expected.power, rtol=1e-5)
    made = store.header(field).provenance
    assert (made["rule"], made["threads"], made["inputs"]) == ("lagbias predict", 1, {})
    assert made["params"]["model_sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()


def test_a_field_names_the_results_that_it_was_made_from(box, model, tmp_path):
    _, simulation, _ = box
    given = dict(zip(simulation[::2], simulation[1::2], strict=True))
    density = LinearDensity(delta=read_arrays(box)[0])
    store.write(tmp_path / "density.h5", density, provenance={"artefact_id": "of-density"})
    given |= {"--density": f"{tmp_path}/density.h5:delta", "--grid": "8"}
    given |= {"--output": f"{tmp_path}/field.h5"}
    assert main(["predict", str(model), *(f"{k}={v}" for k, v in given.items())]) == 0
    made = store.header(tmp_path / "field.h5").provenance
    assert made["inputs"] == {str(tmp_path / "density.h5"): "of-density"}


def read_arrays(box):
    folder = box[0]
    with h5py.File(folder / "box.h5") as file:
        return file["ics/delta"][()], np.load(folder / "position.npy"), file["site"][()]


def test_predict_compares_with_true_halos(box, model, tmp_path, capsys):
    _, simulation, halos = box
    power, figure = tmp_path / "power.csv", tmp_path / "power.png"
    options = f"--grid 32 --output {tmp_path}/field.h5 --power {power} --figure {figure}".split()
    assert main(["predict", str(model), *simulation, *halos, *options]) == 0
    assert not capsys.readouterr().err
    found = np.genfromtxt(power, delimiter=",", names=True)
    assert len(found) == 16
    np.testing.assert_allclose(found["ratio"], found["model_power"] / found["halo_power"], 1e-6)
    assert found["correlation"][0] > 0.5
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_transfer_functions_are_exported_and_applied(box, model, tmp_path):
    _, simulation, halos = box
    true = lagbias.halo_overdensity(*map(read_array, halos[1::2]), box_size=BOX_SIZE, grid=16)
    common = {"box_size": BOX_SIZE, "grid": 16, "threads": 1}
    arrays = read_arrays(box)
    spectra = lagbias.load(model).halo_power(*arrays, **common, halo_overdensity=true)
    store.write(tmp_path / "on_box0.h5", replace(spectra, target_box="box0"))
    path = tmp_path / "fitted.safetensors"
    fitted = ["export", str(model), "--transfer", str(tmp_path / "on_box0.h5"), "--output"]
    assert main([*fitted, str(path)]) == 0
    assert "- boxes: ['box0']" in lagbias.load(path).card()
    field, power = tmp_path / "field.h5", tmp_path / "power.csv"
    options = ["--grid", "16", "--output", str(field), "--power", str(power), "--threads", "1"]
    assert main(["predict", str(path), *simulation, *halos, *options, "--transfer"]) == 0
    expected = lagbias.load(path).predict(*arrays, **common, transfer=True)
    np.testing.assert_array_equal(store.read(field, PredictedField).overdensity, expected)
    np.testing.assert_allclose(np.genfromtxt(power, delimiter=",", names=True)["ratio"], 1, 1e-6)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (["--halo-masses", "a.npy"], "belong together"),
        (["--figure", "a.png"], "--figure compares with true halos"),
        (["--halos", "a.npy", "--halo-masses", "b.npy"], "serve --power or --figure"),
    ],
)
def test_options_that_do_not_go_together_are_refused(changed, words, capsys):
    needed = "--density a.npy --positions b.npy --box-size 1 --grid 8 --output c.h5".split()
    with pytest.raises(SystemExit) as ended:
        main(["predict", "model", *needed, *changed])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--density": "{folder}/box.h5:delta"}, "It has: ics/delta, site"),
        ({"--positions": "{folder}/none.npy"}, "none.npy does not exist"),
        ({"--output": "{folder}/field.txt"}, "has to end in .h5 or .hdf5"),
        ({"--output": "{folder}/box.h5/field.h5"}, "box.h5 cannot be made"),
        ({"--power": "{folder}/power.dat"}, "has to end in .txt or .csv"),
        ({"--box-size": "-3"}, "box_size = -3"),
    ],
)
def test_what_cannot_be_read_or_written_is_named(changed, words, box, model, capsys):
    folder, simulation, _ = box
    given = dict(zip(simulation[::2], simulation[1::2], strict=True))
    given |= {"--grid": "16", "--output": f"{folder}/field.h5"}
    given |= {name: value.format(folder=folder) for name, value in changed.items()}
    typed = [f"{name}={value}" for name, value in given.items()]
    assert main(["predict", str(model), *typed]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_a_directory_that_may_not_be_written_to_is_refused_first(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lagbias.cli.outputs.os.access", lambda *_: False)
    needed = "--density a.npy --positions b.npy --box-size 1 --grid 8".split()
    assert main(["predict", "model", *needed, "--output", str(tmp_path / "a.h5")]) == 1
    assert "may not be written to" in capsys.readouterr().err


def test_fit_needs_a_network(capsys):
    needed = "--density a.npy --positions b.npy --box-size 1 --output c.safetensors --seeds 0"
    with pytest.raises(SystemExit):
        main(["fit", *needed.split(), "--halos", "a.npy", "--halo-masses", "b.npy"])
    assert "give a positive number of networks" in capsys.readouterr().err


@pytest.fixture
def shipped(tmp_path, model, monkeypatch):
    """Pretend that the package comes with a model."""
    path = tmp_path / "a-model.safetensors"
    about = {"description": "A model for tests."}
    replaced = lagbias.load(model)
    lagbias.Model(replaced.networks, replaced.input_matrix, replaced.smoothing_radii, about).save(
        path
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  {path.name}\n")
    monkeypatch.setattr(pretrained, "DIRECTORY", tmp_path)
    return path


def test_fetch_lists_prints_and_copies_models(shipped, tmp_path, capsys):
    assert main(["fetch", "--list"]) == 0
    assert capsys.readouterr().out == "a-model: A model for tests.\n"
    assert main(["fetch", "a-model"]) == 0
    assert capsys.readouterr().out == f"{shipped}\n"
    copy = tmp_path / "new" / "copy.safetensors"
    assert main(["fetch", "a-model", "--output", str(copy)]) == 0
    assert capsys.readouterr().out == f"{copy}\n"
    assert copy.read_bytes() == shipped.read_bytes()
    assert main(["show", "a-model"]) == 0
    assert "A model for tests." in capsys.readouterr().out


@pytest.mark.parametrize("command", ["fetch", "show"])
def test_an_unknown_model_is_refused_with_a_suggestion(command, shipped, capsys):
    assert main([command, "a-modle"]) == 1
    assert "did you mean 'a-model'?" in capsys.readouterr().err


def test_export_writes_a_model_with_another_card(model, tmp_path, capsys):
    path = tmp_path / "new" / "mine.safetensors"
    assert main(["export", str(model), "--name", "mine", "--output", str(path)]) == 0
    before, after = lagbias.load(model), lagbias.load(path)
    assert dict(after.about) == {**before.about, "name": "mine"}
    np.testing.assert_array_equal(after.input_matrix, before.input_matrix)
    assert main(["export", str(model), "--output", str(tmp_path / "mine.txt")]) == 1
    assert "mine.txt has to end in .safetensors or .onnx" in capsys.readouterr().err


# ---- configurations


def test_a_configuration_lies_on_the_default_as_in_snakemake():
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    above = {"a": {"c": [3]}, "d": {"e": 2}}
    assert configfile.merge(below, above) == {"a": {"b": 1, "c": [3]}, "d": {"e": 2}}
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is no YAML file"),
        ("text", "holds no mapping"),
        (None, "mine.yaml cannot be read (No such file or directory)"),
        ("sauce: files", "did you mean 'source'?"),
        ("run: mine", "source = embedded"),
    ],
)
def test_check_refuses_other_configurations(text, words, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["check", str(path)]) == 1
    assert words in capsys.readouterr().err


def test_check_checks_the_boxes_that_are_named(tmp_path, capsys, monkeypatch, repository):
    checker = ModuleType("check_files")
    checker.check_files = lambda settings, box, threads: f"{box}: {settings.box_size}, {threads}"
    monkeypatch.setitem(sys.modules, "lagbias.stages.check_files", checker)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(OWN))
    monkeypatch.chdir(repository)
    assert main(["check", str(path), "box1", "--threads", "3"]) == 0
    assert capsys.readouterr().out == "box1: 250.0, 3\n"
    assert main(["check", str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 1
    assert main(["check", str(path), "bocks1"]) == 1
    assert "did you mean 'box1'?" in capsys.readouterr().err
