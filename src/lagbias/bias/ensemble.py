"""Ensembles of trained networks as functions of their inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lagbias.runtime.device import explain_oom, in_chunks
from lagbias.training.cpu_kernels.compiled_network import CompiledNetwork
from lagbias.training.network import Network

__all__ = ["Ensemble", "with_unit_mean"]


class Ensemble:
    """The f of several networks, each normalised.

    As in the authors' analysis, the average f is the mean of f over the networks, not 10 to the
    mean of y.

    Parameters
    ----------
    networks : sequence of Network
        All with the same inputs.
    device : {"cpu", "cuda"}, keyword-only
        Where to evaluate them.

    Raises
    ------
    lagbias.runtime.device.DeviceFull
        If the GPU is out of memory; also raised by the methods.
    """

    def __init__(self, networks: Sequence[Network], *, device: str = "cpu"):
        self._device = device
        with explain_oom("putting networks on it"):
            self._networks = [_on_device(n.weights, device) for n in networks]
        self._normalisations = [np.float32(n.normalisation) for n in networks]

    def __len__(self) -> int:
        return len(self._networks)

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate every network.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        threads : int, keyword-only
            Chunks of particles evaluated concurrently; the result does not depend on it.

        Returns
        -------
        ndarray, float32, shape (n_nets, P)
            f = 10^y / normalisation of each network, dimensionless.
        """
        result = np.empty((len(self), len(inputs)), np.float32)
        in_chunks(
            lambda part: self._evaluate(inputs[part], result[:, part]),
            len(inputs),
            device=self._device,
            task="evaluating networks",
            threads=threads,
        )
        return result

    def average_f_and_gradient(
        self, inputs: np.ndarray, *, threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the average f and its gradient by automatic differentiation.

        The paper (§4) uses finite differences instead.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        threads : int, keyword-only
            As in `evaluate`.

        Returns
        -------
        f : ndarray, float32, shape (P,)
            Mean over the networks of 10^y / normalisation, dimensionless.
        gradient : ndarray, float32, shape (P, n_inputs)
            Its derivative with respect to each input, dimensionless.
        """
        f = np.empty(len(inputs), np.float32)
        gradient = np.empty(inputs.shape, np.float32)
        in_chunks(
            lambda part: self._differentiate(inputs[part], f[part], gradient[part]),
            len(inputs),
            device=self._device,
            task="differentiating networks",
            threads=threads,
        )
        return f, gradient

    def _evaluate(self, inputs: np.ndarray, result: np.ndarray) -> None:
        """Write the f of one chunk to `result`, shape (n_nets, p)."""
        for row, network, scale in zip(result, self._networks, self._normalisations, strict=True):
            np.divide(network.f(inputs), scale, out=row)

    def _differentiate(self, inputs: np.ndarray, f: np.ndarray, gradient: np.ndarray) -> None:
        """Write the average f of one chunk to `f`, shape (p,), and its gradient to `gradient`."""
        f[:], gradient[:] = 0.0, 0.0
        for network, scale in zip(self._networks, self._normalisations, strict=True):
            one, slopes = network.f_and_gradient(inputs)
            f += one / (scale * len(self))
            gradient += slopes / (scale * len(self))


def _on_device(weights: Mapping[str, np.ndarray], device: str):
    """Return a network with the methods ``f`` and ``f_and_gradient``."""
    if device == "cpu":
        return CompiledNetwork(weights)
    from lagbias.training.torch_network import TorchNetwork

    return TorchNetwork(weights, device)


def with_unit_mean(network: Network, inputs: np.ndarray, *, device: str = "cpu") -> Network:
    """Normalise a network to ⟨f⟩ = 1 over a sample of particles.

    Training normalises over its own sub-sample; a larger, uniform sample gives ⟨f⟩ of all
    particles to a few parts in ten thousand.

    Parameters
    ----------
    network : Network
    inputs : ndarray, float32, shape (P, n_inputs)
        Whitened features of a uniform sample of the box's particles, dimensionless.
    device : {"cpu", "cuda"}, keyword-only
        Where to evaluate it.
    """
    mean = Ensemble([network], device=device).evaluate(inputs).mean(dtype=np.float64)
    return replace(network, normalisation=network.normalisation * float(mean))
