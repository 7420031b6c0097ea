"""Non-parametric Lagrangian halo bias with neural nets, after Wu, Muñoz & Eisenstein 2023."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("lagbias")
except PackageNotFoundError:  # used from a source tree that is not installed
    __version__ = "unknown"
