"""The embedded simulation: Gaussian initial conditions, 2LPT, particle mesh, friends of friends.

Nothing is imported here: the numba kernels behind the modules take seconds to load.
"""
