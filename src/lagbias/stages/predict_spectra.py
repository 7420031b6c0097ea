"""Halo field of an ensemble on one box, and its spectra."""

from collections.abc import Mapping

from lagbias.bias.prediction import ModelField
from lagbias.bias.spectra import Spectra
from lagbias.stages.ensembles import load_ensemble, load_input_matrix, load_inputs_of
from lagbias.stages.evaluation import evaluate

__all__ = ["predict_spectra"]


def predict_spectra(
    paths: Mapping, *, inputs: str, eigenvalue_cut: float | None, device: str, threads: int
) -> tuple[Spectra, ModelField]:
    """Paint every particle of a box with the f of an ensemble and measure the spectra.

    `paths`: ``networks``, ``whitening``, ``particles``, ``features``, ``halo_fields`` and, for
    ``pc2``, ``components``; `eigenvalue_cut` is for ``cut``.
    """
    ensemble, seeds = load_ensemble(paths["networks"], device=device)
    matrix = load_input_matrix(inputs, paths["whitening"], paths.get("components"), eigenvalue_cut)
    inputs_of = load_inputs_of(paths["features"], matrix)
    return evaluate(
        ensemble, inputs_of, paths["particles"], paths["halo_fields"], seeds=seeds, threads=threads
    )
