"""Leaves out what the program never comes to: functions, classes, methods, constants, and what is stored and never read."""

import ast
from collections.abc import Iterator

from strapline_simulator.firmware.names import AskedByName, is_dunder
from strapline_simulator.firmware.program import Program, bound, loaded
from strapline_simulator.firmware.purity import Purity, is_fresh
from strapline_simulator.firmware.walk import walk


class _Unit:
    """Something that stays or goes as a whole: a statement of the top level, or of a class body."""

    def __init__(self, node: ast.stmt, provides: set[str], owner: str | None, *, always: bool) -> None:
        self.node = node
        self.provides = provides
        self.owner = owner
        """The class that it belongs to."""
        self.always = always
        shell = [*node.decorator_list, *node.bases] if isinstance(node, ast.ClassDef) else [node]
        self.names = {name for part in shell for name in loaded(part)}
        self.attributes = {name for part in shell for name in (*_read_attributes(part), *_added_to(part))}


def drop_unreached(program: Program, foreign: frozenset[str], asked: AskedByName) -> None:
    """Keep what the statements that do something come to, by name."""
    purity = Purity(program)
    waiting = list(_units(program, purity, foreign))
    names = set(program.kept)
    attributes = set(asked.kept) | {word for table in asked.tables.values() for word in table}
    kept: set[int] = set()
    grew = True
    while grew:
        grew = False
        rest = []
        for unit in waiting:
            known = names if unit.owner is None else attributes
            belongs = unit.owner is None or unit.owner in names
            if belongs and (unit.always or unit.provides & known):
                kept.add(id(unit.node))
                names |= unit.names | (unit.provides if unit.owner is None else set())
                attributes |= unit.attributes
                grew = True
            else:
                rest.append(unit)
        waiting = rest
    program.statements = [statement for statement in program.statements if id(statement.node) in kept]
    for _, node in program.statements:
        if isinstance(node, ast.ClassDef):
            node.body = [part for part in node.body if id(part) in kept] or [ast.Pass()]


def _units(program: Program, purity: Purity, foreign: frozenset[str]) -> Iterator[_Unit]:
    for _, node in program.statements:
        yield _Unit(node, set(bound(node)), None, always=not purity.is_droppable(node))
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                provides = {name.removeprefix(".") for name in _class_bindings(part)}
                stays = not provides or not purity.is_droppable(part)
                # What is called from outside by a name of its own: __init__, a block device's readblocks.
                stays = stays or any(is_dunder(name) or name in foreign for name in provides)
                yield _Unit(part, provides, node.name, always=stays and not isinstance(part, ast.Pass))


def _class_bindings(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif not isinstance(node, ast.ClassDef):
        for inner in walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and inner.id.startswith("."):
                yield inner.id


def _read_attributes(node: ast.AST) -> Iterator[str]:
    for inner in walk(node):
        if isinstance(inner, ast.Attribute) and not isinstance(inner.ctx, ast.Store):
            yield inner.attr
        elif isinstance(inner, ast.Name) and inner.id.startswith(".") and isinstance(inner.ctx, ast.Load):
            yield inner.id.removeprefix(".")


def _added_to(node: ast.AST) -> Iterator[str]:
    """The attributes that `+=` and its kin need to be there."""
    for inner in walk(node):
        if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Attribute):
            yield inner.target.attr
        elif isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
            yield inner.target.id.removeprefix(".")


def _kept_sums(node: ast.AST) -> Iterator[str]:
    """Those of them where the sum cannot be left out, so that what it begins with must stay as well."""
    for inner in walk(node):
        if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Attribute) and not is_fresh(inner.value):
            yield inner.target.attr


def drop_unread(program: Program, foreign: frozenset[str], asked: AskedByName) -> None:
    """Leave out what is stored in attributes that nobody reads."""
    read = {name for _, node in program.statements for name in (*_read_attributes(node), *_kept_sums(node))}
    read |= asked.kept | {word for table in asked.tables.values() for word in table} | foreign
    purity = Purity(program)
    dropper = _Dropper(read | purity.properties, purity)
    program.statements = [statement._replace(node=dropper.visit(statement.node)) for statement in program.statements]


class _Dropper(ast.NodeTransformer):
    def __init__(self, read: set[str], purity: Purity) -> None:
        self._read = read
        self._purity = purity

    def _unread(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and node.attr not in self._read
            and not is_dunder(node.attr)
            and self._purity.is_pure(node.value)
        )

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | None:
        if is_fresh(node.value):
            node.targets = [target for target in node.targets if not self._unread(target)]
        return node if node.targets else None

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | None:
        return None if is_fresh(node.value) and self._unread(node.target) else node

    def visit_If(self, node: ast.If) -> ast.stmt | None:
        self.generic_visit(node)
        node.orelse = [line for line in node.orelse if not isinstance(line, ast.Pass)]
        if _is_empty(node.body) and node.orelse:
            node.test, node.body, node.orelse = _negated(node.test), node.orelse, []
        if not _is_empty(node.body) or node.orelse:
            return node
        return None if self._purity.is_pure(node.test) else ast.copy_location(ast.Expr(node.test), node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _is_empty(body: list[ast.stmt]) -> bool:
    return all(isinstance(line, ast.Pass) for line in body)


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)
