"""Random mixes of faults over a scenario, and the smallest scenario that still fails."""
