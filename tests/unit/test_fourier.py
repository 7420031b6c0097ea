"""lagbias.grids.fourier: transforms, wavenumbers, and plans that every process shares."""

import logging
import subprocess
import sys

import numpy as np
import pyfftw
import pytest

from lagbias.grids import fourier
from lagbias.grids.fourier import RealFFT, gaussian_window, wavenumbers

# Rounding of float32 transforms of unit-variance noise, relative to the largest mode.
SINGLE_PRECISION = 2e-6


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give the test a plan cache of its own, and no plans from earlier tests."""
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path / "cache"))
    pyfftw.forget_wisdom()
    return tmp_path / "cache"


def noise(n, seed=1):
    return np.random.default_rng(seed).standard_normal((n, n, n), dtype=np.float32)


@pytest.mark.parametrize(("n", "threads"), [(1, 1), (2, 1), (7, 1), (16, 1), (12, 2)])
def test_agrees_with_numpy(cache, n, threads):
    fft, field = RealFFT(n, threads=threads), noise(n)
    expected = np.fft.rfftn(field.astype(np.float64))
    modes = fft.forward(field)
    assert modes.dtype == np.complex64 and modes.shape == (n, n, n // 2 + 1)
    np.testing.assert_allclose(modes, expected, atol=SINGLE_PRECISION * np.abs(expected).max())
    back = fft.inverse(modes)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, field, atol=5 * SINGLE_PRECISION)


def test_forward_keeps_its_input_and_planning_keeps_everything(cache):
    field = noise(12)
    original = field.copy()
    fft = RealFFT(12)
    out = fft.empty_modes()
    assert fft.forward(field, out=out) is out
    np.testing.assert_array_equal(field, original)
    RealFFT(12), RealFFT(14)  # planning again touches nobody's arrays
    np.testing.assert_array_equal(field, original)
    kept = out.copy()
    fft.forward(noise(12, 2))  # another result
    np.testing.assert_array_equal(out, kept)
    target = fft.empty_field()
    assert fft.inverse(out, out=target) is target


def test_any_input_layout(cache):
    """Misaligned, strided and double-precision inputs give the same bits as a plain one."""
    fft, field = RealFFT(8), noise(8)
    expected = fft.forward(field)
    buffer = np.empty(8**3 + 1, dtype=np.float32)
    start = 1 if buffer.ctypes.data % 16 == 0 else 0
    misaligned = buffer[start : start + 8**3].reshape(8, 8, 8)
    misaligned[...] = field
    for variant in (misaligned, np.asfortranarray(field), field.astype(np.float64)):
        np.testing.assert_array_equal(fft.forward(variant), expected)


def test_refuses_wrong_arrays(cache):
    fft = RealFFT(8)
    with pytest.raises(ValueError, match="planned for"):
        fft.forward(noise(7))
    with pytest.raises(ValueError, match="planned for"):
        fft.inverse(fft.empty_field())
    with pytest.raises(ValueError, match="empty_modes"):
        fft.forward(noise(8), out=fft.empty_field())
    with pytest.raises(ValueError, match="empty_field"):
        fft.inverse(fft.empty_modes(), out=np.empty((8, 8, 8)))
    with pytest.raises(ValueError, match="aligned"):
        buffer = pyfftw.empty_aligned(8**3 + 1, np.float32, n=64)
        fft.inverse(fft.empty_modes(), out=buffer[1:].reshape(8, 8, 8))


@pytest.mark.parametrize("n", [6, 7])
def test_wavenumbers(n):
    box_size = 50.0
    kx, ky, kz = wavenumbers(n, box_size)
    assert (kx.shape, ky.shape, kz.shape) == ((n, 1, 1), (1, n, 1), (1, 1, n // 2 + 1))
    indices = [0, 1, 2, 3, -2, -1] if n == 6 else [0, 1, 2, 3, -3, -2, -1]
    np.testing.assert_allclose(kx.ravel(), 2 * np.pi / box_size * np.array(indices), rtol=1e-15)
    np.testing.assert_array_equal(kx.ravel(), ky.ravel())
    np.testing.assert_allclose(kz.ravel(), 2 * np.pi / box_size * np.arange(4), rtol=1e-15)


def test_gaussian_window():
    k_squared = np.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(gaussian_window(k_squared, 2.0), np.exp([0.0, -1.0, -4.0]))
    np.testing.assert_array_equal(gaussian_window(k_squared, 0.0), 1.0)


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert fourier.cache_directory() == tmp_path / "own"
    monkeypatch.delenv("LAGBIAS_CACHE_DIR")
    assert fourier.cache_directory() == tmp_path / "xdg" / "lagbias"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fourier.cache_directory() == tmp_path / ".cache" / "lagbias"


def test_plans_are_measured_once(cache, caplog):
    caplog.set_level(logging.INFO, logger="lagbias.grids.fourier")
    first = RealFFT(12).forward(noise(12))
    assert "Measuring" in caplog.text
    (wisdom,) = cache.glob("*.wisdom")
    content = wisdom.read_bytes()
    caplog.clear()
    pyfftw.forget_wisdom()  # as in a new process
    second = RealFFT(12).forward(noise(12))
    assert caplog.text == ""
    assert wisdom.read_bytes() == content
    np.testing.assert_array_equal(first, second)
    RealFFT(12, threads=2)
    assert len(list(cache.glob("*.wisdom"))) == 2


@pytest.mark.parametrize("content", [b"", b"not wisdom", b"(fftw-9.9.9 fftwf_wisdom #x0 #x0)"])
def test_broken_wisdom_is_replaced(cache, content):
    RealFFT(6)
    (wisdom,) = cache.glob("*.wisdom")
    wisdom.write_bytes(content)
    pyfftw.forget_wisdom()
    RealFFT(6)
    assert pyfftw.import_wisdom((b"", wisdom.read_bytes(), b""))[1]


def test_unwritable_cache_falls_back(tmp_path, monkeypatch, caplog):
    """A file in place of the directory cannot be written to, not even by root."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAGBIAS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    pyfftw.forget_wisdom()
    field = noise(12)
    modes = RealFFT(12).forward(field)
    assert "LAGBIAS_CACHE_DIR" in caplog.text
    expected = np.fft.rfftn(field)
    np.testing.assert_allclose(modes, expected, atol=SINGLE_PRECISION * np.abs(expected).max())
    np.testing.assert_array_equal(modes, RealFFT(12).forward(field))


def test_existing_wisdom_in_a_read_only_cache_is_used(cache, monkeypatch, caplog):
    RealFFT(12)

    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr(fourier, "_write_atomically", refuse)
    monkeypatch.setattr(fourier, "_locked", refuse)
    pyfftw.forget_wisdom()
    RealFFT(12)
    assert "LAGBIAS_CACHE_DIR" not in caplog.text
    RealFFT(10)  # has none yet
    assert "LAGBIAS_CACHE_DIR" in caplog.text


def test_concurrent_processes_share_one_plan(cache):
    program = (
        "import hashlib, numpy as np; from lagbias.grids.fourier import RealFFT;"
        "field = np.random.default_rng(1).standard_normal((48, 48, 48), dtype=np.float32);"
        "print(hashlib.sha256(RealFFT(48).forward(field).tobytes()).hexdigest())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    digests = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert digests[0] == digests[1] != ""
    assert sorted(path.suffix for path in cache.iterdir()) == [".lock", ".wisdom"]
    (wisdom,) = cache.glob("*.wisdom")
    assert pyfftw.import_wisdom((b"", wisdom.read_bytes(), b""))[1]
