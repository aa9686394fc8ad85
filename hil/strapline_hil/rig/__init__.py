"""A rig: one target, the instruments around it, and the file that says which is where."""
