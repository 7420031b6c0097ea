"""The f of several networks, beside whole-array PyTorch."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from lagbias.bias.ensemble import Ensemble

from . import data
from .plain_training import PlainNet
from .settings import Settings
from .timing import Comparison, Contender, distances, torch_threads

__all__ = ["comparisons"]

#: Relative difference of f.
TOLERANCE = 1e-4
N_INPUTS = 7
#: Particles that the plain version takes in one go: 0.3 GB for each layer's activations.
_PLAIN_CHUNK = 1 << 20


def comparisons(settings: Settings, _scene) -> Iterator[Comparison]:
    """Compare the evaluation of an ensemble."""
    sizes = settings.sizes
    nets = data.networks(sizes.networks, N_INPUTS, sizes.hidden_layers, sizes.width)
    ensemble = Ensemble(nets)
    inputs = np.random.default_rng(0).standard_normal((sizes.evaluated, N_INPUTS), np.float32)

    def library() -> np.ndarray:
        with torch_threads(1):
            return ensemble.evaluate(inputs, threads=settings.threads)

    plain = [(PlainNet(net.weights), net.normalisation) for net in nets]
    contenders = [
        Contender("lagbias", library, float(sizes.evaluated)),
        Contender(
            "PyTorch, all particles at once",
            partial(_at_once, plain, inputs, settings.threads),
            float(sizes.evaluated),
        ),
    ]
    weights = N_INPUTS * sizes.width + (sizes.hidden_layers - 1) * sizes.width**2 + sizes.width
    yield Comparison(
        stage="evaluation",
        title=f"f of {sizes.networks} networks for {sizes.evaluated} particles",
        unit="particles",
        contenders=contenders,
        check=lambda: distances(contenders, lambda a, b: np.max(np.abs(b / a - 1.0))),
        tolerance=TOLERANCE,
        because="float32 sums in another order",
        least_bytes=4.0 * (N_INPUTS + sizes.networks),
        least_operations=2.0 * weights * sizes.networks,
    )


def _at_once(plain: list, inputs: np.ndarray, threads: int) -> np.ndarray:
    with torch_threads(threads), torch.no_grad():
        parts = torch.from_numpy(inputs).split(_PLAIN_CHUNK)
        return np.concatenate(
            [
                torch.stack([10.0 ** net(part) / norm for net, norm in plain]).numpy()
                for part in parts
            ],
            axis=1,
        )
