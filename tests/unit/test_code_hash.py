"""The code hash follows imports, and sees code but not comments, docstrings or layout."""

import pytest

from lagbias.artefacts import code_hash as library


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package that stands in for lagbias, with a script that uses a part of it."""
    root = tmp_path / "lagbias"
    (root / "simulate").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "store.py": "X = 1\n",
        "fourier.py": "A = 1\n",
        "features.py": "from lagbias import fourier, store\nB = 1\n",
        "train.py": "C = 1\n",
        "simulate/__init__.py": "",
        "simulate/nbody.py": "from . import lpt\n",
        "simulate/lpt.py": "def f():\n    from lagbias.grids.fourier import A\n    return A\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    (tmp_path / "features_script.py").write_text("from lagbias import features, store\n")
    (tmp_path / "box_script.py").write_text("from lagbias.simulate import nbody\n")
    monkeypatch.setattr(library, "_PACKAGE", root)
    return tmp_path


def hashes(root):
    library._imports.cache_clear()
    library._fingerprint.cache_clear()
    return {name: library.code_hash(root / f"{name}_script.py") for name in ("features", "box")}


def test_dependencies_are_followed_through_modules_packages_and_functions(package):
    library._imports.cache_clear()
    assert library.dependencies(package / "features_script.py") == [
        "lagbias.features.grids",
        "lagbias.grids.fourier",
    ]
    assert library.dependencies(package / "box_script.py") == [
        "lagbias.grids.fourier",
        "lagbias.simulate",
        "lagbias.simulate.lpt",
        "lagbias.simulate.nbody",
    ]


@pytest.mark.parametrize(
    ("module", "changed"),
    [
        ("features.py", {"features"}),
        ("fourier.py", {"features", "box"}),
        ("simulate/lpt.py", {"box"}),
        ("train.py", set()),
        ("store.py", set()),
    ],
)
def test_an_edit_changes_the_hash_of_what_depends_on_it(package, module, changed):
    before = hashes(package)
    with (package / "lagbias" / module).open("a") as file:
        file.write("D = 2\n")
    after = hashes(package)
    assert {name for name in before if before[name] != after[name]} == changed


def test_comments_docstrings_and_layout_do_not_count(package):
    before = hashes(package)
    path = package / "lagbias" / "fourier.py"
    path.write_text('"""A docstring."""\n\n# a comment\nA   =   1\n')
    assert hashes(package) == before


def test_data_files_beside_a_module_count(package):
    before = hashes(package)
    (package / "lagbias" / "simulate" / "table.dat").write_text("1 2 3\n")
    after = hashes(package)
    assert after["box"] != before["box"]
    assert after["features"] == before["features"]


def test_every_script_of_the_workflow_depends_on_something(repository):
    scripts = sorted(repository.glob("workflow/scripts/*.py"))
    assert scripts
    for script in scripts:
        assert library.dependencies(script), script
