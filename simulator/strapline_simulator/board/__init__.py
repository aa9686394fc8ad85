"""The virtual board: the product build, unmodified, on real MicroPython, with every chip around it simulated."""
