"""What can be left out where nobody wants its value: expressions that do nothing else."""

import ast

from strapline_simulator.firmware.program import Program
from strapline_simulator.firmware.walk import walk

_PURE_CALLS = frozenset(
    {"bytes", "bytearray", "tuple", "list", "dict", "set", "frozenset", "memoryview", "range", "len", "min", "max"}
    | {"int", "str", "bool", "abs", "sum", "!collections:namedtuple", "!struct:calcsize", "!micropython:const"}
)
_PLAIN = (
    ast.Constant | ast.Name | ast.Attribute | ast.Tuple | ast.List | ast.Dict | ast.Set | ast.UnaryOp | ast.BinOp
    | ast.BoolOp | ast.Compare | ast.IfExp | ast.JoinedStr | ast.FormattedValue | ast.Subscript | ast.Slice | ast.Starred
)  # fmt: skip


class Purity:
    """Knows which of our functions only make a value."""

    def __init__(self, program: Program) -> None:
        self.properties = {
            node.name.removeprefix(".")
            for node in walk(program.tree)
            if isinstance(node, ast.FunctionDef) and node.name.startswith(".") and node.decorator_list
        }
        self._pure = set(_PURE_CALLS)
        for _, node in program.statements:
            if isinstance(node, ast.FunctionDef) and not node.decorator_list and self._makes_a_value(node):
                self._pure.add(node.name)

    def _makes_a_value(self, node: ast.FunctionDef) -> bool:
        return all(
            isinstance(line, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Pass)
            or (isinstance(line, ast.Return) and self.is_pure(line.value))
            or (isinstance(line, ast.Assign) and self.is_pure(line.value) and self._are_locals(line.targets))
            for line in node.body
        )

    def _are_locals(self, targets: "list[ast.expr]") -> bool:
        return all(isinstance(target, ast.Name) and target.id.startswith("%") for target in targets)

    def is_pure(self, node: ast.AST | None) -> bool:
        """Whether a value that nobody wants need not be worked out. That it might fail is no reason."""
        if node is None or isinstance(node, ast.Lambda):
            return True
        if isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in self._pure
            return known and all(self.is_pure(value) for value in (*node.args, *(one.value for one in node.keywords)))
        if isinstance(node, ast.Attribute) and node.attr in self.properties:
            return False
        if isinstance(node, _PLAIN):
            return all(self.is_pure(inner) for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.expr))
        return False

    def is_droppable(self, node: ast.stmt) -> bool:
        """Whether a statement at a module's top only binds names."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            return all(self.is_pure(value) for value in (*node.decorator_list, *defaults))
        if isinstance(node, ast.ClassDef):
            return all(self.is_pure(value) for value in (*node.decorator_list, *node.bases))
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
            return True
        if isinstance(node, ast.Assign):
            return self.is_pure(node.value) and all(isinstance(target, ast.Name) for target in node.targets)
        if isinstance(node, ast.Try):
            parts = [*node.body, *node.orelse, *node.finalbody]
            parts += [line for handler in node.handlers for line in handler.body]
            return all(self.is_droppable(part) for part in parts)
        if isinstance(node, ast.If):
            return self.is_pure(node.test) and all(self.is_droppable(part) for part in (*node.body, *node.orelse))
        return False


def is_fresh(node: ast.AST) -> bool:
    """Whether a value is nobody else's and holds nothing: an attribute that nobody reads may keep a timer or a file alive."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    return isinstance(node, ast.UnaryOp) and is_fresh(node.operand)
