"""The code hash follows imports and declared data files, and sees only what computes."""

from inspect import signature

import pytest

from lagbias.artefacts import code_hash as library
from lagbias.schema import fields

FILES = {
    "__init__.py": "",
    "artefacts/store.py": "X = 1\n",
    "grids/fourier.py": """\
import logging
import warnings

from lagbias.schema import fields

logger = logging.getLogger(__name__)
A = 1

class Power:
    k = fields.array("h/Mpc", "k", "bin centre", code="f")

def f(x):
    if x < 2:
        raise ValueError(f"x = {x} is too small. " "Raise it.")
    assert x < 100, "too large"
    logger.info("x = %d", x)
    warnings.warn("slow", stacklevel=2)
    return 2 * x + A

def problems(x):
    if x > 1:
        yield f"x is {x}"
    yield "never"
""",
    "features/grids.py": """\
from typing import TYPE_CHECKING

from lagbias.artefacts import store
from lagbias.grids import fourier

if TYPE_CHECKING:
    from lagbias.figures import plots
B = 1
""",
    "figures/plots.py": 'DATA_FILES = ("style.txt",)\n',
    "figures/style.txt": "width: 1\n",
    "figures/other.py": "from . import plots\n",
    "schema/fields.py": "F = 1\n",
    "simulate/__init__.py": "",
    "simulate/nbody.py": "from . import lpt\n",
    "simulate/lpt.py": "def f():\n    from lagbias.grids.fourier import A\n    return A\n",
    "training/loop.py": "C = 1\n",
}
SCRIPTS = {
    "features": "from lagbias.artefacts import store\nfrom lagbias.features import grids\n",
    "box": "from lagbias.simulate import nbody\n",
    "figure": "from importlib import import_module\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package that stands in for lagbias, and scripts that use parts of it."""
    root = tmp_path / "lagbias"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, text in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(library, "_PACKAGE", root)
    return root


def hashes(package):
    for function in (library._imports, library._tree, library._fingerprint):
        function.cache_clear()
    further = {"figure": ["lagbias.figures.other"]}
    return {
        name: library.code_hash(package.parent / f"{name}.py", *further.get(name, []))
        for name in SCRIPTS
    }


def changed(package, before):
    return {name for name, digest in hashes(package).items() if digest != before[name]}


def test_dependencies_are_followed_through_modules_packages_and_functions(package):
    hashes(package)
    root = package.parent
    assert library.dependencies(root / "features.py") == [
        "lagbias.features.grids",
        "lagbias.grids.fourier",
    ]
    assert library.dependencies(root / "box.py") == [
        "lagbias.grids.fourier",
        "lagbias.simulate",
        "lagbias.simulate.lpt",
        "lagbias.simulate.nbody",
    ]


def test_modules_that_are_imported_by_name_count_if_they_are_given(package):
    script = package.parent / "figure.py"
    assert library.dependencies(script) == []
    assert library.dependencies(script, "lagbias.figures.other", "lagbias.schema.fields") == [
        "lagbias.figures.other",
        "lagbias.figures.plots",
        "lagbias.schema.fields",  # plumbing, but asked for
    ]
    with pytest.raises(ValueError, match=r"No module lagbias\.figures\.absent"):
        library.code_hash(script, "lagbias.figures.absent")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("features/grids.py", {"features"}),
        ("grids/fourier.py", {"features", "box"}),
        ("simulate/lpt.py", {"box"}),
        ("figures/plots.py", {"figure"}),  # imported by features for annotations only
        ("figures/style.txt", {"figure"}),
        ("training/loop.py", set()),
        ("artefacts/store.py", set()),
        ("figures/.plots.py.swp", set()),
        ("grids/notes.txt", set()),
    ],
)
def test_an_edit_changes_the_hash_of_what_depends_on_it(package, file, expected):
    before = hashes(package)
    with (package / file).open("a") as stream:
        stream.write("D = 2\n")
    assert changed(package, before) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A = 1", "# a comment\nA   =   1"),
        ("import logging", '"""A docstring."""\n\nimport logging'),
        ("def f(x):", 'def f(x: int) -> int:\n    """A docstring."""'),
        ("is too small. ", "must be at least {2:d}, but is {x!r}. "),
        ('"Raise it."', '"Raise x."'),
        ("too large", "over 99"),
        ('logger.info("x = %d", x)', 'logger.debug("%d is x", x)'),
        ('    logger.info("x = %d", x)\n', ""),
        ('warnings.warn("slow", stacklevel=2)', 'warnings.warn("very slow", stacklevel=2)'),
        ('yield f"x is {x}"', 'yield f"{x} is too large"'),
        ('yield "never"', 'yield "always"'),
        ("bin centre", "centre of the bin"),
    ],
)
def test_text_for_readers_does_not_count(package, old, new):
    before, path = hashes(package), package / "grids/fourier.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert not changed(package, before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x + A", "2 * x - A"),
        ("A = 1", "A = 2"),
        ("x < 2", "x < 3"),
        ("x < 2", "x <= 2"),
        ("x < 100", "x < 101"),
        ("ValueError", "TypeError"),
        ("x > 1", "x > 2"),
        ('"h/Mpc", "k"', '"1", "k"'),
        ('code="f"', 'code="i"'),
    ],
)
def test_what_computes_counts(package, old, new):
    before, path = hashes(package), package / "grids/fourier.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert changed(package, before) == {"features", "box"}


def test_every_script_of_the_workflow_depends_on_something(repository):
    scripts = sorted(repository.glob("workflow/scripts/*.py"))
    assert scripts
    for script in scripts:
        assert library.dependencies(script), script


def test_names_in_the_module_are_those_of_the_library():
    assert all(library._path(module) for module in library.PLUMBING)
    style = library._path("lagbias.figures.common")
    assert list(library._data_files(library._tree(style))) == ["style.mplstyle"]
    for name, position in library._DESCRIPTIONS.items():
        assert list(signature(getattr(fields, name)).parameters)[position] == "description"
