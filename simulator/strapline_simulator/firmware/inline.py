"""Calls of functions that only pass their arguments on, replaced by what they pass them to.

`first = reader(">L")` makes a function that calls `unpack_from(">L", data, at)`: an object and a call that a board can do without.
"""

import ast
from copy import deepcopy
from typing import NamedTuple

from strapline_simulator.firmware.program import Program
from strapline_simulator.firmware.walk import walk

_Arguments = dict[str, ast.expr]


class _Maker(NamedTuple):
    """A function that returns `lambda …: target(…)`, perhaps with one value worked out before."""

    arguments: list[str]
    held: ast.Assign | None
    made: ast.Lambda


class _Passing(NamedTuple):
    """What a made function's calls become; where `value` is given, the global stands for that from now on."""

    arguments: _Arguments
    made: ast.Lambda
    value: ast.expr | None


def inline_passing(program: Program) -> None:
    """Put the calls in place wherever a made function is called and nothing else is done with it."""
    makers = {
        node.name: maker
        for _, node in program.statements
        if isinstance(node, ast.FunctionDef) and (maker := _maker(node))
    }
    passing = {name: found for name, value in program.constant_bindings() if (found := _passing(value, makers))}
    calls = [node for node in walk(program.tree) if isinstance(node, ast.Call)]
    plain = {
        id(call.func) for call in calls if isinstance(call.func, ast.Name) and _fits(call, passing.get(call.func.id))
    }
    for node in walk(program.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in plain:
            passing.pop(node.id, None)
    _Inliner(passing).visit(program.tree)
    for _, node in program.statements:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in passing:
            value = passing[node.targets[0].id].value
            node.value = node.value if value is None else value


def _maker(node: ast.FunctionDef) -> _Maker | None:
    args = node.args
    if node.decorator_list or args.defaults or args.vararg or args.kwonlyargs or args.posonlyargs or len(node.body) > 2:
        return None
    *before, last = node.body
    held = before[0] if before and isinstance(before[0], ast.Assign) else None
    if (before and held is None) or not (isinstance(last, ast.Return) and isinstance(last.value, ast.Lambda)):
        return None
    maker = _Maker([arg.arg for arg in args.args], held, last.value)
    return maker if _passes_on(maker) else None


def _passes_on(maker: _Maker) -> bool:
    """Whether each argument goes on once, in order, and everything else is the maker's."""
    made, call = maker.made, maker.made.body
    if not isinstance(call, ast.Call) or call.keywords or not isinstance(call.func, ast.Name) or made.args.kwonlyargs:
        return False
    if any(not isinstance(default, ast.Constant) for default in made.args.defaults):
        return False
    held = maker.held.targets[0] if maker.held else None
    if maker.held and not (isinstance(held, ast.Name) and held.id == call.func.id):
        return False
    if held is None and call.func.id.startswith("%"):
        return False
    vararg = made.args.vararg.arg if made.args.vararg else None
    passed = []
    for value in call.args:
        inner = value.value if isinstance(value, ast.Starred) else value
        if not isinstance(inner, ast.Name):
            return False
        if inner.id == vararg and not isinstance(value, ast.Starred):
            return False
        if inner.id not in maker.arguments:
            passed.append(inner.id)
        elif isinstance(value, ast.Starred):
            return False
    return passed == [arg.arg for arg in made.args.args] + ([vararg] if vararg else [])


def _passing(value: ast.expr, makers: dict[str, _Maker]) -> _Passing | None:
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in makers):
        return None
    maker = makers[value.func.id]
    if value.keywords or len(value.args) != len(maker.arguments) or not all(_is_fixed(one) for one in value.args):
        return None
    arguments = dict(zip(maker.arguments, value.args, strict=True))
    held = None if maker.held is None else _Filler(arguments).visit(deepcopy(maker.held.value))
    return _Passing(arguments, maker.made, held)


def _is_fixed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Tuple) and all(_is_fixed(one) for one in node.elts))


def _fits(call: ast.Call, passing: _Passing | None) -> bool:
    if passing is None or call.keywords or any(isinstance(arg, ast.Starred) for arg in call.args):
        return False
    args = passing.made.args
    least = len(args.args) - len(args.defaults)
    return least <= len(call.args) and (args.vararg is not None or len(call.args) <= len(args.args))


class _Inliner(ast.NodeTransformer):
    def __init__(self, passing: dict[str, _Passing]) -> None:
        self._passing = passing

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id in self._passing):
            return node
        passing = self._passing[node.func.id]
        args, call = passing.made.args, deepcopy(passing.made.body)
        assert isinstance(call, ast.Call)
        named = [arg.arg for arg in args.args]
        given = dict(zip(named, node.args, strict=False))
        given |= {
            name: default
            for name, default in zip(named[len(named) - len(args.defaults) :], args.defaults, strict=True)
            if name not in given
        }
        func = node.func if passing.value is not None else call.func
        placed: list[ast.expr] = []
        for value in call.args:
            inner = value.value if isinstance(value, ast.Starred) else value
            assert isinstance(inner, ast.Name)
            if args.vararg is not None and inner.id == args.vararg.arg:
                placed += node.args[len(named) :]
            else:
                filled = given.get(inner.id) or deepcopy(passing.arguments[inner.id])
                placed.append(ast.Starred(filled, ast.Load()) if isinstance(value, ast.Starred) else filled)
        return ast.copy_location(ast.Call(func, placed, []), node)


class _Filler(ast.NodeTransformer):
    def __init__(self, arguments: _Arguments) -> None:
        self._arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return deepcopy(self._arguments[node.id]) if node.id in self._arguments else node
