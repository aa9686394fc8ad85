"""Bluetooth LE by the frame: what crosses and when, as on the whole air, without the stacks that carry it there."""

from strapline_simulator.frame_air.air import FrameAir
from strapline_simulator.frame_air.backend import FrameGatewayRadio
from strapline_simulator.frame_air.peripheral import FrameTagRadio

__all__ = ["FrameAir", "FrameGatewayRadio", "FrameTagRadio"]
