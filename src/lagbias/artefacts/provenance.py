"""How an artefact was made: a description that is stored in it, and its identifier.

The identifier is a hash of the rule, its parameters, the code and the identifiers of the inputs,
so that it changes exactly when something that the artefact depends on does. Whether files that lie
together belong together can therefore be told from their descriptions, without reading the rest.
"""

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lagbias.artefacts import store

__all__ = ["check_inputs", "commit", "describe"]

_RECORDED = ("lagbias", "numpy", "scipy", "h5py", "pyFFTW", "numba", "torch", "abacusutils")


def describe(
    rule: str,
    *,
    params: Mapping,
    inputs: Mapping[str, str],
    code: str,
    threads: int = 1,
    output: str | Path | None = None,
    code_counts: bool = True,
) -> dict:
    """Describe how an artefact is made.

    Parameters
    ----------
    rule : str
        Name of the workflow rule.
    params : mapping
        Every parameter that the result depends on, as JSON types.
    inputs : mapping of str to str
        Identifiers of the artefacts that are read, by path, from `check_inputs`.
    code : str
        Hash of the code, from `lagbias.artefacts.code_hash.code_hash`.
    threads : int
        Number of threads: recorded, since sums over threads differ by rounding; not part of the
        identifier.
    output : str or Path, optional
        Where the artefact is put: recorded, so that it is known when it is found elsewhere; not
        part of the identifier.
    code_counts : bool
        Whether the code is part of the identifier: not where `params` say all about the content.

    Returns
    -------
    dict
        The description, with its ``artefact_id``.
    """
    core = {
        "rule": rule,
        "params": json.loads(json.dumps(params, sort_keys=True)),
        "inputs": dict(inputs),
        "code": code,
    }
    identity = {**core, "inputs": sorted(core["inputs"].values())}
    if not code_counts:
        del identity["code"]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    place = {} if output is None else {"output": str(output)}
    return {**core, **place, "artefact_id": digest, "threads": threads, "versions": _versions()}


def check_inputs(paths: Sequence[str | Path]) -> dict[str, str]:
    """Refuse artefacts that were put where they do not belong, or do not belong together.

    An artefact records where it was put, and the identifiers of those that it was made from. They
    are compared with those of the files that are there now, and so on for the files that those
    were made from. Files that are no longer there, or that only these ask for and that cannot be
    read, are passed over. Attributes are read only.

    Parameters
    ----------
    paths : sequence of str or Path
        Artefacts that are about to be read.

    Returns
    -------
    dict of str to str
        The identifier of each.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If one cannot be read, was made for another place, or was made from other versions of files
        than those that are there, or that others were made from.
    """
    found = {str(path): store.header(path).provenance for path in paths}
    identifiers = {path: description.get("artefact_id", "") for path, description in found.items()}
    claims: dict[str, tuple[str, str]] = {}
    waiting = list(found)
    for path in waiting:  # grows while it is gone through
        _check_place(path, found[path])
        for source, identifier in found[path].get("inputs", {}).items():
            if source not in found:
                found[source] = _description(source)
                waiting.append(source)
            _check_source(path, source, identifier, found[source])
            other, by = claims.setdefault(source, (identifier, path))
            if other != identifier:
                raise store.ArtefactError(
                    f"{by} and {path} were made from different versions of {source} ({other} and "
                    f"{identifier}), which is not there any more. Delete both and run the "
                    f"workflow again, which makes them, and what depends on them, anew."
                )
    return identifiers


def commit() -> str | None:
    """Return the newest commit that changed the code of this checkout, as 12 digits.

    A plus sign follows where the code has changes that are not committed. Without Git, or for an
    installed library, None.
    """
    root = Path(__file__).parents[3]
    if not (root / "workflow" / "Snakefile").is_file():
        return None  # a library elsewhere, perhaps inside of another repository
    code = ["--", "src", "workflow"]
    try:
        newest = _git(root, "log", "-1", "--format=%H", *code)
        changes = _git(root, "status", "--porcelain", *code)
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{newest[:12]}{'+' if changes else ''}" if newest else None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _description(path: str) -> dict:
    """Return how an artefact was made, or nothing where that cannot be found out."""
    if not Path(path).exists():
        return {}
    try:
        return store.header(path).provenance
    except store.ArtefactError:
        return {}


def _check_place(path: str, description: Mapping) -> None:
    """Raise ArtefactError if an artefact is not where it was put when it was made."""
    place = description.get("output", path)
    if Path(place) != Path(path):
        raise store.ArtefactError(
            f"{path} was made as {place}: the wrong file is in this place. Delete it and run the "
            f"workflow again, which makes the right one."
        )


def _check_source(path: str, source: str, recorded: str, description: Mapping) -> None:
    """Raise ArtefactError if a file that an artefact was made from is not the one in its place."""
    present = description.get("artefact_id", recorded)
    if present != recorded:
        raise store.ArtefactError(
            f"{path} was made from another version of {source} than the one that is there: it "
            f"records {recorded}, and {source} is {present}. Delete {path} and run the workflow "
            f"again, which makes it, and what depends on it, from what is there."
        )


def _versions() -> dict[str, str]:
    found = {}
    for name in _RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
