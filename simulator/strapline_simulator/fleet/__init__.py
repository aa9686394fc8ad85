"""Fleets: many homes, each simulated by itself, and what came of all of them."""
