"""Ensembles of trained networks as functions of their inputs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from lagbias.runtime.device import explain_oom, in_chunks
from lagbias.training.network import Network
from lagbias.training.torch_network import HaloToMassNet, f_from_output

__all__ = ["Ensemble", "with_unit_mean"]


class Ensemble:
    """The f of several networks, each normalised.

    As in the authors' analysis, the average f is the mean of f over the networks, not 10 to the
    mean of y.

    Parameters
    ----------
    networks : sequence of Network
        All with the same inputs.
    device : str or torch.device, keyword-only
        Where to evaluate them.

    Raises
    ------
    lagbias.runtime.device.DeviceFull
        If the GPU is out of memory; also raised by the methods.
    """

    def __init__(self, networks: Sequence[Network], *, device: str | torch.device = "cpu"):
        self._device = torch.device(device)
        with explain_oom("putting networks on it"):
            self._networks = [
                HaloToMassNet.from_weights(n.weights).to(device).requires_grad_(False)
                for n in networks
            ]
        self._normalisations = [float(n.normalisation) for n in networks]

    def __len__(self) -> int:
        return len(self._networks)

    def evaluate(self, inputs: np.ndarray, *, threads: int = 1) -> np.ndarray:
        """Evaluate every network.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        threads : int, keyword-only
            Chunks of particles evaluated concurrently; the result does not depend on it. Set
            torch's own threads to one: they gain nothing on layers this small.

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
        with torch.inference_mode():
            batch = torch.tensor(inputs, dtype=torch.float32, device=self._device)
            for row, network, scale in zip(
                result, self._networks, self._normalisations, strict=True
            ):
                row[:] = (f_from_output(network(batch)) / scale).cpu().numpy()

    def _differentiate(self, inputs: np.ndarray, f: np.ndarray, gradient: np.ndarray) -> None:
        """Write the average f of one chunk to `f`, shape (p,), and its gradient to `gradient`."""
        batch = torch.tensor(inputs, dtype=torch.float32, device=self._device, requires_grad=True)
        total, grad = torch.zeros(len(batch), device=self._device), torch.zeros_like(batch)
        # one network at a time: memory holds the activations of one only
        for network, scale in zip(self._networks, self._normalisations, strict=True):
            with torch.enable_grad():
                one = f_from_output(network(batch)) / (scale * len(self))
                # f of a particle depends on its own inputs only: the sum's gradient has all
                grad += torch.autograd.grad(one.sum(), batch)[0]
            total += one.detach()
        f[:] = total.cpu().numpy()
        gradient[:] = grad.cpu().numpy()


def with_unit_mean(
    network: Network, inputs: np.ndarray, *, device: str | torch.device = "cpu"
) -> Network:
    """Normalise a network to ⟨f⟩ = 1 over a sample of particles.

    Training normalises over its own sub-sample; a larger, uniform sample gives ⟨f⟩ of all
    particles to a few parts in ten thousand.

    Parameters
    ----------
    network : Network
    inputs : ndarray, float32, shape (P, n_inputs)
        Whitened features of a uniform sample of the box's particles, dimensionless.
    device : str or torch.device, keyword-only
        Where to evaluate it.
    """
    mean = Ensemble([network], device=device).evaluate(inputs).mean(dtype=np.float64)
    return replace(network, normalisation=network.normalisation * float(mean))
