"""The walk of `strapline hil check`: each part by itself, then what the tag says to each of them."""
