"""Defects of the firmware that are put into a copy of its sources, to see whether the bench finds them. None is in the product."""
