"""Reference numbers of the tiny run: write them, or compare a run with them.

python tests/reference/make_reference.py results/tiny              write tiny_run.json
python tests/reference/make_reference.py --compare results/tiny    largest deviation per quantity
"""

# ruff: noqa: T201
import argparse
import json
import math
import platform
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import llvmlite.binding
import numpy as np
import pyfftw

from lagbias.grids.fourier import RealFFT

HERE = Path(__file__).parent
TINY = HERE / "tiny_run.json"

_LIBRARIES = ("numpy", "scipy", "torch", "numba", "llvmlite", "pyFFTW", "abacusutils")


class Tolerance(NamedTuple):
    """Largest deviation of a quantity that passes, three to ten times what was measured.

    kernel: on the reference machine, for quantities in MOVED. Measured with AVX2 and with SSE
    instead of AVX-512: float32 sums differ by rounding, which training hardly amplifies in the
    three epochs of the tiny run (losses, spectra and eigenvalues by at most 5e-7).

    machine: elsewhere. Measured with other plans of FFTW, which it chooses by timing, and on an
    EPYC of another generation (Zen 4): particles move by rounding, one halo of 2,500 appears, and
    others gain or lose a particle.
    """

    kernel: float
    machine: float


_FIXED = Tolerance(0, 0)
_GRID = Tolerance(1e-10, 3e-6)  # norms of fields before halos matter
_HALOS = Tolerance(1e-10, 2e-2)  # a halo more or less in samples of 165 and more
_SUMS = Tolerance(1e-10, 2e-2)  # float64 sums over particles and modes
_TRAINED = Tolerance(3e-6, 5e-3)
_POWER = Tolerance(1e-10, 1e-2)
_COMPONENTS = Tolerance(3e-6, 5e-2)  # of ∇f, where small eigenvalues are ill determined
_THIN = Tolerance(3e-6, 3e-2)  # losses with a halo less among 942 of a thin mass range: 9e-3
_THIN_COMPONENTS = Tolerance(3e-6, 0.2)  # the same: 6e-2
_CLAIMS = Tolerance(1e-8, 0.3)  # differences of near numbers; peaks move by bins of 0.25


def _like(tolerance: Tolerance, *names: str) -> dict[str, Tolerance]:
    return dict.fromkeys(names, tolerance)


_SPECTRA = {
    **_like(_FIXED, "k", "n_modes", "seeds"),
    **_like(_SUMS, "halo_power"),
    **_like(_POWER, "model_power", "cross_power", "mean_f"),
    **_like(_POWER, "average_model_power", "average_cross_power", "average_mean_f"),
}
_LOSSES = ("history.loss_per_cell", "history.validation_loss_per_cell")
_NETWORKS = {
    **_like(_FIXED, "occupied_cells", "smallest_draw", "history.learning_rate"),
    **_like(_TRAINED, *_LOSSES, "history.mean_f", "normalisation", "norm of weights"),
}
_OF_COMPONENTS = ("eigenvalues", "centred_eigenvalues", "first directions")
_GRADIENT_PCA = _like(_TRAINED, "norm of f")
#: What is compared of each group of artefacts: see `group` and `measure`.
QUANTITIES: dict[str, dict[str, Tolerance]] = {
    "linear_density": _like(_GRID, "norm of delta"),
    "particles": _like(_GRID, "norm of position"),
    "halos": _like(_HALOS, "norm of mass", "norm of position"),
    "halo_fields": _like(_HALOS, "n_halos", "min_mass", "max_mass", "mean_mass")
    | _like(_HALOS, "norm of training", "norm of evaluation"),
    "features": _like(_GRID, "sigma", "norm of delta", "norm of lap_delta", "norm of g2"),
    "whitening": _like(_FIXED, "kept") | _like(_GRID, "eigenvalues"),
    "networks": _NETWORKS,
    "networks of thin ranges": _NETWORKS | _like(_THIN, *_LOSSES),
    "spectra": _SPECTRA,
    "spectra of least squares": _SPECTRA,
    "model_fields": _like(_TRAINED, "norm of average"),
    "slabs": _like(_TRAINED, "norm of f", "norm of model_map"),
    "least_squares": _like(_FIXED, "delta_edges") | _like(_SUMS, "share", "f"),
    "binned_f": _like(_SUMS, "share") | _like(_TRAINED, "f"),
    "gradient_pca": _GRADIENT_PCA | _like(_COMPONENTS, *_OF_COMPONENTS),
    "gradient_pca of thin ranges": _GRADIENT_PCA | _like(_THIN_COMPONENTS, *_OF_COMPONENTS),
    "claims": _like(_CLAIMS, "value", "scatter") | _like(Tolerance(0, math.inf), "verdict"),
}

