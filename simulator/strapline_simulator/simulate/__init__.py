"""Simulated tags in real time against somebody's own gateway or broker, with counters that prove loss and latency."""
