"""Loading of a model from wherever it is."""

from pathlib import Path

from lagbias.model import portable, pretrained, runs
from lagbias.model.model import Model

__all__ = ["load"]


def load(source: str | Path) -> Model:
    """Load a trained model.

    Parameters
    ----------
    source : str or Path
        Name of a model that comes with the package (`lagbias.model.pretrained.names`), a
        ``.safetensors`` file, or the directory of an ensemble of a run, such as
        ``results/embedded/networks/box0/threshold/3Rf/full``.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    ValueError
        If there is no such name, file or directory.
    lagbias.artefacts.store.ArtefactError
        If a file is absent or damaged.

    Examples
    --------
    >>> import lagbias
    >>> model = lagbias.load("wu2023-3Rf")
    >>> field = model.predict(linear_density, positions, box_size=250.0, grid=128)
    """
    path = Path(source)
    if path.is_dir():
        return runs.from_ensemble(path)
    if path.suffix == portable.SUFFIX or path.exists():
        return portable.read(path)
    return pretrained.read(str(source))
