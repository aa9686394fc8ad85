"""A rig: one target, the instruments around it, and the file that says which is where."""

from strapline_hil.rig.file import RigFile, load_rig

__all__ = ["RigFile", "load_rig"]
