"""Several trained networks as functions of the features."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lagbias.artefacts import kinds as artefacts
from lagbias.runtime.device import choose_device, full_is_explained, in_chunks
from lagbias.training.network import HaloToMassNet, TrainedNetwork, f_from_output

__all__ = ["Ensemble", "load_ensemble", "with_unit_mean"]


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
    lagbias.runtime.device.DeviceFull
        If a GPU's memory is full; from methods only if it is too small for a thousand particles.
    """

    def __init__(self, networks: Sequence[TrainedNetwork], *, device: str | torch.device = "cpu"):
        self._device = torch.device(device)
        with full_is_explained("putting networks on it"):
            self._networks = [
                HaloToMassNet.from_weights(n.weights).to(device).requires_grad_(False)
                for n in networks
            ]
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
        self._check(inputs)
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
        """Evaluate the average f and its exact gradient, by automatic differentiation.

        The paper (§4) perturbs the inputs instead; for small steps the two agree.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.
        threads : int, keyword-only
            As in `f`.

        Returns
        -------
        f : ndarray, float32, shape (P,)
            Mean over the networks of 10^y / normalisation, dimensionless.
        gradient : ndarray, float32, shape (P, n_inputs)
            Its derivative with respect to each input, dimensionless.

        Raises
        ------
        ValueError
            As in `f`.
        """
        self._check(inputs)
        f = np.empty(len(inputs), np.float32)
        gradient = np.empty((len(inputs), self.n_inputs), np.float32)
        in_chunks(
            lambda part: self._differentiate(inputs[part], f[part], gradient[part]),
            len(inputs),
            device=self._device,
            task="differentiating networks",
            threads=threads,
        )
        return f, gradient

    def _check(self, inputs: np.ndarray) -> None:
        if inputs.ndim != 2 or inputs.shape[1] != self.n_inputs:
            raise ValueError(
                f"The networks take inputs of shape (P, {self.n_inputs}) but got {inputs.shape}; "
                f"use the whitening of the smoothing set that they were trained on."
            )

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
        total, slope = torch.zeros(len(batch), device=self._device), torch.zeros_like(batch)
        # one network at a time, so that the activations of only one are in memory
        for network, scale in zip(self._networks, self._normalisations, strict=True):
            with torch.enable_grad():
                one = f_from_output(network(batch)) / (scale * len(self))
                # a particle's f depends on its own inputs only: the gradient of the sum has all
                slope += torch.autograd.grad(one.sum(), batch)[0]
            total += one.detach()
        f[:] = total.cpu().numpy()
        gradient[:] = slope.cpu().numpy()


def load_ensemble(paths: Iterable[str | Path], *, device: str = "auto") -> tuple[Ensemble, list]:
    """Read the networks of an ensemble.

    Parameters
    ----------
    paths : iterable of str or Path
        Network artefacts.
    device : str, keyword-only
        ``auto``, ``cpu`` or ``cuda``, see `lagbias.runtime.device.choose_device`.

    Returns
    -------
    Ensemble
        The networks, on the device.
    list of int
        The seed of each.

    Raises
    ------
    lagbias.artefacts.store.ArtefactError
        If a file cannot be read.
    """
    stored, seeds = artefacts.networks(paths)
    networks = [TrainedNetwork(**arguments) for arguments in stored]
    return Ensemble(networks, device=choose_device(device)), seeds


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
