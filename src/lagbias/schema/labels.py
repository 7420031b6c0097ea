"""Labels that several types share."""

from dataclasses import dataclass

from lagbias.schema import fields

__all__ = ["WITH_TRANSFER", "EnsembleLabels", "EvaluationLabels"]

#: What follows the inputs of networks, such as ``full``, where transfer functions are applied
#: (`lagbias.bias.second_order_transfer`).
WITH_TRANSFER = "_transfer"


@dataclass(frozen=True, kw_only=True)
class EnsembleLabels:
    """Which ensemble something belongs to."""

    train_box: str = fields.label("training box")
    sample: str = fields.label("halo sample")
    smoothing_set: str = fields.label("smoothing set")
    inputs: str = fields.label("inputs of the networks")


@dataclass(frozen=True, kw_only=True)
class EvaluationLabels(EnsembleLabels):
    """Which ensemble was evaluated on which box."""

    target_box: str = fields.label("box that it is evaluated on")
