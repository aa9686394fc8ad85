"""The scenario's steps, carried out on the world; and what they make true, for the ledger to be held against."""

from strapline_simulator.script.play import Script

__all__ = ["Script"]
