"""Statistics of a model halo field and of the true one on one box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lagbias.artefacts import store
from lagbias.bias import comparison
from lagbias.bias.prediction import ModelField
from lagbias.grids.halo_field import HaloFields

if TYPE_CHECKING:
    from lagbias.config.sections import BeyondSettings

__all__ = ["DELTA_EDGES", "compare_fields"]

#: Edges of the bins of smoothed δ: a thousandth of the halo field is above 8 at 5 Mpc/h (reference
#: boxes), and models whose f may be negative go below -1.
DELTA_EDGES = np.linspace(-1.5, 8.0, 191)


def compare_fields(
    model_field: str | Path, halo_fields: str | Path, settings: BeyondSettings, *, threads: int
) -> comparison.Comparison:
    """Compare a model field with the halo field of the same box, on the evaluation grid."""
    shot_noise = store.header(halo_fields, HaloFields).attributes["shot_noise"]
    return comparison.compare_fields(
        store.read_array(model_field, ModelField, "evaluation"),
        store.read_array(halo_fields, HaloFields, "evaluation"),
        box_size=store.header(model_field, ModelField).attributes["box_size"],
        shot_noise=shot_noise,
        smoothing_radii=settings.pdf_radii,
        delta_edges=DELTA_EDGES,
        shell_width=settings.bispectrum_width,
        k_max=settings.bispectrum_k_max,
        threads=threads,
    )
