"""A whole program as one list of statements, each with the module that it came from."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from strapline_simulator.firmware.resolve import Exports, Resolver
from strapline_simulator.firmware.sources import BuildError, read_program
from strapline_simulator.firmware.walk import walk


class Statement(NamedTuple):
    """One statement of a module's top level, its names resolved."""

    module: str
    node: ast.stmt


class Program:
    """All statements in the order in which they run."""

    def __init__(self, statements: list[Statement], rebound: set[str], kept: Mapping[str, str]) -> None:
        self.statements = statements
        self.rebound = rebound
        """Globals that a function assigns to."""
        self.kept = dict(kept)
        """Globals that keep a name, because somebody outside asks for it."""

    @property
    def tree(self) -> ast.Module:
        return ast.Module([statement.node for statement in self.statements], [])

    def bindings(self) -> Counter[str]:
        """How many statements bind each global."""
        return Counter(name for statement in self.statements for name in bound(statement.node))

    def constant_bindings(self) -> Iterator[tuple[str, ast.expr]]:
        """The globals that stand for one value for ever, with the expression that gives it."""
        count = self.bindings()
        for _, node in self.statements:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if count[name] == 1 and name not in self.rebound and name not in self.kept:
                    yield name, node.value


def load_program(texts: Mapping[str, str], root: str) -> Program:
    """The program `root`, resolved; what it lists in `__all__` keeps its name."""
    statements: list[Statement] = []
    exports: Exports = {}
    rebound: set[str] = set()
    scopes = 0
    for source in read_program(texts, root):
        resolver = Resolver(source, texts, exports, scopes)
        statements += [Statement(source.name, node) for node in resolver.resolve()]
        scopes = resolver.scopes
        rebound |= {f"{source.name}:{name}" for name in resolver.rebound}
    kept = {}
    for name in _listed(statements, f"{root}:__all__"):
        if name not in exports[root]:
            raise BuildError(f"{root} lists {name} in __all__ and has no such name")
        kept[exports[root][name]] = name
    return Program(statements, rebound, kept)


def _listed(statements: Iterable[Statement], name: str) -> list[str]:
    for _, node in statements:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return [str(listed) for listed in ast.literal_eval(node.value)]
    return []


def bound(node: ast.AST) -> Iterator[str]:
    """The globals that a statement binds, functions inside it included."""
    for inner in walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store | ast.Del) and is_global(inner.id):
            yield inner.id
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and is_global(inner.name):
            yield inner.name
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            yield from (alias.asname for alias in inner.names if alias.asname and is_global(alias.asname))
        elif isinstance(inner, ast.ExceptHandler) and inner.name is not None and is_global(inner.name):
            yield inner.name


def loaded(node: ast.AST) -> Iterator[str]:
    """The names that anything under a node needs to be there: read, added to, deleted."""
    for inner in walk(node):
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
            yield inner.target.id


def is_global(name: str) -> bool:
    return ":" in name or name.startswith("!")
