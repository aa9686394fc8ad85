"""The functions that are named most come first: a file names things by their place in a table, and the first 128 places take one byte."""

import ast
from collections import Counter

from strapline_simulator.firmware.program import Program, Statement
from strapline_simulator.firmware.walk import walk


def often_named_first(program: Program) -> None:
    """Functions before everything else: making one reads nothing, so nobody can tell."""
    count = program.bindings()
    named = Counter(
        node.id.rpartition(":")[2] if isinstance(node, ast.Name) else node.attr
        for node in walk(program.tree)
        if isinstance(node, ast.Name | ast.Attribute)
    )
    moved = [one for one in program.statements if _is_plain(one) and count[one.node.name] == 1]  # type: ignore[attr-defined]
    ids = {id(one.node) for one in moved}
    rest = [one for one in program.statements if id(one.node) not in ids]
    moved.sort(key=lambda one: -named[one.node.name.rpartition(":")[2]])  # type: ignore[attr-defined]
    program.statements = moved + rest


def _is_plain(statement: Statement) -> bool:
    node = statement.node
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    return all(
        isinstance(default, ast.Constant) for default in (*node.args.defaults, *filter(None, node.args.kw_defaults))
    )
