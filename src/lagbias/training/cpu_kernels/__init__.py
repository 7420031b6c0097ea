"""Compiled kernels for the values and gradients of small networks on a CPU."""
