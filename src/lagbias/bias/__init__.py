"""Trained ensembles, binned f, least squares, components of ∇f and prediction."""
