"""The card of a model: what it is, what it was trained on, how accurate, where not to use it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lagbias.runtime.markdown import markdown_table

if TYPE_CHECKING:
    from lagbias.model.model import Model

__all__ = ["text"]

_UNITS = {
    "box_size": "Mpc/h",
    "particle_mass": "Msun/h",
    "min_mass": "Msun/h",
    "max_mass": "Msun/h",
    "mean_mass": "Msun/h",
    "cell_size": "Mpc/h",
}
_SECTIONS = {
    "trained_on": "Trained on",
    "halos": "Halos",
    "training": "Training",
    "transfer": "Transfer functions fitted to",
}
#: Limits of every model of this kind.
_LIMITS = (
    "Halos of another mass range, redshift or definition: f is that of the halos above.",
    "Smoothing radii below the cell of your density: ∇²δ is not resolved there.",
    "Positions from another gravity solver, without a comparison with halos in one of its boxes.",
    "The number density of halos: the field is weighted with mass.",
)


def text(model: "Model") -> str:
    """Write the card of a model as Markdown."""
    about, radii = model.about, ", ".join(f"{radius:g}" for radius in model.smoothing_radii)
    neurons = [len(v) for k, v in model.networks[0].weights.items() if k.endswith("bias")][:-1]
    lines = [
        f"# {about.get('name', 'Model')}",
        "",
        about.get("description", "Halo-to-mass weight f of particles, from the linear density."),
        "",
        f"- {len(model.networks)} networks of {len(neurons)} hidden layers of {neurons[0]} "
        f"neurons, {model.input_matrix.shape[0]} inputs",
        f"- features: δ, ∇²δ and G2 at R_f = {radii} Mpc/h",
    ]
    for key, title in _SECTIONS.items():
        if found := about.get(key):
            lines += ["", f"## {title}", "", *_entries(found)]
    if measured := about.get("measured"):
        lines += ["", "## Accuracy", "", *_accuracy(measured)]
    lines += ["", "## Where not to use it", "", *(f"- {limit}" for limit in _LIMITS)]
    return "\n".join(lines) + "\n"


def _entries(found: Mapping[str, Any]) -> Iterable[str]:
    for key, value in found.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        yield f"- {key.replace('_', ' ')}: {shown} {_UNITS.get(key, '')}".rstrip()


def _accuracy(measured: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    yield "P_model/P_h at k < 0.1 h/Mpc: mean over modes, range of the networks, farthest bin; r:"
    yield "smallest correlation coefficient in these bins."
    yield ""
    columns = {"ratio": ".3f", "spread": ".3f", "worst_ratio": ".3f", "lowest_correlation": ".4f"}
    yield markdown_table(
        ["box", "mean", "range", "farthest bin", "r"],
        (
            [row["box"], *(format(row[name], digits) for name, digits in columns.items())]
            for row in measured
        ),
    )
