"""Steps of a training as CUDA graphs: recorded on the GPU once an epoch, then started as one.

A step on a small network is some hundred kernels, each of which runs for microseconds and takes
Python longer to start. A recording keeps every size, address and number that Python gave, so that
nothing but the contents of tensors may differ between the steps of an epoch. Recording anew every
epoch leaves learning rates and penalties free to change from epoch to epoch.
"""

import logging
from collections.abc import Callable

import torch

from lagbias.runtime.messages import first_line

__all__ = ["Graphs", "capture"]

logger = logging.getLogger(__name__)

#: Steps taken as they are before the first recording, in which libraries set themselves up.
_WARM_UP = 3

#: A step: takes the numbers of the batch's cells and how many particles to evaluate.
_Step = Callable[[torch.Tensor, int], torch.Tensor]


class Graphs:
    """What makes replayed steps of steps, and gives it up where that fails."""

    def __init__(self):
        self._warming_up = _WARM_UP
        self._usable = True

    def replayed(self, step: _Step) -> _Step:
        """Return a function that does what `step` does, from a recording.

        Parameters
        ----------
        step : callable
            Takes a tensor (n,) and a whole number, and returns a tensor; reads and changes other
            tensors in place. One recording is made for each n and whole number.

        Returns
        -------
        callable
            The same, except that its result is overwritten by the next call of equal n.
        """
        recordings = {}

        def run(cells: torch.Tensor, total: int) -> torch.Tensor:
            if self._warming_up:
                self._warming_up -= 1
                return _on_side_stream(step, cells, total)
            key = len(cells), total
            if self._usable and key not in recordings:
                recordings[key] = self._record(step, cells, total)
            if not self._usable:
                return step(cells, total)
            given, replay, result = recordings[key]
            given.copy_(cells)
            replay()
            return result

        return run

    def _record(self, step: _Step, cells: torch.Tensor, total: int):
        """Return what the recording reads, what starts it, and what it writes."""
        given = cells.clone()
        try:
            return given, *capture(lambda: step(given, total))
        except RuntimeError as error:
            self._usable = False
            logger.warning(
                "The training steps could not be recorded as CUDA graphs (%s); training goes on "
                "without, only slower. Set training.cuda_graphs to false.",
                first_line(error),
            )


def capture(work: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
    """Record what is done on the GPU, without doing it.

    Parameters
    ----------
    work : callable
        Does it, in Python.

    Returns
    -------
    callable
        Does it on the GPU.
    Tensor
        What `work` returned: where the result will be found.

    Raises
    ------
    RuntimeError
        If something in it cannot be recorded.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


def _on_side_stream(step: _Step, cells: torch.Tensor, total: int) -> torch.Tensor:
    """Take a step on a stream of its own, as PyTorch asks for before a recording."""
    if not cells.is_cuda:
        return step(cells, total)
    side, current = torch.cuda.Stream(), torch.cuda.current_stream()
    side.wait_stream(current)
    with torch.cuda.stream(side):
        result = step(cells, total)
    current.wait_stream(side)
    result.record_stream(current)
    return result
