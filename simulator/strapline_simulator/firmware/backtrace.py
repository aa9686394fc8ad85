"""From a board's traceback back to the sources: which function a short name can be, and which of them calls the next."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.firmware.program import Program
from strapline_simulator.firmware.walk import walk

_FRAME = re.compile(r'^(?P<head>\s*File "(?P<file>[^"]*)", line \d+, in )(?P<name>\S+)\s*$')


class Function(NamedTuple):
    """One function of a bundle: its name on the board, and of its source the place and the names that it mentions."""

    short: str
    called: str
    """By which name others call it: its own, or its class's."""
    place: str
    """Such as `strapline_tag/tag.py:183 Tag.handle_timer`."""
    mentions: list[str]


class Named(NamedTuple):
    """A function under its own name, before names were shortened."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    function: Function


def own_names(program: Program) -> list[Named]:
    """All functions that have a name, to be asked for their short ones once they have them."""
    return [
        named
        for module, node in program.statements
        for named in _inside(module.replace(".", "/") + ".py", node, "", "")
    ]


def _inside(file: str, node: ast.AST, outer: str, owner: str) -> Iterator[Named]:
    path = outer
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        name = _plain(node.name)
        path = f"{outer}.{name}".removeprefix(".")
        if isinstance(node, ast.ClassDef):
            owner = name
        else:
            called = owner if name == "__init__" else name
            yield Named(node, Function("", called, f"{file}:{node.lineno} {path}", sorted(set(_mentioned(node)))))
    for inner in ast.iter_child_nodes(node):
        yield from _inside(file, inner, path, owner)


def _plain(name: str) -> str:
    return name.rpartition(":")[2].rpartition(".")[2]


def short_names(named: Iterable[Named]) -> list[Function]:
    """The same functions with the names that they have now."""
    return [one.function._replace(short=one.node.name) for one in named]


def _mentioned(node: ast.AST) -> Iterator[str]:
    for inner in walk(node):
        if isinstance(inner, ast.Attribute):
            yield inner.attr
        elif isinstance(inner, ast.Name):
            yield _plain(inner.id)


def read_map(text: str, place: str) -> dict[str, Any]:
    """What a map file holds."""
    try:
        names = json.loads(text)
        assert isinstance(names["module"], str)
        assert all(len(function) == len(Function._fields) for function in names["functions"])
    except (ValueError, KeyError, TypeError, AssertionError):
        raise UserError(f"{place}: no map of a build; `strapline firmware build` writes one beside the .mpy") from None
    return dict(names)


def explain(text: str, names: Mapping[str, Any]) -> str:
    """A traceback with our names in the place of the bundle's; `names` is what a map file holds.

    Where a short name can be several functions, those that fit the frames before and after it are told.
    """
    functions = [Function(*function) for function in names["functions"]]
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if (found := _FRAME.match(line)) and names["module"] in found["file"]]
    shorts = [str(_FRAME.match(lines[i])["name"]) for i in at]  # type: ignore[index]
    for i, places in zip(at, _chain(shorts, functions), strict=True):
        frame = _FRAME.match(lines[i])
        if places and frame:
            lines[i] = "    in " + " or ".join(places)
    return "".join(f"{line}\n" for line in lines)


def _chain(shorts: Sequence[str], functions: Sequence[Function]) -> list[list[str]]:
    found = [[one for one in functions if one.short == short] for short in shorts]
    for i in range(1, len(found)):
        found[i] = [one for one in found[i] if any(_calls(by, one) for by in found[i - 1])] or found[i]
    for i in range(len(found) - 2, -1, -1):
        found[i] = [one for one in found[i] if any(_calls(one, to) for to in found[i + 1])] or found[i]
    return [[one.place for one in candidates] for candidates in found]


def _calls(caller: Function, other: Function) -> bool:
    return other.called in caller.mentions
