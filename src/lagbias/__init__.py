"""Non-parametric Lagrangian halo bias with neural nets, after Wu, Muñoz & Eisenstein 2023."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lagbias.model.fields import halo_overdensity
    from lagbias.model.fitting import fit
    from lagbias.model.loading import load
    from lagbias.model.model import Model
    from lagbias.model.simulation import simulate_box

__all__ = [
    "Model",
    "__version__",
    "fit",
    "halo_overdensity",
    "load",
    "simulate_box",
]

try:
    __version__ = version("lagbias")
except PackageNotFoundError:  # used from a source tree that is not installed
    __version__ = "unknown"

#: Modules of the public names; imported when used, since they import Numba and PyTorch.
_MODULES = {
    "Model": "lagbias.model.model",
    "fit": "lagbias.model.fitting",
    "halo_overdensity": "lagbias.model.fields",
    "load": "lagbias.model.loading",
    "simulate_box": "lagbias.model.simulation",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
