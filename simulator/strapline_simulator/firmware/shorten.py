"""Short names for all that is ours. What a name means decides which others it must differ from, and no more than that.

Globals differ from one another; attributes from the others that an object of their class may have; locals from what their function
names. So a letter serves many, and each costs its place in the table once.
"""

import ast
import keyword
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import count, product
from string import ascii_letters
from typing import NamedTuple

from strapline_simulator.firmware.names import (
    AskedByName,
    defined_attributes,
    fields_by_keyword,
    is_dunder,
    record_fields,
    table_texts,
)
from strapline_simulator.firmware.program import Program, bound, is_global
from strapline_simulator.firmware.sources import BuildError
from strapline_simulator.firmware.walk import walk

_EVERYONE = "*"
"""The owner of an attribute that any object may have."""


class NameMap(NamedTuple):
    """What became of the names; locals are not in it, since a board does not keep theirs."""

    names: dict[str, str]
    """Global -> short name."""
    attributes: dict[str, str]
    """Attribute -> short name."""


def shorten(program: Program, foreign: frozenset[str], asked: AskedByName) -> NameMap:
    """Rename everything in place."""
    arguments = _Arguments(program, foreign)
    attributes = _Attributes(program, foreign, asked)
    fixed = arguments.kept | _builtins(program)
    pool = _Pool(foreign | attributes.kept | fixed | set(program.kept.values()))
    names = _name_globals(program, pool, fixed)
    shorts = attributes.assign(pool, names)
    arguments.assign(pool, set(names.values()))
    _rename(program, names, shorts, arguments.shorts, asked, pool)
    return NameMap(names, {name: short for name, short in shorts.items() if name != short})


class _Pool:
    """Names in the order of their length, without those that mean something already."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = frozenset(taken) | set(keyword.kwlist) | set(keyword.softkwlist)
        self._made: list[str] = []
        self._source = ("".join(letters) for length in count(1) for letters in product(ascii_letters, repeat=length))

    def __iter__(self) -> Iterator[str]:
        for i in count():
            if i == len(self._made):
                self._made.append(next(name for name in self._source if name not in self._taken))
            yield self._made[i]

    def first(self, taken: "set[str] | frozenset[str]") -> str:
        return next(name for name in self if name not in taken)


def _builtins(program: Program) -> set[str]:
    return {
        node.id
        for node in walk(program.tree)
        if isinstance(node, ast.Name) and not (is_global(node.id) or node.id[0] in "%.")
    }


def _name_globals(program: Program, pool: _Pool, fixed: set[str]) -> dict[str, str]:
    names: dict[str, str] = dict(program.kept)
    uses: Counter[str] = Counter()
    for _, node in program.statements:
        uses.update(inner.id for inner in walk(node) if isinstance(inner, ast.Name) and is_global(inner.id))
        uses.update(bound(node))
    taken = set(names.values())
    for name in sorted(uses):  # what is foreign has a name in the table already
        own = name.rpartition(":")[2].removeprefix("!")
        if name.startswith("!") and name not in names and own not in taken | fixed:
            names[name] = own
            taken.add(own)
    for name, _ in sorted(uses.items(), key=lambda item: (-item[1], item[0])):
        if name not in names:
            names[name] = pool.first(taken)
            taken.add(names[name])
    return names


class _Attributes:
    """Who has which attribute, and which names stay."""

    def __init__(self, program: Program, foreign: frozenset[str], asked: AskedByName) -> None:
        self._program = program
        self.owners: dict[str, set[str]] = defaultdict(set)
        self.uses: Counter[str] = Counter()
        families = _families(program)
        for _, node in program.statements:
            if isinstance(node, ast.ClassDef):
                for name in defined_attributes(node):
                    self.owners[name].add(families[node.name])
            self._count(node)
        for table in asked.tables.values():
            for name in table:
                self.owners[name].add(_EVERYONE)
        # What nobody here defines is somebody else's.
        self.kept = (
            {
                name
                for name in self.uses
                if is_dunder(name) or name in foreign or name in asked.kept or not self.owners[name]
            }
            | asked.kept
            | fields_by_keyword(program)
        )

    def _count(self, node: ast.stmt) -> None:
        selves = _own_selves(node)
        for inner in walk(node):
            if isinstance(inner, ast.Attribute):
                self.uses[inner.attr] += 1
                from_outside = not (isinstance(inner.value, ast.Name) and inner.value.id in selves)
                if isinstance(inner.ctx, ast.Store) and from_outside:
                    self.owners[inner.attr].add(_EVERYONE)
            elif isinstance(inner, ast.Name) and inner.id.startswith("."):
                self.uses[inner.id[1:]] += 1
            elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("."):
                self.uses[inner.name[1:]] += 1
            for field in record_fields(inner):
                self.uses[str(field.value)] += 1
                self.owners[str(field.value)].add(f"record at {inner.lineno} {ast.dump(inner)}")  # type: ignore[attr-defined]

    def assign(self, pool: _Pool, names: dict[str, str]) -> dict[str, str]:
        shorts = {name: name for name in self.kept}
        beside = self._beside_in_class_bodies(names)
        held: dict[str, set[str]] = defaultdict(set)
        for name, _ in sorted(self.uses.items(), key=lambda item: (-item[1], item[0])):
            if name in shorts:
                continue
            owners = self.owners[name]
            taken = set().union(held[_EVERYONE], *(held[owner] for owner in owners), beside[name])
            if _EVERYONE in owners:
                taken = taken.union(*held.values())
            short = shorts[name] = pool.first(taken)
            for owner in owners:
                held[owner].add(short)
        return shorts

    def _beside_in_class_bodies(self, names: dict[str, str]) -> dict[str, set[str]]:
        """By attribute, the short names of globals that a class body reads which binds the attribute as well."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, node in self._program.statements:
            if isinstance(node, ast.ClassDef):
                read = {names[inner.id] for inner in walk(node) if isinstance(inner, ast.Name) and inner.id in names}
                for inner in node.body:
                    for name in _bound_in_class(inner):
                        found[name] |= read
        return found


