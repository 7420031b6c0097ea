"""Several trained networks as functions of the features."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch

from lagbias.network import HaloToMassNet, TrainedNetwork, f_from_output

__all__ = ["Ensemble", "with_unit_mean"]

#: Particles per pass: the activations of one layer then fit a core's cache, or fill a GPU.
_CHUNK = {"cpu": 1 << 12, "cuda": 1 << 18}


class Ensemble:
    """The f of several networks, each normalised.

    The average f is the mean of the f, not 10 to the mean of y (as in the authors' analysis);
    with f an (n_nets, P) array it is ``f.mean(axis=0)``.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        At least one, all of the same inputs.
    device : str or torch.device, keyword-only
        Where to evaluate them.

    Raises
    ------
    ValueError
        If there are no networks, they differ in their inputs, or weights do not fit together.
    """

    def __init__(self, networks: Sequence[TrainedNetwork], *, device: str | torch.device = "cpu"):
        self._device = torch.device(device)
        self._networks = [HaloToMassNet.from_weights(n.weights).to(device) for n in networks]
        self._normalisations = [float(n.normalisation) for n in networks]
        n_inputs = {network.layers[0].in_features for network in self._networks}
        if len(n_inputs) != 1:
            raise ValueError(
                f"An ensemble needs networks of one and the same number of inputs, but got "
                f"{sorted(n_inputs) or 'no network'}; pass those of one smoothing set."
            )
        self.n_inputs = n_inputs.pop()

    def __len__(self) -> int:
        return len(self._networks)

    def f(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate every network.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        threads : int, keyword-only
            Chunks of particles evaluated side by side; the result does not depend on it. Set
            torch's own threads to one: they gain nothing on layers as small as these.

        Returns
        -------
        ndarray, float32, shape (n_nets, P)
            f = 10^y / normalisation of each network, dimensionless.

        Raises
        ------
        ValueError
            If `inputs` has another number of columns than the networks were trained on.
        """
        if inputs.ndim != 2 or inputs.shape[1] != self.n_inputs:
            raise ValueError(
                f"The networks take inputs of shape (P, {self.n_inputs}) but got {inputs.shape}; "
                f"use the whitening of the smoothing set that they were trained on."
            )
        result = np.empty((len(self), len(inputs)), np.float32)
        chunk = _CHUNK.get(self._device.type, _CHUNK["cuda"])
        parts = [slice(first, first + chunk) for first in range(0, len(inputs), chunk)]
        with ThreadPoolExecutor(threads) as pool:
            # list() waits for the chunks and passes on what they raise
            list(pool.map(lambda part: self._evaluate(inputs[part], result[:, part]), parts))
        return result

    def _evaluate(self, inputs: np.ndarray, result: np.ndarray) -> None:
        """Write the f of one chunk to `result`, shape (n_nets, p)."""
        with torch.inference_mode():
            batch = torch.tensor(inputs, dtype=torch.float32, device=self._device)
            for row, network, scale in zip(
                result, self._networks, self._normalisations, strict=True
            ):
                row[:] = (f_from_output(network(batch)) / scale).cpu().numpy()


def with_unit_mean(
    network: TrainedNetwork, inputs: np.ndarray, *, device: str | torch.device = "cpu"
) -> TrainedNetwork:
    """Divide a network's f by its mean over some particles.

    Training knows the mean over its own sub-sample; a larger sample of the box, drawn evenly,
    gives ⟨f⟩ of all particles to a few parts in ten thousand.

    Parameters
    ----------
    network : TrainedNetwork
        The network.
    inputs : ndarray, float32, shape (P, n_inputs)
        Whitened features of particles that represent the box, dimensionless.
    device : str or torch.device, keyword-only
        Where to evaluate it.

    Returns
    -------
    TrainedNetwork
        The same weights with another normalisation.
    """
    mean = Ensemble([network], device=device).f(inputs).mean(dtype=np.float64)
    return replace(network, normalisation=network.normalisation * float(mean))
