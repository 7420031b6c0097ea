"""Adam (Kingma & Ba 2015), by PyTorch's own fused kernel without PyTorch's optimiser class.

That class brings the compiler of `torch.compile` along when the first one is made, which takes a
second of every training; and its steps pass through hooks that nothing here uses.
"""

from collections.abc import Iterable

import torch
from torch.optim.adam import adam

__all__ = ["Adam"]


class Adam:
    """Adam with PyTorch's default coefficients: β = (0.9, 0.999), ε = 1e-8, no weight decay.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is optimised, in place; floating point, with gradients in ``.grad`` at every step.

    Attributes
    ----------
    first_moments, second_moments : list of Tensor
        Running means of each parameter's gradient and of its square.
    steps : list of Tensor
        Steps taken, a scalar for each parameter.
    """

    def __init__(self, parameters: Iterable[torch.Tensor]):
        self.parameters = list(parameters)
        self.first_moments = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.second_moments = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]

    def clear_gradients(self) -> None:
        """Forget the parameters' gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Take one step along the gradients.

        Parameters
        ----------
        learning_rate : float
            Its scale, dimensionless.
        """
        adam(
            self.parameters,
            [parameter.grad for parameter in self.parameters],
            self.first_moments,
            self.second_moments,
            [],
            self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
