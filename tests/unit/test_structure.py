"""Structure of the library: what may import what, and where logic may live."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "lagbias"
BASE = {"runtime", "schema"}
NUMERICS = {"bias", "cosmology", "features", "grids", "simulate", "training"}
#: What a package or module in the root may import of the others.
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    **dict.fromkeys(NUMERICS, NUMERICS | BASE),
    "artefacts": BASE,
    "archive": BASE | {"artefacts"},
    "config": BASE,
    "sources": NUMERICS | BASE,
    "claims": NUMERICS | BASE | {"artefacts"},
    "figures": NUMERICS | BASE | {"artefacts"},
    "stages": NUMERICS | BASE | {"archive", "artefacts", "claims", "config", "figures", "sources"},
    "model": NUMERICS | BASE | {"artefacts", "config", "figures", "sources", "stages"},
    "cli": NUMERICS
    | BASE
    | {"archive", "artefacts", "claims", "config", "figures", "model"}
    | {"sources", "stages"},
    "__main__": {"cli"},
}
MODULES = {
    ".".join(["lagbias", *path.relative_to(PACKAGE).with_suffix("").parts]): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}
#: Most statements of a workflow script, without imports.
MAX_STATEMENTS = 8


def imports(node: ast.AST, *, inside_functions: bool = True) -> Iterator[str]:
    """Yield the dotted names that a file imports, except for annotations."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "relative import"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        elif inside_functions or not isinstance(child, ast.FunctionDef):
            yield from imports(child, inside_functions=inside_functions)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_packages_import_only_what_they_may(package):
    allowed = {package, "__version__", *MAY_IMPORT[package]}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in [*PACKAGE.glob(f"{package}.py"), *(PACKAGE / package).rglob("*.py")]
        for name in imports(parse(path))
        if name.startswith("lagbias.") and name.split(".")[1] not in allowed
    ]
    assert not wrong


def test_nothing_imports_the_workflow():
    forbidden = ("snakemake", "workflow", "benchmarks", "tests")
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        for name in imports(parse(path))
        if name.startswith(forbidden)
    ]
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    graph = {
        module: {
            name if name in MODULES else name.rpartition(".")[0]
            for name in imports(parse(path), inside_functions=False)
        }.intersection(MODULES)
        for module, path in MODULES.items()
    }
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_init_files_hold_no_logic():
    """A docstring, imports and ``__all__``; that of the root has the version too."""
    wrong = []
    for path in PACKAGE.rglob("*/__init__.py"):
        for node in parse(path).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            if not (docstring or names or isinstance(node, ast.Import | ast.ImportFrom)):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong


def test_the_root_holds_packages_and_three_modules():
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "__main__.py", "cosmology.py", "py.typed"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages | {"cosmology", "__main__"} == set(MAY_IMPORT)


def test_workflow_scripts_are_short():
    lengths = {
        path.name: sum(
            isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom)
            for node in ast.walk(parse(path))
        )
        - 1  # docstring
        for path in (ROOT / "workflow" / "scripts").glob("*.py")
    }
    assert lengths
    assert {name for name, length in lengths.items() if length > MAX_STATEMENTS} == set()
