"""Where in a TOML text a key stands. The standard library's parser is the only judge of TOML here, and it keeps no lines."""

import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class _Statement(NamedTuple):
    line: int
    """The first of the statement, counted from 1."""
    data: dict[str, Any]
    """All that the text says up to its end."""


class TomlLines:
    """The lines of a text that `tomllib` takes."""

    def __init__(self, text: str) -> None:
        self._statements = list(_statements(text))

    def line(self, path: Sequence[str | int]) -> int:
        """Of the statement that brings what `path` names; where nothing does, of the nearest that encloses it."""
        for length in range(len(path), 0, -1):
            for statement in self._statements:
                if _is_in(statement.data, path[:length]):
                    return statement.line
        return 1


def _statements(text: str) -> Iterator[_Statement]:
    """A beginning of the text that is TOML by itself ends with a whole statement; the next one adds the next statement."""
    lines = text.splitlines(keepends=True)
    first = None
    for number, line in enumerate(lines, 1):
        if first is None and line.strip()[:1] in ("", "#"):
            continue
        first = first or number
        try:
            data = tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a long value
        yield _Statement(first, data)
        first = None


def _is_in(data: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
