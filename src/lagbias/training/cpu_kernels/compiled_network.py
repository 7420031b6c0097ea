"""f of a trained network, and its gradient, on a CPU core; needs no PyTorch."""

from collections.abc import Mapping

import numpy as np

from lagbias.training.cpu_kernels.network_kernels import (
    LN_10,
    backward,
    forward,
    power_of_ten,
    transpose,
)
from lagbias.training.layout import Layout

__all__ = ["CompiledNetwork"]

_NOTHING = np.empty(0, np.float32)


class CompiledNetwork:
    """A network whose weights do not change.

    Parameters
    ----------
    weights : mapping of str to ndarray, float32
        See `lagbias.training.layout.Layout.named`.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]):
        layout = Layout.of(weights)
        self._packed = layout.packed(layout.flat(weights))
        transpose(self._packed)

    def f(self, inputs: np.ndarray) -> np.ndarray:
        """Return 10^y without normalisation.

        Parameters
        ----------
        inputs : ndarray, float32, shape (P, n_inputs)
            Whitened features, dimensionless.

        Returns
        -------
        ndarray, float32, shape (P,)
            Dimensionless.
        """
        output, f = (np.empty(len(inputs), np.float32) for _ in range(2))
        forward(self._matching(inputs), self._packed, output, _NOTHING, _NOTHING)
        power_of_ten(output, f)
        return f

    def f_and_gradient(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 10^y and its derivative with respect to each input, (P,) and (P, n_inputs)."""
        inputs, f = self._matching(inputs), self.f(inputs)
        gradient, none = np.empty_like(inputs), np.empty(0)
        backward(inputs, self._packed, LN_10 * f, none, gradient, _NOTHING, _NOTHING)
        return f, gradient

    def _matching(self, inputs: np.ndarray) -> np.ndarray:
        """Return the inputs as the kernels read them; they check nothing."""
        if inputs.ndim != 2 or inputs.shape[1] != self._packed.n_inputs:
            raise ValueError(
                f"The network takes inputs of shape (P, {self._packed.n_inputs}), not "
                f"{inputs.shape}. Give it the features of its own smoothing set."
            )
        return np.ascontiguousarray(inputs, np.float32)
