"""A rig without hardware: the product build, real drivers, and fakes on ptys that act on its wires. Its time is virtual."""
