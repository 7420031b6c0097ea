"""Periodic grids: Fourier transforms, painting and power spectra."""
