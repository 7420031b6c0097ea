"""δ, ∇²δ and G2 at several radii, beside one FFT of SciPy for every field."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy.fft

from . import data
from .adapters import features_of_radii
from .settings import Settings
from .timing import Comparison, Contender, distances

__all__ = ["comparisons", "first_version"]

#: Rms difference of fields of unit variance.
TOLERANCE = 1e-5
#: The transforms of one radius: one forward, δ, ∇²δ, five independent components of the tide.
_TRANSFORMS = 8


def comparisons(settings: Settings, _scene) -> Iterator[Comparison]:
    """Compare the features of one box at all radii."""
    n, radii, threads = settings.sizes.feature_grid, settings.sizes.radii, settings.threads
    box_size = data.SPACING * n
    delta = data.linear_density(n, box_size, threads)
    cells = float(n**3 * len(radii))
    contenders = [
        Contender(
            "lagbias",
            lambda: [
                (g.delta, g.lap_delta, g.g2)
                for g in features_of_radii(delta, box_size, radii, threads=threads)
            ],
            cells,
        ),
        Contender(
            "scipy.fft, one transform a field",
            lambda: [first_version(delta, box_size, rf, threads) for rf in radii],
            cells,
        ),
    ]
    yield Comparison(
        stage="features",
        title=f"δ, ∇²δ, G2 on {n}³ at {len(radii)} radii",
        unit="cells",
        contenders=contenders,
        check=partial(distances, contenders, _rms_distance),
        tolerance=TOLERANCE,
        because="float32 arithmetic and the Nyquist planes of smoothed fields",
        # each transform passes twice over its grid, along planes and along the third axis
        least_bytes=_TRANSFORMS * 2 * 2 * 4,
        least_operations=_TRANSFORMS * 2.5 * np.log2(float(n) ** 3),
    )


def first_version(
    delta: np.ndarray, box_size: float, rf: float, workers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the three fields as the formulae stand, each scaled to unit variance."""
    n = len(delta)
    k_axis = (2 * np.pi * np.fft.fftfreq(n, box_size / n)).astype(np.float32)
    k_half = np.abs(k_axis[: n // 2 + 1])
    k = (k_axis[:, None, None], k_axis[None, :, None], k_half[None, None, :])
    k_squared = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    inverse = partial(scipy.fft.irfftn, s=delta.shape, workers=workers)
    modes = scipy.fft.rfftn(delta, workers=workers) * np.exp(-0.5 * rf**2 * k_squared)
    smoothed, laplacian = inverse(modes), inverse(-k_squared * modes)
    k_squared[0, 0, 0] = 1.0
    modes[0, 0, 0] = 0.0
    g2 = np.zeros_like(delta)
    for i in range(3):
        for j in range(i, 3):
            tide = k[i] * k[j] / k_squared - (1.0 / 3.0 if i == j else 0.0)
            g2 += (1 if i == j else 2) * inverse(tide.astype(np.float32) * modes) ** 2
    g2 -= g2.mean()
    return tuple(field / field.std(dtype=np.float64) for field in (smoothed, laplacian, g2))


def _rms_distance(ours, theirs) -> float:
    return max(
        np.sqrt(np.mean((a - b) ** 2, dtype=np.float64))
        for one, other in zip(ours, theirs, strict=True)
        for a, b in zip(one, other, strict=True)
    )
