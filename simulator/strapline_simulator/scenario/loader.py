"""Scenario files: found, read, and checked with line numbers."""

from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from strapline_protocol.errors import UserError
from strapline_simulator.checked_yaml import parse, read_text
from strapline_simulator.scenario.model import Scenario


def shipped_scenarios() -> dict[str, Path]:
    """The scenarios that come with the package, by name."""
    folder = Path(str(files("strapline_simulator"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_scenario(name: str) -> Scenario:
    """A scenario by the name of a shipped one or by its file. Raises `UserError`: one line with file, line and mend."""
    path = _find(name)
    return _scenario(path, read_text(path))


@lru_cache(maxsize=256)
def _scenario(path: Path, text: str) -> Scenario:
    """The same text is checked once: a scenario cannot be changed."""
    what = "a scenario is a mapping with title, start, duration, steps and expect"
    return parse(path, text, Scenario, what, name=path.stem, folder=str(path.parent))


def _find(name: str) -> Path:
    shipped = shipped_scenarios()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    if path.suffix in (".yaml", ".yml"):
        raise UserError(f"{name}: no such file; {_meant(path.stem, shipped)}")
    if path.is_dir():
        raise UserError(f"{name} is a folder: add --all to run all in it, or name one of its files")
    raise UserError(f"{name}: no such scenario; {_meant(name, shipped)}, or give a file ending in .yaml")


def _meant(name: str, shipped: dict[str, Path]) -> str:
    near = get_close_matches(name, shipped, n=3) or [known for known in shipped if name and name in known][:3]
    listing = "`strapline scenarios` lists the shipped ones"
    return f"did you mean {', '.join(near)}? {listing}" if near else listing
