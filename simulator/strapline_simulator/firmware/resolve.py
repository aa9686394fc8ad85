"""Names to what they mean: after this, each name in a tree says by itself whose it is, and modules need one another no more.

module:name      a global of one of our modules
!module:name     what a foreign module gives; `!module` the module itself
%7.name          local to scope 7 (an argument, a variable, a comprehension's)
.name            in a class body, where names become attributes
name             a builtin
"""

import ast
import builtins
from collections.abc import Iterator, Mapping

from strapline_simulator.firmware.sources import Source
from strapline_simulator.firmware.walk import walk

Exports = dict[str, dict[str, str]]
"""By module, what each of its names is; `@module` where it is one of our modules."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_MAGIC = frozenset({"__getattr__", "__setattr__", "__delattr__", "__slots__"})
_REFLECTING = frozenset(
    {"globals", "locals", "vars", "dir", "eval", "exec", "compile", "__import__", "__name__", "__file__"}
)
_TELLING = frozenset({"__name__", "__qualname__", "__dict__", "__module__"})
_BUILTINS = frozenset(dir(builtins))


class _Scope:
    def __init__(self, kind: str, parent: "_Scope | None", names: dict[str, str]) -> None:
        self.kind = kind
        self.parent = parent
        self.names = names
        self.declared: dict[str, str] = {}
        """What `global` and `nonlocal` say of a name."""
        self.assigned: set[str] = set()
        """What is bound otherwise than by a plain import."""


class Resolver(ast.NodeTransformer):
    """Rewrites one source's tree; `rebound` collects the globals that functions assign to."""

    def __init__(self, source: Source, texts: Mapping[str, str], exports: Exports, first_scope: int) -> None:
        self._source = source
        self._texts = texts
        self._exports = exports
        self.scopes = first_scope
        self.rebound: set[str] = set()
        outer = {name for node in walk(source.tree) if isinstance(node, ast.Global) for name in node.names}
        own = {name: f"{source.name}:{name}" for name in _bound(source.tree.body) | outer}
        self._module = self._scope = _Scope("module", None, own)
        plain = {id(node) for node in source.tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
        self._module.assigned = _bound([node for node in source.tree.body if id(node) not in plain])
        self._plain = plain

    def resolve(self) -> list[ast.stmt]:
        """The statements, resolved; what the module offers joins `exports`."""
        body = self._source.tree.body
        self._check_order(body)
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._alias(node)
        self._exports[self._source.name] = self._module.names
        statements = self._body(body)
        for name in self.rebound:
            if self._module.names[name] != f"{self._source.name}:{name}":
                self._source.refuse(self._source.tree, f"{name} is imported, and a function assigns to it")
        return statements

    def _check_order(self, body: list[ast.stmt]) -> None:
        active = None
        for node in body:
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
                active = node
            ours = isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in self._packages
            if active is not None and ours:
                self._source.refuse(active, "this runs before an import of ours: in one module all imports come first")

    @property
    def _packages(self) -> set[str]:
        return {name.partition(".")[0] for name in self._texts}

    # Imports.

    def _alias(self, node: ast.Import | ast.ImportFrom) -> None:
        """Enter what an import binds into the scope."""
        for alias in node.names:
            bound = alias.asname or alias.name
            if alias.name == "*":
                self._source.refuse(node, "a star import does not say what it binds")
            target = self._target(node, alias)
            if target is None:
                continue
            if bound not in self._scope.assigned:
                self._scope.names[bound] = target
            elif not target.startswith("!"):
                self._source.refuse(node, f"{bound} is imported from ours, and bound otherwise as well")

    def _target(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str | None:
        if isinstance(node, ast.Import):
            if alias.name in self._texts:
                if alias.asname is None and "." in alias.name:
                    self._source.refuse(node, f"write `from … import …` in place of `import {alias.name}`")
                return f"@{alias.name}"
            if "." in alias.name:
                self._source.refuse(node, "a foreign module inside a package")
            return f"!{alias.name}" if self._scope.kind == "module" else None
        module = node.module or ""
        if f"{module}.{alias.name}" in self._texts:
            return f"@{module}.{alias.name}"
        if module in self._texts:
            return self._export(node, module, alias.name)
        return f"!{module}:{alias.name}" if self._scope.kind == "module" else None

    def _export(self, node: ast.AST, module: str, name: str) -> str:
        found = self._exports.get(module, {}).get(name)
        if found is None:
            self._source.refuse(node, f"{module} has no {name}")
        return found

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.stmt | None:
        """An import statement as it stays: of foreign modules, under the names that they have here."""
        if self._scope.kind != "module":
            self._alias(node)
        kept = []
        for alias in node.names:
            bound = alias.asname or alias.name
            target = self._target(node, alias)
            if target is not None and not target.startswith("!"):
                if self._scope.kind == "module" and id(node) not in self._plain:
                    self._source.refuse(node, "an import of ours that depends on something")
                continue
            if alias.name == "*":
                self._source.refuse(node, "a star import does not say what it binds")
            kept.append(ast.alias(alias.name, self._lookup(node, bound)))
        if not kept:
            return None
        node.names = kept
        return node

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        return self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | None:
        return self._import(node)

    # Names.

    def _lookup(self, node: ast.AST, name: str) -> str:
        scope: _Scope | None = self._scope
        while scope is not None:
            if name in scope.declared:
                return scope.declared[name]
            if name in scope.names and (scope.kind != "class" or scope is self._scope):
                if scope.kind == "class" and isinstance(getattr(node, "ctx", None), ast.Load):
                    self._check_class_load(node, name)
                return scope.names[name]
            scope = scope.parent
        if name in _REFLECTING:
            self._source.refuse(node, f"{name} shows names, and names are shortened")
        if name not in _BUILTINS:
            self._source.refuse(node, f"nothing binds the name {name}")
        return name

    def _check_class_load(self, node: ast.AST, name: str) -> None:
        if name in self._module.names or name in _BUILTINS:
            self._source.refuse(node, f"in this class {name} can mean the class's own or what is outside")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._lookup(node, node.id)
        if found.startswith("@"):
            self._source.refuse(node, f"the module {found[1:]} itself is used: in one module it does not exist")
        node.id = found
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr.startswith("__") and not node.attr.endswith("__"):
            self._source.refuse(node, "CPython gives such a name the class's, MicroPython does not")
        if node.attr in _TELLING:
            self._source.refuse(node, f"{node.attr} shows names, and names are shortened")
        if isinstance(node.value, ast.Name):
            owner = self._lookup(node.value, node.value.id)
            if owner.startswith("@"):
                if not isinstance(node.ctx, ast.Load):
                    self._source.refuse(node, f"{node.attr} of the module {owner[1:]} is assigned from outside")
                return ast.copy_location(ast.Name(self._export(node, owner[1:], node.attr), node.ctx), node)
        node.value = self.visit(node.value)
        return node

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        for name in node.names:
            self._scope.declared[name] = self._module.names[name]
            self.rebound.add(name)
        node.names = [self._module.names[name] for name in node.names]
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.stmt:
        node.names = [self._scope.declared[name] for name in node.names]
        return node

    # Scopes.

    def _enter(self, kind: str, names: dict[str, str]) -> _Scope:
        before = self._scope
        self._scope = _Scope(kind, before, names)
        return before

    def _locals(self, names: "set[str]") -> dict[str, str]:
        self.scopes += 1
        return {name: f"%{self.scopes}.{name}" for name in names}

    def _body(self, body: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for node in body:
            visited = self.visit(node)
            if isinstance(visited, list):
                found += visited
            elif visited is not None:
                found.append(visited)
        return found

    def _function(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda") -> ast.AST:
        args = node.args
        args.defaults = [self.visit(default) for default in args.defaults]
        args.kw_defaults = [None if default is None else self.visit(default) for default in args.kw_defaults]
        typed = False
        if not isinstance(node, ast.Lambda):
            typed = any(_is_micropython(decorator) for decorator in node.decorator_list)
            node.decorator_list = [
                decorator if _is_micropython(decorator) else self.visit(decorator) for decorator in node.decorator_list
            ]
            node.name = self._lookup(node, node.name)
            if not typed:
                node.returns = None
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
        if args.kwarg is not None:
            self._source.refuse(node, "a dictionary of keyword arguments: nobody knows which names come in")
        inside = node.body if isinstance(node.body, list) else []
        outer, elsewhere = _declared(inside)
        names = (_bound(inside) | {one.arg for one in every}) - outer - elsewhere
        before = self._enter("function", self._locals(names))
        self._scope.assigned = _bound([one for one in inside if not isinstance(one, ast.Import | ast.ImportFrom)])
        self._scope.assigned |= {one.arg for one in every}
        for name in elsewhere:
            self._scope.declared[name] = self._enclosing(node, name)
        for one in every:
            one.arg = self._scope.names[one.arg]
            if not typed:
                one.annotation = None
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            for name in outer:  # wherever the statement stands
                self._scope.declared[name] = self._module.names[name]
            node.body = self._body(node.body) or [ast.Pass()]
        self._scope = before
        return node

    def _enclosing(self, node: ast.AST, name: str) -> str:
        scope = self._scope.parent
        while scope is not None and not (scope.kind == "function" and name in scope.names):
            scope = scope.parent
        if scope is None:
            self._source.refuse(node, f"nonlocal {name}: no function around this one has it")
        return scope.names[name]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self._scope.kind != "module":
            self._source.refuse(node, "a class inside a function or a class")
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        node.bases = [self.visit(base) for base in node.bases]
        if node.keywords:
            self._source.refuse(node, "MicroPython has no keywords in a class's bases")
        node.name = self._lookup(node, node.name)
        names = _bound(node.body)
        if names & _MAGIC:
            self._source.refuse(node, f"{', '.join(sorted(names & _MAGIC))}: a class that answers to computed names")
        before = self._enter("class", {name: f".{name}" for name in names})
        node.body = self._body(node.body) or [ast.Pass()]
        self._scope = before
        return node

    def _comprehension(self, node: "ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp") -> ast.AST:
        first = self.visit(node.generators[0].iter)  # in the scope around it
        names = {name for one in node.generators for name in _targets(one.target)}
        before = self._enter("function", self._locals(names))
        for i, one in enumerate(node.generators):
            one.iter = first if i == 0 else self.visit(one.iter)
            one.target = self.visit(one.target)
            one.ifs = [self.visit(test) for test in one.ifs]
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)
        self._scope = before
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815 - ast's own names

    # Statements.

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        for caught in walk(node.type) if node.type is not None else ():
            if isinstance(caught, ast.Name) and caught.id in {"AttributeError", "NameError"}:
                self._source.refuse(node, f"a caught {caught.id} asks whether a name exists: ask hasattr(…, 'name')")
        if node.name is not None:
            node.name = self._lookup(node, node.name)
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        if isinstance(node.value, ast.Constant):
            return None  # a docstring
        node.value = self.visit(node.value)
        return node

    def visit_Assert(self, node: ast.Assert) -> None:
        """A board checks no assertions."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if node.value is None:
            return None
        plain = ast.Assign([self.visit(node.target)], self.visit(node.value))
        return ast.copy_location(plain, node)

    def visit_Match(self, node: ast.Match) -> ast.AST:
        self._source.refuse(node, "MicroPython has no match")

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if any(keyword.arg is None for keyword in node.keywords):
            self._source.refuse(node, "a dictionary of keyword arguments: nobody knows which names go in")
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            text = node.func.value
            if not isinstance(text, ast.Constant) or any("." in field or "[" in field for field in _fields(text.value)):
                self._source.refuse(node, "a format that may name attributes: use % or an f-string")
        return self.generic_visit(node)


def _fields(text: object) -> Iterator[str]:
    if isinstance(text, str):
        for part in text.split("{")[1:]:
            yield part.partition("}")[0].partition(":")[0]


def _is_micropython(node: ast.expr) -> bool:
    """`@micropython.native` and its kin, which the compiler knows by their spelling."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "micropython"


def _targets(node: ast.AST) -> Iterator[str]:
    for inner in walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


def _bound(body: "list[ast.stmt]") -> set[str]:
    """The names that a body binds in its own scope."""
    found: set[str] = set()
    for node in _own(body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            found.add(node.name)
    return found


def _declared(body: "list[ast.stmt]") -> tuple[set[str], set[str]]:
    """The names that a function's body declares global, and nonlocal."""
    outer: set[str] = set()
    elsewhere: set[str] = set()
    for node in _own(body):
        if isinstance(node, ast.Global):
            outer |= set(node.names)
        elif isinstance(node, ast.Nonlocal):
            elsewhere |= set(node.names)
    return outer, elsewhere


def _own(body: "list[ast.stmt]") -> Iterator[ast.AST]:
    """The nodes of a scope, without those of the scopes inside it; of a comprehension what binds outside it."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.ClassDef):
            waiting += [*node.decorator_list, *node.bases]
        elif isinstance(node, _FUNCTIONS):
            waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            waiting += [] if isinstance(node, ast.Lambda) else node.decorator_list
        elif isinstance(node, _COMPREHENSIONS):
            waiting.append(node.generators[0].iter)
            waiting += [inner for inner in walk(node) if isinstance(inner, ast.NamedExpr)]
        else:
            waiting += ast.iter_child_nodes(node)
