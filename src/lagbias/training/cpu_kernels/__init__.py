"""Compiled kernels that evaluate and differentiate small networks on a CPU."""
