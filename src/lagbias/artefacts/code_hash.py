"""A hash of the library code that a script uses.

Snakemake sees edits to a rule's script but not to the modules that the script imports. The
workflow therefore passes this hash as a parameter: an edit to a module, or to a data file beside
it, reruns the rules whose scripts import it, directly or through other modules, and nothing else.
Comments, docstrings and layout do not count.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["PLUMBING", "code_hash", "dependencies"]

#: Modules that move results about without changing them, so that an edit there reruns nothing.
#: A change of the files' layout is declared by `lagbias.artefacts.store.SCHEMA` instead.
PLUMBING = frozenset(
    f"lagbias.{name}"
    for name in (
        "artefacts.blocks",
        "artefacts.code_hash",
        "artefacts.hdf5",
        "artefacts.kinds",
        "artefacts.layouts",
        "artefacts.provenance",
        "artefacts.store",
        "runtime.atomic",
        "runtime.messages",
        "runtime.progress",
        "runtime.termination",
        "stages.job",
    )
)
_PACKAGE = Path(__file__).parents[1]


def code_hash(script: str | Path) -> str:
    """Hash a script's library code.

    Parameters
    ----------
    script : str or Path
        A Python file; its own text is not hashed (Snakemake watches it), its imports from
        ``lagbias`` are followed.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    digest = hashlib.sha256()
    paths = {module: _path(module) for module in dependencies(script)}
    for module, path in paths.items():
        digest.update(f"{module}\n{_fingerprint(path)}".encode())
    for path in _data_files({path.parent for path in paths.values()}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def dependencies(script: str | Path) -> list[str]:
    """List the ``lagbias`` modules that a script imports, directly or not, without the plumbing.

    Parameters
    ----------
    script : str or Path
        A Python file.

    Returns
    -------
    list of str
        Sorted dotted names.
    """
    seen: set[str] = set()
    waiting = set(_imports(Path(script), package=""))
    while waiting:
        module = waiting.pop()
        if module in seen or module in PLUMBING or module == "lagbias":
            continue
        seen.add(module)
        path = _path(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        waiting.update(_imports(path, package))
    return sorted(seen)


def _data_files(directories: set[Path]) -> list[Path]:
    """Return the files beside modules that are not Python, such as matplotlib's style sheet."""
    files = (path for directory in directories for path in directory.iterdir() if path.is_file())
    return sorted(path for path in files if path.suffix != ".py")


def _path(module: str) -> Path | None:
    """Return the file of a ``lagbias`` module, or None if there is no such module."""
    base = _PACKAGE.joinpath(*module.split(".")[1:])
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@cache
def _imports(path: Path, package: str) -> frozenset[str]:
    """Names of the ``lagbias`` modules that a file imports anywhere in its text."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    ours = {name for name in names if name.split(".")[0] == "lagbias" and _path(name)}
    # importing a.b.c runs a/__init__ and a.b/__init__ too
    parents = {
        ".".join(name.split(".")[:n]) for name in ours for n in range(2, name.count(".") + 1)
    }
    return frozenset(ours | parents)


@cache
def _fingerprint(path: Path) -> str:
    """Dump a module's syntax tree without docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:]
    return ast.dump(tree)
