"""The particles of a simulation that are kept once halos are found."""

import numpy as np

__all__ = ["kept_sites"]

# 1/g, 1/g², 1/g³ with g⁴ = g + 1: the additive recurrence with these steps fills the unit cube
# evenly (Roberts 2018). No short vector of integers has a product with them close to an integer, so
# that the chosen sites have little power on large scales.
_GOLDEN = 1.2207440846057596
_STEPS = _GOLDEN ** -np.arange(1.0, 4.0)


def kept_sites(
    n_side: int, fraction: float, sampling: str, random: np.random.Generator
) -> np.ndarray:
    """Choose lattice sites whose particles are kept.

    Parameters
    ----------
    n_side : int
        Particles per side.
    fraction : float
        Fraction of the sites, in (0, 1].
    sampling : {"even", "random"}
        ``random`` takes each site with probability `fraction`. ``even`` takes the sites (i, j, k)
        where (i/g + j/g² + k/g³ + u) mod 1 < `fraction`, with g the root of g⁴ = g + 1 and u at
        random.
    random : numpy.random.Generator

    Returns
    -------
    ndarray, int32, shape (about fraction n_side³,)
        Flat indices of the sites (C order), ascending.
    """
    if fraction == 1.0:
        return np.arange(n_side**3, dtype=np.int32)
    start = random.random()
    steps = np.arange(n_side) * _STEPS[:, None]
    chosen = []
    for plane in range(n_side):
        if sampling == "even":
            values = (start + steps[0, plane] + steps[1][:, None] + steps[2]) % 1.0
        else:
            values = random.random((n_side, n_side))
        chosen.append(np.flatnonzero(values < fraction) + plane * n_side**2)
    return np.concatenate(chosen).astype(np.int32)
