"""How an artefact was made: a description that is stored in it, and its identifier.

The identifier is a hash of the rule, its parameters, the code and the identifiers of the inputs,
so that it changes exactly when something that the artefact depends on does.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lagbias import store

__all__ = ["describe"]

_RECORDED = ("lagbias", "numpy", "scipy", "h5py", "pyFFTW", "numba", "torch", "abacusutils")


def describe(
    rule: str, *, params: Mapping, inputs: Sequence[str | Path], code: str, threads: int = 1
) -> dict:
    """Describe how an artefact is made.

    Parameters
    ----------
    rule : str
        Name of the workflow rule.
    params : mapping
        Every parameter that the result depends on, as JSON types.
    inputs : sequence of str or Path
        Artefacts that are read.
    code : str
        Hash of the code, from `lagbias.code_hash.code_hash`.
    threads : int
        Number of threads: recorded, since sums over threads differ by rounding; not part of the
        identifier.

    Returns
    -------
    dict
        The description, with its ``artefact_id``.

    Raises
    ------
    lagbias.store.ArtefactError
        If an input is not a readable artefact.
    """
    core = {
        "rule": rule,
        "params": json.loads(json.dumps(params, sort_keys=True)),
        "inputs": {str(path): store.identifier(path) for path in inputs},
        "code": code,
    }
    identity = {**core, "inputs": sorted(core["inputs"].values())}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    return {**core, "artefact_id": digest, "threads": threads, "versions": _versions()}


def _versions() -> dict[str, str]:
    found = {}
    for name in _RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
