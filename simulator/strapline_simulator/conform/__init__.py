"""The same scenarios on two bodies: whether they send the same frames, and the first that differs."""