def _bound_in_class(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name[1:]
    else:
        for inner in walk(node):
            if isinstance(inner, ast.Name) and inner.id.startswith("."):
                yield inner.id[1:]


def _own_selves(node: ast.stmt) -> set[str]:
    if not isinstance(node, ast.ClassDef):
        return set()
    methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {method.args.args[0].arg for method in methods if method.args.args and not _is_static(method)}


def _is_static(method: "ast.FunctionDef | ast.AsyncFunctionDef") -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in method.decorator_list)


def _families(program: Program) -> dict[str, str]:
    """Classes that share objects: by class, one name for all that it inherits from and that inherit from it."""
    family: dict[str, str] = {}
    for _, node in program.statements:
        if isinstance(node, ast.ClassDef):
            family[node.name] = node.name
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id in family:
                    joined = family[base.id]
                    family = {name: family[node.name] if one == joined else one for name, one in family.items()}
    return family


class _Arguments:
    """Arguments and locals; those that a call names keep one short name everywhere, or their own where nobody knows whom it calls."""

    def __init__(self, program: Program, foreign: frozenset[str]) -> None:
        self._program = program
        every = {
            arg.arg.partition(".")[2]
            for node in walk(program.tree)
            if isinstance(node, ast.arguments)
            for arg in _every(node)
        }
        ours = {name for name in bound(program.tree) if not name.startswith("!")}
        self.kept = set(fields_by_keyword(program))
        self.named: set[str] = set()
        for node in walk(program.tree):
            if isinstance(node, ast.Call):
                for one in node.keywords:
                    assert one.arg is not None
                    func = node.func
                    known = func.id in ours if isinstance(func, ast.Name) else False
                    known = known or (isinstance(func, ast.Attribute) and func.attr not in foreign)
                    self.named.add(one.arg)
                    if not known or one.arg not in every:
                        self.kept.add(one.arg)
        self.shorts: dict[str, str] = {}
        """By argument that is named in a call, its short name."""

    def assign(self, pool: _Pool, names: set[str]) -> None:
        taken = set(names)
        for name in sorted(self.named):
            self.shorts[name] = name if name in self.kept else pool.first(taken)
            taken.add(self.shorts[name])


def _every(args: ast.arguments) -> list[ast.arg]:
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]


