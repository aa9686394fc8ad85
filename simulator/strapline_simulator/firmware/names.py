"""Which attribute names are somebody else's, and which of ours are asked for by a text."""

import ast
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import NamedTuple, NoReturn, TypeGuard

from strapline_simulator.firmware.program import Program, Statement
from strapline_simulator.firmware.sources import BuildError
from strapline_simulator.firmware.walk import walk

_BY_NAME = frozenset({"getattr", "setattr", "hasattr", "delattr"})
_RECORD = "strapline_wire.compat:record"
_RECORDS = frozenset({"!collections:namedtuple", _RECORD})


def foreign_names() -> frozenset[str]:
    """The attributes of builtin types and of MicroPython's modules."""
    text = (files("strapline_simulator.firmware") / "foreign_names.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def offered_names(texts: Mapping[str, str]) -> frozenset[str]:
    """The public attributes of the classes that a module lists in `__all__`: other programs on the board use them by their names."""
    found: set[str] = set()
    for tree in [ast.parse(text) for text in texts.values() if "__all__" in text]:
        listed = _listed(tree)
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module in texts]
        others = [node.module or "" for node in imports if listed & {one.name for one in node.names}]
        for place in (tree, *(ast.parse(texts[module]) for module in others)):
            for node in place.body:
                if isinstance(node, ast.ClassDef) and node.name in listed:
                    found |= {name for name in defined_attributes(node) if not name.startswith("_")}
    return frozenset(found)


def _listed(tree: ast.Module) -> set[str]:
    """What a module's `__all__` lists."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class AskedByName(NamedTuple):
    """The attribute names that texts hold."""

    kept: frozenset[str]
    """They stay as they are: the text may come from outside."""
    tables: dict[str, tuple[str, ...]]
    """Tables of names that nothing else reads, by global: the text can change along with the attribute."""


def asked_by_name(program: Program) -> AskedByName:
    """What getattr and its kin ask for; refused where nobody can know."""
    classes = class_bodies(program)
    tables = _tables(program)
    kept: set[str] = set()
    asked: set[str] = set()
    for statement in program.statements:
        calls = list(_calls(statement))
        named = [node for node in walk(statement.node) if isinstance(node, ast.Name) and node.id in _BY_NAME]
        if len(named) > len(calls):
            _refuse(statement, named[0], f"{named[0].id} is handed on: nobody knows what it will ask for")
        if getattr(statement.node, "name", "") != _RECORD:  # that one hands fields on
            for made in filter(_makes_a_record, walk(statement.node)):
                texts = getattr(made.args[1], "elts", [None])
                if not all(isinstance(text, ast.Constant) and isinstance(text.value, str) for text in texts):
                    _refuse(statement, made, "a record's fields are a tuple of texts")
        for owner, call in calls:
            asked |= _ask(statement, owner, call, classes, tables, kept)
    others = _read_otherwise(program, asked)
    for name in asked & others:
        kept |= set(tables[name])
    return AskedByName(frozenset(kept), {name: tables[name] for name in asked - others})


def class_bodies(program: Program) -> dict[str, ast.ClassDef]:
    return {
        statement.node.name: statement.node
        for statement in program.statements
        if isinstance(statement.node, ast.ClassDef)
    }


def record_fields(node: ast.AST) -> list[ast.Constant]:
    """The field names in a call that makes a record; none where it makes something else."""
    if not _makes_a_record(node) or not isinstance(node.args[1], ast.Tuple | ast.List):
        return []
    return [field for field in node.args[1].elts if isinstance(field, ast.Constant)]


def fields_by_keyword(program: Program) -> set[str]:
    """The fields that some call names: whether it makes a record or calls a function, nobody knows."""
    nodes = list(walk(program.tree))
    fields = {str(field.value) for node in nodes for field in record_fields(node)}
    return fields & {one.arg for node in nodes if isinstance(node, ast.Call) for one in node.keywords if one.arg}


def _makes_a_record(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RECORDS


def defined_attributes(body: ast.ClassDef) -> set[str]:
    """What a class gives its objects: names of its body, and what its methods assign to self."""
    found = {name.removeprefix(".") for name in _class_names(body)}
    for method in body.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and method.args.args:
            own = method.args.args[0].arg
            found |= {
                node.attr
                for node in walk(method)
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == own
            }
    return found


def _class_names(body: ast.ClassDef) -> Iterable[str]:
    for part in body.body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            yield part.name
            continue
        for node in walk(part):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not node.id.startswith("%"):
                yield node.id


def _calls(statement: Statement) -> Iterable[tuple[ast.ClassDef | None, ast.Call]]:
    owner = statement.node if isinstance(statement.node, ast.ClassDef) else None
    for node in walk(statement.node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BY_NAME:
            yield owner, node


def _ask(
    statement: Statement,
    owner: ast.ClassDef | None,
    call: ast.Call,
    classes: dict[str, ast.ClassDef],
    tables: dict[str, tuple[str, ...]],
    kept: set[str],
) -> set[str]:
    """The table that a call takes its name from; other names that it can ask for join `kept`."""
    of, name = call.args[0], call.args[1]
    if isinstance(name, ast.Constant):
        kept.add(str(name.value))
        return set()
    if isinstance(name, ast.Subscript) and isinstance(name.value, ast.Name) and name.value.id in tables:
        return {name.value.id}
    if isinstance(of, ast.Name):
        body = classes.get(of.id)
        if body is None and owner is not None and of.id in _selves(owner):
            body = owner
        if body is not None and not body.bases:
            kept |= defined_attributes(body)
            return set()
    why = "a computed attribute name: take it from a table of texts at a module's top, or ask self or a class of ours"
    return _refuse(statement, call, why)


def _refuse(statement: Statement, node: ast.expr, why: str) -> NoReturn:
    raise BuildError(f"{statement.module.replace('.', '/')}.py:{node.lineno}: {why}")


def _selves(owner: ast.ClassDef) -> set[str]:
    methods = [node for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {method.args.args[0].arg for method in methods if method.args.args}


def _tables(program: Program) -> dict[str, tuple[str, ...]]:
    """The globals that are tuples or dictionaries of texts for ever."""
    found = {}
    for name, value in program.constant_bindings():
        texts = table_texts(value)
        words = tuple(text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))
        if words and len(words) == len(texts):
            found[name] = words
    return found


def table_texts(value: ast.AST) -> list[ast.expr]:
    """What a tuple holds, or a dictionary as values."""
    if isinstance(value, ast.Dict):
        return value.values
    return value.elts if isinstance(value, ast.Tuple) else []


def _read_otherwise(program: Program, names: set[str]) -> set[str]:
    """Those of some tables that are read by anything but a call for an attribute."""
    inside = {
        id(call.args[1].value)
        for statement in program.statements
        for _, call in _calls(statement)
        if isinstance(call.args[1], ast.Subscript)
    }
    return {
        node.id
        for node in walk(program.tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names and id(node) not in inside
    }
