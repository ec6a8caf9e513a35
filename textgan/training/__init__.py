"""Training: the loop, its randomness, checkpoints and the log of a run."""
