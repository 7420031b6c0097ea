"""Sub-samples, networks, losses and the training loop."""
