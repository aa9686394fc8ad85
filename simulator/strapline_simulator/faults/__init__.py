"""Faults of the chain's parts, in virtual time: what adapters, lines, disks, clocks, sensors and flash do when they fail."""
