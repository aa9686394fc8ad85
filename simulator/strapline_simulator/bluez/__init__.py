"""A stand-in for BlueZ on a private D-Bus: any program that speaks to `org.bluez` meets the simulated air, in real time."""

from strapline_simulator.bluez.bus import PrivateBus
from strapline_simulator.bluez.faults import Deafness, Faults
from strapline_simulator.bluez.service import BluezService

__all__ = ["BluezService", "Deafness", "Faults", "PrivateBus"]
