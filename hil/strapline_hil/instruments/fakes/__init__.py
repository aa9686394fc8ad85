"""Instruments that are not there: each speaks the real bytes on a pty and does to a simulated world what the real one does to a tag."""
