"""Which statement a place in a source belongs to, which statements a run has executed, and where a constant is used."""

import ast
from collections.abc import Iterator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
HITS = "__hits__"
"""A bytearray in the module, by line: 1 where the statement that begins there was executed."""


def probed(source: str, filename: str) -> ast.Module:
    """The module with a mark before each statement of each function."""
    tree = ast.parse(source, filename)
    _Probes().visit(tree)
    return ast.fix_missing_locations(tree)


class _Probes(ast.NodeTransformer):
    def __init__(self) -> None:
        self._depth = 0

    def generic_visit(self, node: ast.AST) -> ast.AST:
        self._depth += isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        super().generic_visit(node)
        if self._depth:
            for block in ("body", "orelse", "finalbody"):
                statements = getattr(node, block, None)
                if isinstance(statements, list):
                    setattr(node, block, [both for one in statements for both in (*_mark(one), one)])
        self._depth -= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return node


def _mark(statement: ast.stmt) -> list[ast.stmt]:
    return ast.parse(f"{HITS}[{statement.lineno}] = 1").body


class Places:
    """The statements of one source."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._inside: list[tuple[ast.stmt, ast.AST | None]] = []
        self._note(self._tree, None)
        self._types = list(_annotations(self._tree))

    def _note(self, node: ast.AST, function: ast.AST | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                self._inside.append((child, function))
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            self._note(child, child if inner else function)

    def statement(self, line: int) -> ast.stmt:
        """The innermost one that has something on this line."""
        around = [one for one, _ in self._inside if one.lineno <= line <= (one.end_lineno or one.lineno)]
        return max(around, key=lambda one: (one.lineno, -(one.end_lineno or 0)))

    def is_run(self, statement: ast.stmt) -> bool:
        """Whether it is executed by runs, and not once for all when the module is imported."""
        return any(one is statement and function is not None for one, function in self._inside)

    def is_type(self, line: int, column: int) -> bool:
        """Whether the place is in an annotation: what is there does nothing."""
        return any(first <= (line, column) < last for first, last in self._types)

    def lines_with(self, name: str) -> list[ast.stmt]:
        """The statements that mention it: as a name, an attribute or an argument."""
        return [one for one, _ in self._inside if name in _words(one)]


def names_of(statement: ast.stmt) -> list[str]:
    """What an assignment or a definition outside of functions gives a name to."""
    if isinstance(statement, _DEFINITIONS):
        return [statement.name]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """Its nodes without those of statements in it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def _words(statement: ast.stmt) -> set[str]:
    found = set()
    for node in _own(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
    return found


def _annotations(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            kind = getattr(node, field, None)
            if isinstance(kind, ast.expr):
                yield (kind.lineno, kind.col_offset), (kind.end_lineno or 0, kind.end_col_offset or 0)
