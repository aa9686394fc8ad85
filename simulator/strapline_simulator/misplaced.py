"""A mistake that is seen only where several parts of a file are held together, and the part that is to be mended."""


class MisplacedError(ValueError):
    """`where` is the way to that part, from the model that is being checked."""

    def __init__(self, where: tuple[int | str, ...], message: str) -> None:
        super().__init__(message)
        self.where = where
