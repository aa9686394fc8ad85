"""Constants written in where they are named, and what follows from them worked out: sums, conditions, branches never taken."""

import ast
import operator
from collections.abc import Callable, Mapping

from strapline_simulator.firmware.program import Program

_CONST = "!micropython:const"
_LARGEST_SHIFT = 512
_ARITHMETIC: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_COMPARISONS: dict[type, Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.LtE: operator.le,  # type: ignore[dict-item]
    ast.Gt: operator.gt,  # type: ignore[dict-item]
    ast.GtE: operator.ge,  # type: ignore[dict-item]
}


def fold_constants(program: Program) -> None:
    """Write constants and second names in, and fold what they decide."""
    values = dict(_lasting(program))
    folder = _Folder(values)
    program.statements = [
        statement._replace(node=node)
        for statement in program.statements
        for node in _as_list(folder.visit(statement.node))
    ]


def _lasting(program: Program) -> "dict[str, ast.expr]":
    found: dict[str, ast.expr] = {}
    count = program.bindings()
    for name, value in program.constant_bindings():
        plain = _Folder({}).visit(value)
        is_alias = isinstance(plain, ast.Name) and plain.id not in program.rebound and count[plain.id] <= 1
        if is_alias or _is_constant(plain):
            found[name] = plain
    for name, value in found.items():  # an alias of an alias
        last = value
        while isinstance(last, ast.Name) and last.id in found:
            last = found[last.id]
        found[name] = last
    return found


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) or _integer(node) is not None


def _integer(node: ast.AST) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _integer(node.operand)
        return None if inner is None else -inner
    return None


def _number(value: int, at: ast.AST) -> ast.expr:
    """A negative one as `-5`, which is two nodes: a printed -5 would bind too weakly."""
    plain = ast.Constant(abs(value))
    return ast.copy_location(plain if value >= 0 else ast.UnaryOp(ast.USub(), plain), at)


def _as_list(node: "ast.AST | list[ast.stmt] | None") -> "list[ast.stmt]":
    if node is None:
        return []
    return node if isinstance(node, list) else [node]  # type: ignore[list-item]


class _Folder(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values
        self._in_text = 0

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id) if isinstance(node.ctx, ast.Load) else None
        if value is None or (self._in_text and isinstance(value, ast.Constant) and type(value.value) is not int):
            return node
        if isinstance(value, ast.Name):
            return ast.copy_location(ast.Name(value.id, ast.Load()), node)
        number = _integer(value)
        if number is not None:
            return _number(number, node)
        assert isinstance(value, ast.Constant)
        return ast.copy_location(ast.Constant(value.value), node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self._in_text += 1
        self.generic_visit(node)
        self._in_text -= 1
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == _CONST:
            return node.args[0]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right = _integer(node.left), _integer(node.right)
        work = _ARITHMETIC.get(type(node.op))
        if left is None or right is None or work is None:
            return node
        if isinstance(node.op, ast.LShift | ast.RShift) and not 0 <= right <= _LARGEST_SHIFT:
            return node
        if isinstance(node.op, ast.FloorDiv | ast.Mod) and right == 0:
            return node
        return _number(work(left, right), node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and _is_constant(node.operand):
            return ast.copy_location(ast.Constant(not _truth(node.operand)), node)
        number = _integer(node.operand)
        if number is not None and isinstance(node.op, ast.Invert):
            return _number(~number, node)
        return _number(-number, node) if number is not None and isinstance(node.op, ast.USub) else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        values = [_integer(value) for value in (node.left, *node.comparators)]
        compare = [_COMPARISONS.get(type(op)) for op in node.ops]
        if None in values or None in compare:
            return node
        holds = all(test(values[i], values[i + 1]) for i, test in enumerate(compare) if test is not None)
        return ast.copy_location(ast.Constant(holds), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)  # what ends the evaluation
        kept: list[ast.expr] = []
        for i, value in enumerate(node.values):
            if _is_constant(value) and _truth(value) is not decides and i < len(node.values) - 1:
                continue
            kept.append(value)
            if _is_constant(value) and _truth(value) is decides:
                break
        node.values = kept
        return node if len(kept) > 1 else kept[0]

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if _is_constant(node.test):
            return node.body if _truth(node.test) else node.orelse
        return node

    def visit_If(self, node: ast.If) -> "ast.AST | list[ast.stmt]":
        self.generic_visit(node)
        if _is_constant(node.test):
            return (node.body if _truth(node.test) else node.orelse) or [ast.Pass()]
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.cause, ast.Constant | ast.Name):
            node.cause = None  # MicroPython keeps none
        return node


def _truth(node: ast.AST) -> bool:
    return bool(node.value) if isinstance(node, ast.Constant) else bool(_integer(node))
