"""`strapline run`: one scenario, the whole catalogue, or one under mixes of faults."""
