"""Chaos: the whole chain under faults drawn from a seed, with gateways that are really killed; and whether all was delivered."""
