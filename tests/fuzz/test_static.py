"""Nothing in the code runs what a file says: no pickles, no evaluated text, no shell."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Ruff's rules on running text, making objects and starting programs, by code.
RULES = "S102,S202,S301,S302,S306,S307,S310,S403,S404,S506,S602,S604,S605,S606,S609"
#: What they do not know.
WORDS = re.compile(r"\b(torch\.(load|save)|allow_pickle\s*=\s*(?!False)|joblib|__import__)\b")
#: The modules that start programs: workflow, queue, the suite for another instruction set, and Git.
STARTS_PROGRAMS = dict.fromkeys(
    (
        "benchmarks/many_jobs.py",
        "benchmarks/shared.py",
        "benchmarks/suite/whole_run.py",
        "benchmarks/suite/runner.py",
        "src/lagbias/artefacts/provenance.py",
    ),
    "S404",
)
#: Directives and calls in Snakefiles that run text.
DIRECTIVES = re.compile(
    r"^\s*(shell|run|notebook|wrapper|cwl)\s*:"
    r"|\b(shell|eval|exec|compile|system|popen)\("
    r"|\b(pickle|marshal|subprocess)\b",
    re.MULTILINE,
)


def findings(*paths: Path) -> set[tuple[str, str]]:
    """Return files and codes of what the linter finds."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--preview", "--no-cache"]
    command += ["--select", RULES, "--output-format", "json", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {(item["filename"], item["code"]) for item in json.loads(done.stdout)}


def test_nothing_in_the_code_runs_what_data_say():
    parts = [ROOT / part for part in ("src", "workflow", "benchmarks")]
    expected = {(str(ROOT / name), code) for name, code in STARTS_PROGRAMS.items()}
    assert findings(*parts) == expected
    files = [path for part in parts for path in part.rglob("*.py")]
    assert not [str(path) for path in files if WORDS.search(path.read_text("utf-8"))]


def test_no_rule_runs_a_shell_or_text():
    files = [path for path in (ROOT / "workflow").rglob("*") if path.suffix in ("", ".smk")]
    texts = [path.read_text("utf-8") for path in [ROOT / "Snakefile", *files] if path.is_file()]
    assert len(texts) > 5
    assert not [found[0] for text in texts for found in DIRECTIVES.finditer(text)]


def test_shipped_configurations_are_no_programs():
    """Snakemake evaluates Python in a configuration that asks for templates with this key."""
    for path in [*(ROOT / "config").glob("*.yaml"), *(ROOT / "profiles").rglob("*.yaml")]:
        assert "__use_yte__" not in path.read_text("utf-8")


def test_what_is_unsafe_is_found(tmp_path):
    lines = {
        "import pickle": "S403",
        "import subprocess": "S404",
        "eval(x)": "S307",
        "exec(x)": "S102",
        "import os; os.system(x)": "S605",
        "import os; os.execv(x, [])": "S606",
        "import yaml; yaml.load(x)": "S506",
        "import tarfile; tarfile.open(x).extractall()": "S202",
        "import urllib.request; urllib.request.urlopen(x)": "S310",
    }
    for number, line in enumerate(lines):
        (tmp_path / f"{number}.py").write_text(line + "\n")
    found = {(Path(path).stem, code) for path, code in findings(tmp_path)}
    assert found >= {(str(number), code) for number, code in enumerate(lines.values())}
    for text in ("torch.load(x)", "np.load(x, allow_pickle=True)", "np.load(x, allow_pickle=a)"):
        assert WORDS.search(text)
    for text in ('    shell: "rm {x}"\n', "    run:\n", 'shell("ls")', "import pickle", "eval(x)"):
        assert DIRECTIVES.search(text)
    assert not DIRECTIVES.search("wildcard_constraints:\n    run=any_of([CONFIG.run]),\n")
