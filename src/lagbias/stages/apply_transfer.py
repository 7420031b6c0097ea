"""Field and spectra of an ensemble on one box, with transfer functions."""

from collections.abc import Sequence
from pathlib import Path

from lagbias.artefacts import store
from lagbias.bias.prediction import ModelField
from lagbias.bias.second_order_transfer import second_order_transfer
from lagbias.bias.spectra import Spectra

__all__ = ["apply_transfer"]


def apply_transfer(
    fitted_to: Sequence[str | Path],
    spectra: str | Path,
    field: str | Path,
    *,
    threads: int,
) -> tuple[Spectra, ModelField]:
    """Apply the transfer functions of an ensemble, from its spectra `fitted_to` on other boxes.

    The result has the labels of the ensemble without it; its field has no training cells.
    """
    transfer = second_order_transfer([store.read(path, Spectra) for path in fitted_to])
    model = store.read(field, ModelField)
    evaluation = transfer.apply(model.evaluation, box_size=model.box_size, threads=threads)
    without_cells = ModelField(evaluation=evaluation, box_size=model.box_size)
    return transfer.apply_to_spectra(store.read(spectra, Spectra)), without_cells