#: Groups ("networks"), or single quantities ("spectra: halo_power"), that a replaced kernel moves
#: on the reference machine too. All others are compared exactly there.
#: Now: none. Networks of compiled steps differed from those of automatic differentiation by 3e-7 in
#: their losses, with equal seeds and halos.
MOVED: frozenset[str] = frozenset()


class Deviation(NamedTuple):
    """One number or array beside its reference; `size` is NaN where it is missing."""

    path: str
    name: str
    found: Any
    expected: Any
    size: float

    def allowed(self, *, same_machine: bool) -> float:
        """Return the largest size that passes."""
        tolerance = QUANTITIES[group(self.path)][self.name.partition(":")[0]]
        if not same_machine:
            return tolerance.machine
        moved = MOVED & {group(self.path), f"{group(self.path)}: {self.name.partition(':')[0]}"}
        return tolerance.kernel if moved else 0.0


def group(path: str) -> str:
    """Return the group of an artefact, from its path in the run's directory."""
    first, stem = Path(path).parts[0], Path(path).stem
    if first == "spectra" and "least_squares" in Path(path).parts:
        return "spectra of least squares"
    if first in ("networks", "gradient_pca") and "thin" in (stem, *Path(path).parts):
        return f"{first} of thin ranges"
    return stem if first in ("boxes", "claims.json") else first


def measure(file: h5py.File, name: str) -> Any:
    """Return a dataset, an attribute, the norm of datasets, or the first directions of ∇f."""
    if name == "first directions":
        return file["directions"][:, :2].T.tolist()
    if name.startswith("norm of "):
        what = name.removeprefix("norm of ")
        arrays = [file[key][()] for key in sorted(file) if key.split(".")[0] == what]
        squares = [np.ravel(values).astype(np.float64) ** 2 for values in arrays]
        return math.sqrt(math.fsum(np.concatenate(squares).tolist()))  # exact: in any order
    return (file[name][()] if name in file else file.attrs[name]).tolist()


def claim_numbers(path: Path) -> dict[str, Any]:
    """Return values, scatter and verdict of each claim, by claim."""
    found = {}
    for claim in json.loads(path.read_text("utf-8"))["claims"]:
        label = claim["id"]
        found |= {f"value: {label} {key}": value for key, value in claim["values"].items()}
        found |= {f"scatter: {label}": claim["scatter"], f"verdict: {label}": claim["verdict"]}
    return found


def numbers(run: Path, path: str) -> dict[str, Any]:
    """Return what is compared of one artefact; empty if there is none."""
    if not (run / path).is_file():
        return {}
    if path == "claims.json":
        return claim_numbers(run / path)
    with h5py.File(run / path) as file:
        found = {}
        for name in QUANTITIES[group(path)]:
            try:
                found[name] = measure(file, name)
            except (KeyError, ValueError):
                continue  # missing: NaN beside the reference
        return found


