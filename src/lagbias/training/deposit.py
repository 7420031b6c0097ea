"""Cloud-in-cell deposit of particles on a grid and its adjoint, on any device of PyTorch."""

import itertools

import numpy as np
import torch

__all__ = ["CloudInCell"]


class CloudInCell:
    """The linear map from values of particles to a periodic grid.

    Equal to `lagbias.grids.paint.paint_cic` up to rounding, which has no adjoint and needs a CPU.
    The nodes and shares of a particle take 64 bytes.

    Parameters
    ----------
    position : ndarray, float32, shape (P, 3)
        Positions [Mpc/h], in [0, L).
    box_size : float
        Side L of the periodic box [Mpc/h].
    n_grid : int
        Nodes N per side.
    device : str or torch.device, keyword-only
        Where to compute. Sums are in a fixed order on the CPU only.
    """

    def __init__(
        self,
        position: np.ndarray,
        box_size: float,
        n_grid: int,
        *,
        device: str | torch.device = "cpu",
    ):
        self._size = n_grid**3
        scaled = torch.tensor(position, device=device) * (n_grid / box_size)
        below = scaled.floor()
        fraction = scaled - below
        sides = below.int() % n_grid, (below.int() + 1) % n_grid
        shares = 1 - fraction, fraction
        corners = list(itertools.product((0, 1), repeat=3))
        self._nodes = torch.stack(
            [
                (sides[x][:, 0] * n_grid + sides[y][:, 1]) * n_grid + sides[z][:, 2]
                for x, y, z in corners
            ]
        )
        self._shares = torch.stack(
            [shares[x][:, 0] * shares[y][:, 1] * shares[z][:, 2] for x, y, z in corners]
        )

    def __len__(self) -> int:
        return self._nodes.shape[1]

    def deposit(self, values: torch.Tensor) -> torch.Tensor:
        """Distribute the value of each particle to the eight nodes around it.

        Parameters
        ----------
        values : Tensor, float64, shape (P,)
            Values, in any units.

        Returns
        -------
        Tensor, float64, shape (N³,)
            Their sums at the nodes, in C order.
        """
        grid = values.new_zeros(self._size)
        for nodes, shares in zip(self._nodes, self._shares, strict=True):
            grid.index_add_(0, nodes, shares * values)
        return grid

    def read(self, grid: torch.Tensor) -> torch.Tensor:
        """Interpolate a grid at the particles: the adjoint of `deposit`.

        Parameters
        ----------
        grid : Tensor, float64, shape (N³,)
            Values at the nodes, in C order.

        Returns
        -------
        Tensor, float64, shape (P,)
            Values at the particles.
        """
        values = grid.new_zeros(len(self))
        for nodes, shares in zip(self._nodes, self._shares, strict=True):
            values += shares * grid.index_select(0, nodes)  # faster than grid[nodes]
        return values
