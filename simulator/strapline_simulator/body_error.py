"""The one error of all bodies."""


class BodyError(Exception):
    """The interpreter died, hung or said something that is no answer; one line with its last words."""
