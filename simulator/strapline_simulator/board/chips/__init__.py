"""Chips, as their data sheets describe them, at the level of registers and bytes."""