def _rename(
    program: Program,
    names: dict[str, str],
    shorts: dict[str, str],
    named: dict[str, str],
    asked: AskedByName,
    pool: _Pool,
) -> None:
    renamer = _Renamer(names, shorts, named, pool)
    for statement in program.statements:
        node = statement.node
        name = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(name, ast.Name) and name.id in asked.tables:
            for text in table_texts(node.value):
                assert isinstance(text, ast.Constant)
                text.value = shorts.get(str(text.value), text.value)
        renamer.visit(node)


class _Renamer(ast.NodeVisitor):
    def __init__(self, names: dict[str, str], shorts: dict[str, str], named: dict[str, str], pool: _Pool) -> None:
        self._names = names
        self._shorts = shorts
        self._named = named
        self._pool = pool
        self._locals: dict[str, str] = {}

    def _short(self, name: str) -> str:
        if name.startswith("."):
            return self._shorts.get(name[1:], name[1:])
        if name.startswith("%"):
            if name not in self._locals:
                raise BuildError(f"a local without a scope: {name}")
            return self._locals[name]
        return self._names.get(name, name)

    # Scopes: their locals are named before anything inside.

    def _enter(self, node: ast.AST, arguments: list[ast.arg]) -> None:
        inside = {one for one in _locals_of(node) if one not in self._locals}
        used = {inner.id for inner in walk(node) if isinstance(inner, ast.Name)}
        used |= {name for inner in walk(node) if isinstance(inner, ast.Global | ast.Nonlocal) for name in inner.names}
        taken = {self._names.get(name, name) for name in used if not name.startswith(("%", "."))}
        taken |= {self._locals[name] for name in used if name in self._locals}
        outside = frozenset(taken)
        taken |= set(self._named.values())
        order = [arg.arg for arg in arguments]
        for name in [*order, *sorted(inside - set(order))]:
            plain = name.partition(".")[2]
            if name in order and plain in self._named:
                if self._named[plain] in outside:
                    raise BuildError(f"an argument {plain} hides what its function uses: name one of them otherwise")
                self._locals[name] = self._named[plain]
            elif name not in self._locals:
                self._locals[name] = self._pool.first(taken)
            taken.add(self._locals[name])

    def _function(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda") -> None:
        for outside in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(outside)
        if not isinstance(node, ast.Lambda):
            for decorator in node.decorator_list:
                self.visit(decorator)
            node.name = self._short(node.name)
        arguments = _every(node.args)
        self._enter(node, arguments)
        for arg in arguments:
            arg.arg = self._short(arg.arg)
        for line in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(line)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815 - ast's own names

    def _comprehension(self, node: "ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp") -> None:
        self._enter(node, [])
        self.generic_visit(node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        node.name = self._short(node.name)
        self.generic_visit(node)

    # Names.

    def visit_Name(self, node: ast.Name) -> None:
        node.id = self._short(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        node.attr = self._shorts.get(node.attr, node.attr)
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        fields = record_fields(node)
        if fields:
            node.args[0] = ast.Constant(self._pool.first(set()))
            for field in fields:
                field.value = self._shorts[str(field.value)]
        for one in node.keywords:
            one.arg = self._named[str(one.arg)]
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        node.names = [self._short(name) for name in node.names]

    visit_Nonlocal = visit_Global  # type: ignore[assignment]  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            node.name = self._short(node.name)
        self.generic_visit(node)

    def visit_Import(self, node: "ast.Import | ast.ImportFrom") -> None:
        for alias in node.names:
            assert alias.asname is not None
            short = self._short(alias.asname)
            alias.asname = None if short == alias.name else short

    visit_ImportFrom = visit_Import  # noqa: N815


def _locals_of(node: ast.AST) -> set[str]:
    """The locals of every scope in a node: each has its scope's number, so a name is named once."""
    found = {inner.id for inner in walk(node) if isinstance(inner, ast.Name) and inner.id.startswith("%")}
    found |= {inner.name for inner in walk(node) if isinstance(inner, ast.ExceptHandler) and inner.name}
    found |= {inner.name for inner in walk(node) if isinstance(inner, ast.FunctionDef) and inner.name.startswith("%")}
    for inner in walk(node):
        if isinstance(inner, ast.Import | ast.ImportFrom):
            found |= {alias.asname for alias in inner.names if alias.asname}
    return {name for name in found if name.startswith("%")}
