"""textgan: train, sample, measure and compare GANs on discrete sequences."""

__version__ = "0.1.0"
