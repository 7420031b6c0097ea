"""Networks that take in a few linear combinations of their inputs, learned with them.

The paper (§4) trains on all inputs, finds the directions in which f varies most and trains again
on two of them. Here the first layer's weight is W = A B instead, of rank c: the rows of B are the
combinations, and A, the other weights and all biases are a network that takes in c numbers. Outside
of training it is a network like any other.
"""

import numpy as np
import torch

from lagbias.training.torch_network import HaloToMassNet

__all__ = ["TrainedParameters", "learned_combinations"]


class TrainedParameters:
    """The parameters that optimisers change: A, B, and all of a network's but its first weight.

    B starts with random orthonormal rows and A as the weight of a layer with c inputs, uniform
    within ±1/√c. Then W = A B has elements of variance 1/(3 n_inputs), as without combinations.

    Parameters
    ----------
    network : HaloToMassNet
        The network, updated by `to_network`.
    combinations : int
        c. The parameters are the network's own if it is 0, or not below the number of inputs.
    generator : torch.Generator
        Source of the initial A and B.

    Attributes
    ----------
    vector : Tensor, float32, shape (n,)
        A (width, c), B (c, n_inputs) and the rest, one after another; ``network.flat`` itself
        without combinations.
    """

    def __init__(self, network: HaloToMassNet, combinations: int, generator: torch.Generator):
        self._flat, self._layout = network.flat, network.layout
        width, n_inputs = self._layout.width, self._layout.n_inputs
        self._combined = 0 < combinations < n_inputs
        if not self._combined:
            self.vector: torch.Tensor = network.flat
            return
        bound = combinations**-0.5
        a = torch.empty(width, combinations).uniform_(-bound, bound, generator=generator)
        b = torch.linalg.qr(torch.randn(n_inputs, combinations, generator=generator)).Q.T
        rest = network.flat.detach()[self._layout.lengths[0] :]
        self.vector = torch.cat([a.ravel(), b.ravel(), rest.cpu()]).to(rest.device)
        parts = self.vector.split([a.numel(), b.numel(), len(rest)])
        self._a, self._b, self._rest = parts[0].view(a.shape), parts[1].view(b.shape), parts[2]
        self.to_network()

    @torch.no_grad()
    def to_network(self) -> None:
        """Give the network the parameters that follow from `vector`."""
        if self._combined:
            self._layout.first_weight(self._flat).copy_(self._a @ self._b)
            self._flat[self._layout.lengths[0] :] = self._rest

    def gradient(self, of_network: torch.Tensor) -> torch.Tensor:
        """Return the derivatives with respect to `vector`.

        Parameters
        ----------
        of_network : Tensor
            Derivatives with respect to ``network.flat``.

        Returns
        -------
        Tensor, shape (n,)
            dA = dW Bᵀ, dB = Aᵀ dW and the rest, in the precision of `of_network`.
        """
        if not self._combined:
            return of_network
        of_weight = self._layout.first_weight(of_network)
        a, b = (part.to(of_network.dtype) for part in (self._a, self._b))
        rest = of_network[self._layout.lengths[0] :]
        return torch.cat([(of_weight @ b.T).ravel(), (a.T @ of_weight).ravel(), rest])


def learned_combinations(weight: np.ndarray) -> np.ndarray:
    """Return the combinations of its inputs that a network depends on.

    Parameters
    ----------
    weight : ndarray, float32, shape (width, n_inputs)
        Its first weight.

    Returns
    -------
    ndarray, float64, shape (c, n_inputs)
        Orthonormal rows that span those of `weight`, by descending singular value; c is its rank to
        float32 precision. The largest element of a row is positive.
    """
    _, sizes, rows = np.linalg.svd(weight.astype(np.float64), full_matrices=False)
    rows = rows[sizes > sizes[0] * max(weight.shape) * np.finfo(np.float32).eps]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
    return rows * np.sign(largest)