def machine(run: Path) -> dict[str, Any]:
    """Return all that the last bits of a run depend on, apart from the code.

    The plans of FFTW are among it: they are chosen by timing, see `lagbias.grids.fourier`.
    """
    with h5py.File(run / "boxes/box0/particles.h5") as file:
        threads = json.loads(file.attrs["provenance"])["threads"]
    checksums = {}
    # as jobs do in one process: initial conditions and mesh; features; evaluation
    for sizes in (((80, threads), (160, threads)), ((80, 1),), ((48, 1),)):
        pyfftw.forget_wisdom()
        for n, n_threads in sizes:
            fft = RealFFT(n, threads=n_threads)
            modes = fft.forward(np.random.default_rng(0).random((n, n, n), np.float32))
            crc = zlib.crc32(modes.tobytes())
            checksums[f"n{n}_threads{n_threads}"] = zlib.crc32(fft.inverse(modes).tobytes(), crc)
    features = llvmlite.binding.get_host_cpu_features()
    return {
        "cpu": llvmlite.binding.get_host_cpu_name(),
        "instructions": [name for name in ("avx512f", "avx2", "fma") if features.get(name)],
        "libc": "-".join(platform.libc_ver()),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "transforms": checksums,
    }


def unlike(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Return the entries in which two machines differ."""
    return [key for key in there if here.get(key) != there[key]]


def deviation(found: Any, expected: Any, name: str) -> float:
    """Return the largest deviation: 0 where equal, infinite for other text, NaN where missing.

    Numbers deviate relative to the expected one, or to a thousandth of the largest of the array
    where that is more. Directions and values of bins, with entries near zero, deviate relative to
    the largest of the array; claims, often differences of numbers near one, relative to at least 1.
    """
    if isinstance(expected, str | None):
        return 0.0 if found == expected else math.nan if found is None else math.inf
    try:
        a, b = np.array(found, np.float64), np.array(expected, np.float64)
    except (TypeError, ValueError):
        return math.nan
    if a.shape != b.shape or found is None:
        return math.nan
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    floor = 1.0 if name in ("first directions", "f", "share") else 1e-3
    least = 1.0 if name.startswith(("value:", "scatter:")) else floor * np.abs(b).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.abs(a - b) / np.maximum(np.abs(b), least)
    return float(np.max(np.where(a == b, 0.0, sizes)))


def compare(run: Path, reference: dict[str, dict[str, Any]]) -> Iterator[Deviation]:
    """Yield every number of the reference beside that of a run."""
    for path, expected in reference.items():
        found = numbers(run, path)
        for name, value in expected.items():
            here = found.get(name)
            size = deviation(here, value, name) if name in found else math.nan
            yield Deviation(path, name, here, value, size)


def write(target: Path, content: dict[str, dict[str, Any]]) -> None:
    """Write JSON with a line for each artefact; floats are exact."""
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def make(run: Path) -> dict[str, dict[str, Any]]:
    """Return the reference of a run: its machine, and its numbers by artefact."""
    paths = [*sorted(str(p.relative_to(run)) for p in run.rglob("*.h5")), "claims.json"]
    found = {path: numbers(run, path) for path in paths}
    for path, values in found.items():
        if missing := QUANTITIES[group(path)].keys() - {n.partition(":")[0] for n in values}:
            raise SystemExit(f"{run / path} lacks {', '.join(sorted(missing))}.")
    return {"machine": machine(run), **found}


def load(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the machine and the numbers of a reference."""
    content = json.loads(path.read_text("utf-8"))
    return content.pop("machine", {}), content


def _print_worst(deviations: Iterator[Deviation]) -> None:
    """Print the largest deviation of each quantity."""
    worst: dict[str, Deviation] = {}
    for one in deviations:
        label = f"{group(one.path)}: {one.name.partition(':')[0]}"
        if label not in worst or not one.size <= worst[label].size:
            worst[label] = one
    for label, one in sorted(worst.items()):
        print(f"{one.size:8.1e}  {label}" + f"  ({one.path}, {one.name})" * (one.size != 0))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="directory of the run")
    parser.add_argument("--compare", action="store_true", help="print the largest deviations")
    arguments = parser.parse_args()
    if not arguments.compare:
        write(TINY, make(arguments.run))
        return
    made_on, reference = load(TINY)
    differences = ", ".join(unlike(machine(arguments.run), made_on)) or "nothing"
    print(f"unlike the reference: {differences}")
    _print_worst(compare(arguments.run, reference))


if __name__ == "__main__":
    main()
