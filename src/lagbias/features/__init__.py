"""δ, ∇²δ and G2 of the linear density, their whitening and the inputs of networks."""
