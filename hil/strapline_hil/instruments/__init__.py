"""What acts on a tag from outside, and what looks at it: a driver for each, over its real bytes."""
