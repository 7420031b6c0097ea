"""Nothing in the code runs what a file says: no pickles, no evaluated text, no shell.

Calls are found in the syntax tree, whatever name a module was imported under. Snakefiles are not
Python: in them, words are looked for.
"""

import ast
import io
import token
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Modules that read or write Python's objects, or run commands.
MODULES = frozenset(
    """cloudpickle commands cPickle dill imp joblib jsonpickle marshal pickle popen2 pty
    shelve""".split()
)
CALLS = frozenset(
    """eval exec compile __import__ builtins.eval builtins.exec input os.popen os.system
    pandas.read_pickle runpy.run_module runpy.run_path shutil.unpack_archive subprocess.getoutput
    subprocess.getstatusoutput tempfile.mktemp torch.load torch.save torch.jit.load torch.package
    urllib.request.urlopen urllib.request.urlretrieve yaml.full_load yaml.full_load_all
    yaml.unsafe_load yaml.unsafe_load_all numpy.core.records.fromfile""".split()
)
PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")
METHODS = frozenset({"extractall", "read_pickle", "to_pickle", "set_execution_option"})
SAFE_LOADERS = frozenset({"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader"})
#: Where programs may be started, with a list of arguments: benchmarks run the workflow.
STARTS_PROGRAMS = frozenset({"benchmarks/suite/whole_run.py"})


def unsafe(source: str, *, may_start: bool = False) -> Iterator[str]:
    """Find calls and imports in Python that may run what data say.

    Parameters
    ----------
    source : str
        A module.
    may_start : bool
        Whether it may start other programs.

    Yields
    ------
    str
        Line and what was found.
    """
    tree = ast.parse(source)
    names = imported_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [alias.name for alias in node.names]
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            forbidden = MODULES if may_start else MODULES | {"subprocess"}
            for module in modules:
                if module.split(".")[0] in forbidden:
                    yield f"{node.lineno}: import of {module}"
        elif isinstance(node, ast.Call) and (why := unsafe_call(node, names)):
            yield f"{node.lineno}: {why}"


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Return the full name behind each name that a module imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def full_name(node: ast.AST, names: dict[str, str]) -> str:
    """Return the dotted name of what is called, or an empty text."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = full_name(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def unsafe_call(call: ast.Call, names: dict[str, str]) -> str | None:
    """Say why a call may run what data say, or None."""
    name = full_name(call.func, names)
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in CALLS or name.startswith(PREFIXES):
        return f"call of {name}"
    if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
        return f"call of .{call.func.attr}"
    if "shell" in keywords and not is_false(keywords["shell"]):
        return f"{name} with shell"
    if name == "numpy.load" and not is_false(keywords.get("allow_pickle", ast.Constant(False))):
        return "numpy.load with pickles"
    if name == "yaml.load" or name == "yaml.load_all":
        loader = keywords.get("Loader") or (call.args[1] if len(call.args) > 1 else None)
        if loader is None or full_name(loader, names) not in SAFE_LOADERS:
            return f"{name} with a loader that makes objects"
    return None


def is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def unsafe_words(source: str) -> Iterator[str]:
    """Find directives and calls in a Snakefile that run text, as tokens."""
    found = [
        (item.type, item.string, item.start[0])
        for item in tokenize.generate_tokens(io.StringIO(source).readline)
        if item.type in (token.NAME, token.OP)
    ]
    calls = {"shell", "eval", "exec", "compile", "system", "popen", "input_function", "run_command"}
    for (kind, word, line), (_, after, _) in pairwise([*found, (token.OP, "", 0)]):
        if kind != token.NAME:
            continue
        if word in {"shell", "run", "notebook", "wrapper", "cwl"} and after == ":":
            yield f"{line}: directive {word}"
        elif word in calls and after == "(":
            yield f"{line}: call of {word}"
        elif word in MODULES or word in {"subprocess", "popen"}:
            yield f"{line}: {word}"


def python_files() -> list[Path]:
    """Return all Python of the package, the workflow and the benchmarks."""
    found = [p for part in ("src", "workflow", "benchmarks") for p in (ROOT / part).rglob("*.py")]
    assert len(found) > 100
    return sorted(found)


def test_nothing_in_the_code_runs_what_data_say():
    problems = []
    for path in python_files():
        name = str(path.relative_to(ROOT))
        found = unsafe(path.read_text("utf-8"), may_start=name in STARTS_PROGRAMS)
        problems += [f"{name}:{problem}" for problem in found]
    assert not problems


def test_no_rule_runs_a_shell_or_text():
    files = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
    assert len(files) > 10
    problems = [
        f"{path.name}:{problem}"
        for path in files
        for problem in unsafe_words(path.read_text("utf-8"))
    ]
    assert not problems


def test_shipped_configurations_are_no_programs():
    """Snakemake evaluates Python in a configuration that asks for templates with this key."""
    for path in [*(ROOT / "config").glob("*.yaml"), *(ROOT / "profiles").rglob("*.yaml")]:
        assert "__use_yte__" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    "snippet",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "import shelve, os",
        "def f():\n    from dill import load",
        "eval(text)",
        "exec(text)",
        "__import__('os')",
        "import os\nos.system('ls')",
        "import os as o\no.popen('ls')",
        "from os import system as s\ns('ls')",
        "import os\nos.execv('/bin/sh', [])",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess as sp\nsp.Popen(command, shell=wanted)",
        "from subprocess import getoutput\ngetoutput('ls')",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=chosen)",
        "from numpy import load\nload(path, allow_pickle=1)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.FullLoader)",
        "import yaml\nyaml.load(text, yaml.Loader)",
        "from yaml import load, UnsafeLoader\nload(text, UnsafeLoader)",
        "import yaml\nyaml.unsafe_load(text)",
        "import tarfile\ntarfile.open(p).extractall(q)",
        "import pandas as pd\npd.read_pickle(p)",
        "import urllib.request\nurllib.request.urlopen(url)",
        "import tempfile\ntempfile.mktemp()",
    ],
)
def test_what_is_unsafe_is_found(snippet):
    assert list(unsafe(snippet, may_start=True))


@pytest.mark.parametrize(
    "snippet",
    [
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import subprocess\nsubprocess.run(['ls'], check=True)",
        "import re\nre.compile('x')",
        "model.eval()",
    ],
)
def test_what_is_safe_is_not(snippet):
    assert not list(unsafe(snippet, may_start=True))
    if "subprocess" in snippet:
        assert list(unsafe(snippet))


@pytest.mark.parametrize(
    "snippet",
    [
        'rule a:\n    output: "x"\n    shell: "rm {config[run]}"\n',
        "rule a:\n    run:\n        print(1)\n",
        'onstart:\n    shell("ls")\n',
        "import pickle\n",
        'import os\nos.system("x")\n',
        "x = eval(config['run'])\n",
    ],
)
def test_what_is_unsafe_in_a_snakefile_is_found(snippet):
    assert list(unsafe_words(snippet))


def test_a_wildcard_called_run_is_no_directive():
    text = 'wildcard_constraints:\n    run=any_of([CONFIG.run]),\nrule a:\n    script: "x.py"\n'
    assert not list(unsafe_words(text))
