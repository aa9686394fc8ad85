"""The whole catalogue: every scenario over processes, held against the requirements, and each once without its stimulus."""

from strapline_simulator.catalogue.outcome import Outcome
from strapline_simulator.catalogue.runner import run_all
from strapline_simulator.catalogue.stimulus import without_stimulus

__all__ = ["Outcome", "run_all", "without_stimulus"]
