"""The parts of Strapline on this machine, found through entry points, so that nothing imports upward.

All parts come in one package; what may be missing are the libraries that a part's extra brings.
"""

import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, entry_points, requires
from typing import Any, NamedTuple


class Part(NamedTuple):
    """One part's answer to an entry-point group: what it hands in, or why it cannot."""

    name: str
    hands_in: Callable[..., Any] | None
    reason: str

    @property
    def mend(self) -> str:
        return install(self.name)


def install(extra: str) -> str:
    """The shell command that brings the libraries of an extra."""
    return f"pip install 'strapline[{extra}]'"


def missing_libraries(extra: str) -> list[str]:
    """The distributions of an extra that are not here; those that only some platforms need are not asked for."""
    wanted = [re.fullmatch(r"([\w.-]+)[^;]*; extra == '(\w+)'", line) for line in requires("strapline") or []]
    return [match[1] for match in wanted if match and match[2] == extra and not _is_here(match[1])]


def _is_here(name: str) -> bool:
    try:
        return bool(distribution(name))
    except PackageNotFoundError:
        return False


def load(group: str) -> Iterator[Part]:
    """Import what each part hands in for `group`, one at a time, sorted by name.

    A library that is not there makes a part without `hands_in`; a mistake inside our own modules is raised.
    """
    for entry in sorted(entry_points(group=group)):
        try:
            yield Part(entry.name, entry.load(), "")
        except ImportError as error:
            if is_ours(error) and not _leads_to(error, entry.module):
                raise
            yield Part(entry.name, None, str(error))


def is_ours(error: ImportError) -> bool:
    """Whether the module that could not be imported is one of Strapline's."""
    return (error.name or "").startswith("strapline_")


def _leads_to(error: ImportError, module: str) -> bool:
    return isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
