"""The world around the chain: clock, wearer, air, sky, bodies, scenarios, reports."""
