"""Hash of the library code that a workflow script depends on.

Snakemake watches the scripts of rules but not the modules that they import. The workflow passes
this hash as a parameter, so that an edit of a module reruns exactly the rules that depend on it.
Only what computes is hashed: comments, docstrings, layout, annotations of functions, log messages
and the texts of errors are not. Of other files, those count that a module names in a module-level
constant ``DATA_FILES``, a tuple of file names in its own directory.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

__all__ = ["PLUMBING", "code_hash", "dependencies"]

#: Modules that pass results on without changing them; an edit there reruns nothing. Changes of the
#: file layout are declared by `lagbias.artefacts.store.SCHEMA`, and values of the configuration
#: reach jobs as parameters, which Snakemake watches.
PLUMBING = frozenset(
    f"lagbias.{name}"
    for name in "artefacts.code_hash artefacts.hdf5 artefacts.provenance artefacts.store "
    "config.sections runtime.atomic runtime.checkpoints runtime.messages runtime.progress "
    "runtime.termination schema.fields schema.labels stages.job".split()
)
_PACKAGE = Path(__file__).parents[1]
#: Position of the description among the arguments of the functions of `lagbias.schema.fields`.
_DESCRIPTIONS = {"array": 2, "arrays": 1, "number": 1, "label": 0, "attributes": 0}


def code_hash(script: str | Path, *modules: str) -> str:
    """Hash the library code that a script depends on, as sixteen hexadecimal digits.

    Parameters
    ----------
    script : str or Path
        A Python file. Its own text is not hashed, because Snakemake watches it.
    *modules : str
        Dotted names of further modules that it depends on, such as those that it imports by name.

    Raises
    ------
    ValueError
        If one of `modules` does not exist.
    OSError
        If a file in ``DATA_FILES`` cannot be read.
    """
    digest = hashlib.sha256()
    for module in dependencies(script, *modules):
        digest.update(module.encode() + _fingerprint(_path(module)))
    return digest.hexdigest()[:16]


def dependencies(script: str | Path, *modules: str) -> list[str]:
    """List the modules that `code_hash` hashes, by name.

    Those in `PLUMBING` are left out unless they are among `modules`.
    """
    if unknown := [module for module in modules if not _path(module)]:
        raise ValueError(f"No module {', '.join(unknown)} in {_PACKAGE}. Correct the name.")
    seen: set[str] = set()
    waiting = {*modules, *(set(_imports(Path(script), package="")) - PLUMBING)}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        path = _path(module)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        waiting |= _imports(path, package) - PLUMBING - seen
    return sorted(seen)


def _path(module: str) -> Path | None:
    """Return the file of a ``lagbias`` module, or None if there is no such module."""
    base = _PACKAGE.joinpath(*module.split(".")[1:])
    return next(filter(Path.is_file, (base / "__init__.py", base.with_suffix(".py"))), None)


@cache
def _imports(path: Path, package: str) -> frozenset[str]:
    """Names of the ``lagbias`` modules that a file imports anywhere in its text."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            names.update([base, *(f"{base}.{alias.name}" for alias in node.names)])
    # importing a.b.c runs a/__init__ and a.b/__init__ too
    names |= {name.rsplit(".", n)[0] for name in names for n in range(1, name.count(".") + 1)}
    return frozenset(name for name in names if name.startswith("lagbias.") and _path(name))


@cache
def _fingerprint(path: Path) -> bytes:
    """Hash what computes in a module, and its data files."""
    digest = hashlib.sha256(ast.dump(_tree(path)).encode())
    for name in _data_files(_tree(path)):
        digest.update(name.encode() + path.with_name(name).read_bytes())
    return digest.digest()


def _data_files(tree: ast.Module) -> Iterator[str]:
    """Yield the file names in ``DATA_FILES``."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATA_FILES":
            yield from ast.literal_eval(node.value)


@cache
def _tree(path: Path) -> ast.Module:
    """Parse a file and remove what does not compute."""
    return _Stripper().visit(ast.parse(path.read_text(encoding="utf-8")))


class _Stripper(ast.NodeTransformer):
    """Removes docstrings, messages, annotations of functions and imports for type checkers."""

    def visit_Module(self, node):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        node.returns = None
        return self.generic_visit(node)

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = visit_Module

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_If(self, node):
        if getattr(node.test, "id", getattr(node.test, "attr", None)) == "TYPE_CHECKING":
            return [self.visit(statement) for statement in node.orelse]
        return self.generic_visit(node)

    def visit_Expr(self, node):
        value = node.value
        called = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        if called == "warnings.warn" or called.partition(".")[0] in ("log", "logger"):
            return None
        if isinstance(value, ast.Yield) and isinstance(value.value, ast.Constant | ast.JoinedStr):
            return _TextRemover().visit(node)
        return self.generic_visit(node)

    def visit_Raise(self, node):
        return _TextRemover().visit(node)

    def visit_Assert(self, node):
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        if name in _DESCRIPTIONS and ast.unparse(node.func) in (name, f"fields.{name}"):
            del node.args[_DESCRIPTIONS[name] : _DESCRIPTIONS[name] + 1]
        return self.generic_visit(node)


class _TextRemover(ast.NodeTransformer):
    """Empties all string literals."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(getattr(node, "value", ""), str) else node

    visit_JoinedStr = visit_Constant
