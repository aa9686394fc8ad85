"""What a program uses of the sources, module by module, for a build that can be debugged. It changes no line that runs.

A board pays for every name that a module keeps, so constants are written into the lines that use them, and of the generated codec only
what is called stays. Lines keep their numbers: a traceback on the board points into the sources.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property

from strapline_simulator.firmware.sources import BENCH, HOST_ONLY, firmware_sources
from strapline_simulator.firmware.walk import walk

_GENERATED = ("strapline_wire.frames", "strapline_wire.documents")


def board_sources(root: str = BENCH, texts: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the program `root` needs of the sources, with its constants written in, by module."""
    modules = {name: _Module(name, text) for name, text in (texts or firmware_sources()).items()}
    used = _reachable(modules, root)
    for module in used.values():
        module.write_in_constants(used)
    for name, module in used.items():
        asked = {attribute for other in used.values() for attribute in other.asks_of(name)}
        module.drop_unused(asked, only_constants=name not in _GENERATED)
    return {name: module.text for name, module in used.items()}


def _reachable(modules: dict[str, "_Module"], root: str) -> dict[str, "_Module"]:
    found: dict[str, _Module] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found and name not in HOST_ONLY:
            found[name] = modules[name]
            waiting += [name.rpartition(".")[0], *modules[name].imports(modules)]
    return found


class _Module:
    """One source text and what it says of names."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._take(text)

    def _take(self, text: str) -> None:
        self.text = text
        self._tree = ast.parse(text)
        for read in ("constants", "_aliases"):  # from the text that was here before
            self.__dict__.pop(read, None)

    def imports(self, modules: dict[str, "_Module"]) -> Iterator[str]:
        """The modules that it imports, wherever in the text."""
        for node in walk(self._tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (
                    f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in modules
                )
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)

    @cached_property
    def constants(self) -> dict[str, int]:
        """The integers that it declares with `const`."""
        found: dict[str, int] = {}
        for node in self._tree.body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and isinstance(node.targets[0], ast.Name)
            ):
                called = node.value.func
                if isinstance(called, ast.Name) and called.id == "const":
                    found[node.targets[0].id] = int(ast.literal_eval(node.value.args[0]))
        return found

    @cached_property
    def _aliases(self) -> dict[str, str]:
        """The modules that go by a name here."""
        found: dict[str, str] = {}
        for node in walk(self._tree):
            if isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def asks_of(self, other: str) -> Iterator[str]:
        """The names of another module that this one uses."""
        aliases = self._aliases
        for node in walk(self._tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and aliases.get(node.value.id) == other
            ):
                yield node.attr
            elif isinstance(node, ast.ImportFrom) and node.module == other:
                yield from (alias.name for alias in node.names)

    def write_in_constants(self, modules: dict[str, "_Module"]) -> None:
        """Put numbers where constants are named: those of other modules, and its own."""
        aliases, own = self._aliases, self.constants
        edits: list[tuple[int, int, int | None, str]] = []
        for node in walk(self._tree):
            value = None
            if not isinstance(node, ast.Attribute | ast.Name):
                continue
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
                owner = modules.get(aliases.get(node.value.id, ""))
                value = owner.constants.get(node.attr) if owner else None
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                value = own.get(node.id)
            if value is not None:
                edits.append(
                    (node.lineno, node.col_offset, node.end_col_offset, f"({value})" if value < 0 else str(value))
                )
        lines = [line.encode() for line in self.text.split("\n")]
        for at, start, end, written in sorted(edits, reverse=True):
            lines[at - 1] = lines[at - 1][:start] + written.encode() + lines[at - 1][end:]
        self._take(b"\n".join(lines).decode())

    def drop_unused(self, asked: set[str], *, only_constants: bool) -> None:
        """Blank what nobody asks for: constants, and of generated modules everything."""
        definitions = {name: node for node in self._tree.body for name in _defines(node)}
        droppable = set(self.constants) if only_constants else set(definitions)
        kept = (asked & set(definitions)) | (set(definitions) - droppable)
        waiting = [node for node in self._tree.body if not _defines(node)] + [definitions[name] for name in kept]
        while waiting:
            for node in walk(waiting.pop()):
                if isinstance(node, ast.Name) and node.id in definitions and node.id not in kept:
                    kept.add(node.id)
                    waiting.append(definitions[node.id])
        lines = self.text.split("\n")
        for name in set(definitions) - kept:
            node = definitions[name]
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
        self._take("\n".join(lines))


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return [node.targets[0].id]
    return []
