"""The artefact that ``lagbias predict`` writes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lagbias.schema import fields

__all__ = ["PredictedField"]


@dataclass(frozen=True, kw_only=True)
class PredictedField:
    """Halo field that a model predicts."""

    KIND: ClassVar[str] = "predicted_field"
    overdensity: np.ndarray = fields.array(
        "1", "x y z", "δ_h, painted with cloud in cell; node [i, j, k] is at (i, j, k) L/n"
    )
    box_size: float = fields.number("Mpc/h", "side L of the box", default=0.0)
    model: str = fields.label("the model, as it was named")
