"""Real Fourier transforms of cubic float32 grids, and their wavenumbers.

FFTW plans made with ``FFTW_MEASURE`` are three to five times faster than those of
``FFTW_ESTIMATE`` on large grids, but FFTW chooses them by timing, so that two runs may differ in
the last bit. The choice ("wisdom") is therefore stored in a file, once per kind of machine, and
used by all later processes.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyfftw

__all__ = ["RealFFT", "cache_directory", "gaussian_window", "wavenumbers"]

logger = logging.getLogger(__name__)

# bytes; enough for FFTW's vector code, and satisfied by every large NumPy array: no copies
_ALIGNMENT = 16


def wavenumbers(n: int, box_size: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the wavenumbers of a real transform of an n³ grid, for broadcasting.

    Parameters
    ----------
    n : int
        Cells per side.
    box_size : float
        Side of the periodic box [Mpc/h].

    Returns
    -------
    kx, ky, kz : ndarray, float64, shapes (n, 1, 1), (1, n, 1), (1, 1, n//2 + 1)
        Wavenumbers [h/Mpc]. The Nyquist wavenumber of an even grid is positive on all axes.
    """
    fundamental = 2.0 * np.pi / box_size
    full = np.fft.fftfreq(n, 1.0 / n) * fundamental
    if n % 2 == 0:
        full[n // 2] *= -1.0
    half = np.fft.rfftfreq(n, 1.0 / n) * fundamental
    return full[:, None, None], full[None, :, None], half[None, None, :]


def multiplicity(n: int) -> np.ndarray:
    """Return how many modes each k_z of a real transform of an n³ grid stands for, with k and -k.

    Parameters
    ----------
    n : int
        Cells per side.

    Returns
    -------
    ndarray, float64, shape (n//2 + 1,)
        Two for 0 < k_z < Nyquist, else one.
    """
    half = np.arange(n // 2 + 1)
    return np.where((half == 0) | (2 * half == n), 1.0, 2.0)


def gaussian_window(k_squared: np.ndarray, rf: float) -> np.ndarray:
    """Return the Gaussian smoothing window W = exp(-k² R_f² / 2), dimensionless.

    Parameters
    ----------
    k_squared : ndarray
        Squared wavenumbers [(h/Mpc)²], any shape. W factorises: the window of a grid is the
        product of the windows of kx², ky² and kz².
    rf : float
        Smoothing radius R_f [Mpc/h].
    """
    return np.exp(-0.5 * rf**2 * k_squared)


class RealFFT:
    """Real forward and inverse transforms of (n, n, n) float32 grids.

    Not thread-safe. Arrays aligned to 16 bytes (all large NumPy arrays that are not odd slices)
    are used in place; others are copied.

    Parameters
    ----------
    n : int
        Cells per side.
    threads : int, keyword-only
        Threads of each transform. Results are bitwise reproducible for equal `n`, `threads` and
        wisdom file.
    """

    def __init__(self, n: int, *, threads: int = 1):
        self.n, self.threads = int(n), int(threads)
        self.field_shape = (self.n, self.n, self.n)
        self.mode_shape = (self.n, self.n, self.n // 2 + 1)
        self._forward, self._inverse = self._plan()

    def empty_field(self) -> np.ndarray:
        """Return an uninitialised float32 array (n, n, n), aligned for the transforms."""
        return pyfftw.empty_aligned(self.field_shape, np.float32, n=64)

    def empty_modes(self) -> np.ndarray:
        """Return an uninitialised complex64 array (n, n, n//2 + 1), aligned for the transforms."""
        return pyfftw.empty_aligned(self.mode_shape, np.complex64, n=64)

    def forward(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Transform a field; unnormalised, with the sign of `numpy.fft.rfftn`.

        Parameters
        ----------
        field : ndarray, float32, shape (n, n, n)
            The field, not modified.
        out : ndarray, complex64, shape (n, n, n//2 + 1), optional
            Array for the result.

        Returns
        -------
        ndarray, complex64, shape (n, n, n//2 + 1)
            The modes, in units of the field.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or FFTW cannot write to `out`.
        """
        field = self._as_input(field, self.field_shape, np.float32, "field")
        out = self.empty_modes() if out is None else self._as_output(out, self.mode_shape, "modes")
        return self._execute(self._forward, field, out)

    def inverse(self, modes: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Transform back and divide by n³. The contents of `modes` are OVERWRITTEN.

        Parameters
        ----------
        modes : ndarray, complex64, shape (n, n, n//2 + 1)
            The modes. FFTW uses this array as work space: pass a copy to keep them.
        out : ndarray, float32, shape (n, n, n), optional
            Array for the result.

        Returns
        -------
        ndarray, float32, shape (n, n, n)
            The field, in units of the modes.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or FFTW cannot write to `out`.
        """
        modes = self._as_input(modes, self.mode_shape, np.complex64, "modes")
        out = self.empty_field() if out is None else self._as_output(out, self.field_shape, "field")
        self._execute(self._inverse, modes, out)
        out *= np.float32(1.0 / self.n**3)
        return out

    def _plan(self) -> tuple[pyfftw.FFTW, pyfftw.FFTW]:
        """Return the plans of both directions; planning overwrites its arrays."""
        field = _offset_empty(self.field_shape, np.float32)
        modes = _offset_empty(self.mode_shape, np.complex64)

        def build(*flags: str) -> tuple[pyfftw.FFTW, pyfftw.FFTW]:
            return (
                pyfftw.FFTW(field, modes, (0, 1, 2), "FFTW_FORWARD", flags, self.threads),
                pyfftw.FFTW(modes, field, (0, 1, 2), "FFTW_BACKWARD", flags, self.threads),
            )

        name = f"fftw_{_machine_key()}_n{self.n}_threads{self.threads}.wisdom"
        plans = _plan_with_wisdom(build, cache_directory() / name)
        # untouched memory is free, so the idle plans refer to such arrays
        self._idle_field = _offset_empty(self.field_shape, np.float32)
        self._idle_modes = _offset_empty(self.mode_shape, np.complex64)
        plans[0].update_arrays(self._idle_field, self._idle_modes)
        plans[1].update_arrays(self._idle_modes, self._idle_field)
        return plans

    def _execute(self, plan: pyfftw.FFTW, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        plan.update_arrays(source, target)
        plan.execute()
        # otherwise the plan would keep the caller's arrays alive until its next use
        idle = (self._idle_field, self._idle_modes)
        plan.update_arrays(*(idle if plan is self._forward else idle[::-1]))
        return target

    def _as_input(self, array: np.ndarray, shape: tuple, dtype: type, name: str) -> np.ndarray:
        if array.shape != shape:
            raise ValueError(
                f"{name} has shape {array.shape}, but this RealFFT was planned for {shape}. "
                "Build a RealFFT for the size of the grid."
            )
        array = np.ascontiguousarray(array, dtype=dtype)
        if not pyfftw.is_byte_aligned(array, n=_ALIGNMENT):
            array = pyfftw.byte_align(array, n=64)
        return array

    def _as_output(self, out: np.ndarray, shape: tuple, name: str) -> np.ndarray:
        dtype = np.dtype(np.complex64 if name == "modes" else np.float32)
        usable = out.flags.c_contiguous and pyfftw.is_byte_aligned(out, n=_ALIGNMENT)
        if out.shape != shape or out.dtype != dtype or not usable:
            raise ValueError(
                f"out has shape {out.shape} and dtype {out.dtype}; it must be a C-contiguous "
                f"{dtype} array of shape {shape} aligned to {_ALIGNMENT} bytes. Use "
                f"RealFFT.empty_{name}()."
            )
        return out


def _offset_empty(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Return an empty array aligned to 16 bytes but not more, like most NumPy arrays."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = pyfftw.empty_aligned(n_bytes + 64, np.uint8, n=64)
    return buffer[_ALIGNMENT : _ALIGNMENT + n_bytes].view(dtype).reshape(shape)


def cache_directory() -> Path:
    """Return the directory for machine-specific caches, which need not exist.

    It is ``$LAGBIAS_CACHE_DIR``, else ``$XDG_CACHE_HOME/lagbias``, else ``~/.cache/lagbias``.
    """
    if chosen := os.environ.get("LAGBIAS_CACHE_DIR"):
        return Path(chosen)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "lagbias"
    return Path.home() / ".cache" / "lagbias"


def _machine_key() -> str:
    """Return a key of this kind of machine, since clusters share home directories."""
    description = [platform.system(), platform.machine(), pyfftw.fftw_version, pyfftw.__version__]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        for field in ("model name", "flags"):
            description += [line for line in lines if line.startswith(field)][:1]
    return hashlib.sha256("\n".join(description).encode()).hexdigest()[:12]


def _plan_with_wisdom(build, path: Path) -> tuple[pyfftw.FFTW, pyfftw.FFTW]:
    """Plan from the wisdom in `path`; if there is none, measure and write it."""
    if plans := _plan_from_file(build, path):
        return plans
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            if plans := _plan_from_file(build, path):  # another process measured meanwhile
                return plans
            # fail before measuring if wisdom cannot be stored: plans would not be reproducible
            _write_atomically(path, b"")
            logger.info("Measuring FFTW plans for %s (once on this machine).", path.stem)
            plans = build("FFTW_MEASURE")
            _write_atomically(path, pyfftw.export_wisdom()[1])
            return plans
    except OSError as error:
        logger.warning(
            "Cannot store FFTW plans in %s (%s): using slower plans that need no measurement. "
            "Set LAGBIAS_CACHE_DIR to a writable directory.",
            path.parent,
            error,
        )
        return build("FFTW_ESTIMATE")


def _plan_from_file(build, path: Path) -> tuple[pyfftw.FFTW, pyfftw.FFTW] | None:
    try:
        wisdom = path.read_bytes()
    except OSError:
        return None
    if not pyfftw.import_wisdom((b"", wisdom, b""))[1]:
        return None
    try:
        return build("FFTW_MEASURE", "FFTW_WISDOM_ONLY")
    except RuntimeError:  # no wisdom for this grid
        return None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write_atomically(path: Path, content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.stem) as folder:
        temporary = Path(folder) / path.name
        temporary.write_bytes(content)
        temporary.replace(path)
