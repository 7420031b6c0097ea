"""Model power of networks, and of the same with transfer functions."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lagbias.bias.comparison_summary import group_by_model, model_name
from lagbias.bias.spectra import Spectra
from lagbias.figures.common import Inputs, load_all, set_label
from lagbias.figures.curves import check_same_order
from lagbias.figures.loss_comparison import draw_pairs
from lagbias.figures.models import NETWORKS, TRANSFERRED

__all__ = ["draw", "load"]

LABELS = ("networks", "with transfer functions")


def load(inputs: Inputs, *, smoothing_sets: Mapping[str, Sequence[float]]) -> dict:
    """Read the spectra ``original`` and ``transferred``; the radii [Mpc/h] label the sets."""
    spectra = {name: load_all(inputs[name], Spectra) for name in ("original", "transferred")}
    return spectra | {"smoothing_sets": smoothing_sets}


def draw(
    original: Sequence[Spectra],
    transferred: Sequence[Spectra],
    *,
    smoothing_sets: Mapping[str, Sequence[float]] | None = None,
    k_max: float = 1.0,
) -> Figure:
    """Draw P_model / P_h averaged over boxes, with the networks' range, a panel for an ensemble."""
    check_same_order(
        original,
        transferred,
        keys=("smoothing_set", "train_box", "target_box"),
        requirement="transfer_comparison needs at least one ensemble, and the same sets and boxes "
        "with transfer functions",
    )
    networks = group_by_model(original).values()
    return draw_pairs(
        list(zip(networks, group_by_model(transferred).values(), strict=True)),
        titles=[
            f"{model_name(one.inputs)}\n{set_label(one.smoothing_set, smoothing_sets)}"
            for one, *_ in networks
        ],
        labels=LABELS,
        looks=(NETWORKS, TRANSFERRED),
        k_max=k_max,
    )
