"""The whole program as one text, as small as it can be made without another behaviour."""

import ast
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from strapline_simulator.firmware.backtrace import Function, own_names, short_names
from strapline_simulator.firmware.fold import fold_constants
from strapline_simulator.firmware.inline import inline_passing
from strapline_simulator.firmware.names import asked_by_name, foreign_names, offered_names
from strapline_simulator.firmware.order import often_named_first
from strapline_simulator.firmware.program import Program, Statement, load_program
from strapline_simulator.firmware.reach import drop_unreached, drop_unread
from strapline_simulator.firmware.shorten import NameMap, shorten
from strapline_simulator.firmware.sources import BuildError

APP = "strapline_app"
"""The module that a board imports."""


RUN = "run"
"""The function in it that begins the program."""


class Bundle(NamedTuple):
    """A program in one module, and what became of its names."""

    name: str
    """What it is imported as."""
    statements: list[Statement]
    names: NameMap
    functions: list[Function]
    offers: frozenset[str]
    """The names in it that others use."""

    @property
    def launcher(self) -> str:
        """A board's `main.py`; empty where the bundle only offers what others call."""
        if RUN in self.offers:
            return f"import gc\n\nimport {self.name}\n\ngc.collect()\n{self.name}.{RUN}()\n"
        return "" if self.offers else f"import {self.name}\n"

    @property
    def modules(self) -> list[str]:
        """The sources in it."""
        return sorted({statement.module for statement in self.statements})

    def map(self) -> dict[str, Any]:
        """What turns its names back, as JSON takes it."""
        attributes: dict[str, list[str]] = {}
        for name, short in sorted(self.names.attributes.items()):
            attributes.setdefault(short, []).append(name)
        own = {short: name.replace(":", ".") for name, short in self.names.names.items() if not name.startswith("!")}
        return {
            "module": self.name,
            "globals": dict(sorted(own.items())),
            "attributes": dict(sorted(attributes.items())),
            "functions": [list(function) for function in self.functions],
        }

    def text(self, without: Collection[str] = ()) -> str:
        """Its source; `without` leaves modules out, for measuring."""
        kept = [statement.node for statement in self.statements if statement.module not in without]
        return ast.unparse(ast.Module(kept, [])) + "\n"


def make_bundle(texts: Mapping[str, str], root: str, name: str = APP) -> Bundle:
    """Bundle the program `root` out of the sources `texts`; refuses what cannot be proved to stay the same."""
    program = load_program(texts, root)
    foreign = foreign_names() | offered_names(texts)
    _split_imports(program)
    drop_unreached(program, foreign, asked_by_name(program))  # most of the codec, before anybody looks at it
    before = ""
    while (now := _printed(program)) != before:
        before = now
        fold_constants(program)
        inline_passing(program)
        asked = asked_by_name(program)
        drop_unread(program, foreign, asked)
        drop_unreached(program, foreign, asked)
    _begin_late(program, root)
    if not program.kept and all(statement.module != root for statement in program.statements):
        raise BuildError(f"{root} does nothing and lists nothing in __all__: nothing of it would be left")
    often_named_first(program)
    named = own_names(program)
    names = shorten(program, foreign, asked_by_name(program))
    ast.fix_missing_locations(program.tree)  # here and not in `text`, which is asked for each source that is weighed
    return Bundle(name, program.statements, names, short_names(named), frozenset(program.kept.values()))


def _begin_late(program: Program, root: str) -> None:
    """Put what the program ends with, `main()`, into a function `run`.

    While a module is imported, all that was made to load it stays alive, a sixth of the heap: a program that ran inside would never
    get it back.
    """
    last = program.statements[-1] if program.statements else None
    if (
        last is not None
        and last.module == root
        and isinstance(last.node, ast.Expr)
        and isinstance(last.node.value, ast.Call)
    ):
        name = f"{root}:{RUN}()"
        nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        run = ast.FunctionDef(name, nothing, [last.node], [], lineno=last.node.lineno, col_offset=0)
        program.statements[-1] = Statement(root, run)
        program.kept[name] = RUN


def _printed(program: Program) -> str:
    return ast.dump(program.tree)


def _split_imports(program: Program) -> None:
    """One statement a name, each name once: so that one which nobody uses can go."""
    seen: set[tuple[str, ...]] = set()
    split = []
    for module, node in program.statements:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            split.append(Statement(module, node))
            continue
        for alias in node.names:
            key = (getattr(node, "module", None) or "", alias.name, alias.asname or "")
            if key not in seen:
                seen.add(key)
                one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], 0)
                split.append(Statement(module, ast.copy_location(one, node)))
    program.statements = split
