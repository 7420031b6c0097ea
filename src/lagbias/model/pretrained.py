"""Models that come with the package, by name."""

import hashlib
from importlib import resources
from pathlib import Path

from lagbias.model import portable
from lagbias.model.model import Model
from lagbias.runtime.atomic import ArtefactError
from lagbias.runtime.messages import did_you_mean

__all__ = ["DIRECTORY", "names", "path_of", "read"]

DIRECTORY = Path(str(resources.files(__package__))) / "weights"


def names() -> list[str]:
    """Return the names of the models, sorted."""
    return sorted(_checksums())


def path_of(name: str) -> Path:
    """Return the file of a model.

    Parameters
    ----------
    name : str
        One of `names`.

    Raises
    ------
    ValueError
        If there is no such model.
    lagbias.runtime.atomic.ArtefactError
        If the file is not the one that the package was made with.
    """
    known = _checksums()
    if name not in known:
        raise ValueError(
            f"There is no model {name!r}{did_you_mean(name, known)} Models: {', '.join(names())}; "
            "give one of them, a .safetensors file, or the directory of an ensemble of a run."
        )
    path = DIRECTORY / f"{name}{portable.SUFFIX}"
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != known[name]:
        raise ArtefactError(f"{path} is missing or altered. Install lagbias again.")
    return path


def read(name: str) -> Model:
    """Read a model by its name; raises as `path_of`."""
    return portable.read(path_of(name))


def _checksums() -> dict[str, str]:
    """Return the SHA-256 of each model's file, by name."""
    lines = (DIRECTORY / "SHA256SUMS").read_text("utf-8").splitlines()
    return {file.removesuffix(portable.SUFFIX): digest for digest, file in map(str.split, lines)}
