"""A rig of real instruments and a real board, at the wall's pace."""
