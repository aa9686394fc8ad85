"""Bluetooth LE without a radio: bumble's own stacks on one simulated air, in the loop's time."""

from strapline_simulator.ble.air import Air
from strapline_simulator.ble.backend import GatewayRadio
from strapline_simulator.ble.peripheral import TagRadio

__all__ = ["Air", "GatewayRadio", "TagRadio"]
