# A tag's boards: which pin is what, the drivers of the chips, and the program that a tag starts with.
