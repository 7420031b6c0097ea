"""Power ratios and losses as the claims define them."""

from collections.abc import Sequence

import numpy as np

from lagbias.bias.spectra import Spectra
from lagbias.claims.base import Untestable
from lagbias.grids import power
from lagbias.training.network import Network

__all__ = [
    "K_MAX",
    "arrow",
    "large_scales",
    "mean_between",
    "mean_ratio",
    "mean_ratios",
    "smallest_draw",
    "spread",
    "training_loss",
    "validation_loss",
]

#: Upper end of the large scales that the paper's numbers are about [h/Mpc].
K_MAX = 0.1


def large_scales(spectra: Spectra, first: int = 1) -> np.ndarray:
    """Return a mask of the bins below `K_MAX`, bool, shape (b,), from the `first`-th bin on.

    Raises Untestable if there are none, as do the functions below.
    """
    k = spectra.k
    chosen = (k > 0) & (k < K_MAX) & (np.arange(len(k)) >= first - 1)
    if not chosen.any():
        raise Untestable(
            f"the box is too small: its spectra have no bin from number {first} on below "
            f"{K_MAX} h/Mpc (the first is at {k[0]:.3f})"
        )
    return chosen


def mean_ratio(spectra: Spectra) -> float:
    """Return ⟨R⟩ of the average f over the modes below `K_MAX`, dimensionless."""
    large_scales(spectra)
    return spectra.mean_ratio(K_MAX)


def mean_ratios(spectra: Spectra) -> np.ndarray:
    """Return ⟨R⟩ of each network, float64, shape (s,), dimensionless."""
    large_scales(spectra)
    return spectra.mean_ratios(K_MAX)


def spread(spectra: Spectra) -> float:
    """Return the range (max − min) of ⟨R⟩ over the networks, dimensionless."""
    means = mean_ratios(spectra)
    if len(means) < 2:
        raise Untestable("the scatter of networks needs at least two seeds; this run has one")
    return float(np.ptp(means))


def arrow(before: float, after: float) -> str:
    """Write two ⟨R⟩ and their difference."""
    return f"⟨R⟩ {before:.3f} → {after:.3f}, change {after - before:+.4f}"


def mean_between(spectra: Spectra, k_min: float, k_max: float) -> float:
    """Return the mean R of the average f over the modes of k_min <= k < k_max [h/Mpc]."""
    k = spectra.k
    chosen = (k >= k_min) & (k < k_max)
    if not chosen.any() or k[-1] < k_max:
        raise Untestable(f"the evaluation grid does not resolve k = {k_max:g} h/Mpc")
    return float(
        power.mode_weighted_mean(spectra.ratio, k, spectra.n_modes, k_min=k_min, k_max=k_max)
    )


def training_loss(networks: Sequence[Network]) -> float:
    """Return the last training loss per cell, mean of the networks, dimensionless."""
    return float(np.mean([network.losses[-1] for network in networks]))


def validation_loss(networks: Sequence[Network], fraction: float = 1.0) -> float:
    """Return the validation loss per cell, mean of the networks, after a fraction of the epochs.

    It is that of the nearest epoch in which it was measured.
    """
    losses = np.array([network.validation_losses for network in networks])
    epochs = 1 + np.flatnonzero(np.isfinite(losses).all(axis=0))
    if not len(epochs):
        raise Untestable("the loss was not measured on a validation box")
    nearest = epochs[np.argmin(np.abs(epochs - fraction * losses.shape[1]))]
    return float(losses[:, nearest - 1].mean())


def smallest_draw(networks: Sequence[Network]) -> int:
    """Return the fewest particles that a network drew in a cell, zero if a cell was empty."""
    return min(n.smallest_draw if n.occupied_cells == n.n_cells else 0 for n in networks)
