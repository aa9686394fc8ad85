"""Scenarios: what happens to a wearer, and what must come of it, in YAML. The same file runs on every body."""

from strapline_simulator.scenario.expectation import Expectation
from strapline_simulator.scenario.loader import load_scenario, shipped_scenarios
from strapline_simulator.scenario.model import Scenario
from strapline_simulator.scenario.sections import Place
from strapline_simulator.scenario.step import Journey, Step

__all__ = ["Expectation", "Journey", "Place", "Scenario", "Step", "load_scenario", "shipped_scenarios"]
