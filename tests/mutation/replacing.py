"""A module that is imported from another source than its file has. Nothing is written anywhere."""

import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

from mutation.modules import PROJECT, path_of
from mutation.statements import HITS, probed


class _Loader(importlib.abc.Loader):
    def __init__(self, code: CodeType, given: dict[str, Any]) -> None:
        self._code = code
        self._given = given

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(self._given)
        exec(self._code, module.__dict__)


class Finder(importlib.abc.MetaPathFinder):
    """Finds before all others what it was given."""

    def __init__(self) -> None:
        self._specs: dict[str, importlib.machinery.ModuleSpec] = {}
        self.hits: dict[str, bytearray] = {}
        """Of the modules with marks: by line, 1 where the statement has been executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return self._specs.get(fullname)

    def replace(self, module: str, source: str) -> None:
        """Raises SyntaxError."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # `is` with a literal: as good a mutant as any
            code = compile(source, path_of(module), "exec")
        self._give(module, code, {})

    def probe(self, module: str) -> None:
        path = path_of(module)
        source = path.read_text(encoding="utf-8")
        self.hits[module] = bytearray(source.count("\n") + 2)
        self._give(module, compile(probed(source, str(path)), path, "exec"), {HITS: self.hits[module]})

    def _give(self, module: str, code: CodeType, given: dict[str, Any]) -> None:
        spec = importlib.machinery.ModuleSpec(module, _Loader(code, given), origin=str(path_of(module)))
        self._specs[module] = spec

    def install(self) -> None:
        """From now on; every module of the project is imported anew, and so gets what is found here."""
        forget_project()
        sys.meta_path.insert(0, self)


def forget_project() -> None:
    for name in [name for name in sys.modules if name.startswith(PROJECT)]:
        del sys.modules[name]
