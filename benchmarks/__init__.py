"""Ours beside its peers, in one run, on loopback: ``python -m benchmarks``."""
