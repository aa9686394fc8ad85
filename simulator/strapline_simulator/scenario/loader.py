"""Scenario files: found, read, and checked with line numbers."""

from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from strapline_protocol.errors import UserError
from strapline_simulator.scenario.misplaced import MisplacedError
from strapline_simulator.scenario.model import Scenario


def shipped_scenarios() -> dict[str, Path]:
    """The scenarios that come with the package, by name."""
    folder = Path(str(files("strapline_simulator"))) / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_scenario(name: str) -> Scenario:
    """A scenario by the name of a shipped one or by its file. Raises `UserError`: one line with file, line and mend."""
    path = _find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a YAML file that can be read") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text in UTF-8; give a YAML file") from None
    return _scenario(path, text)


@lru_cache(maxsize=256)
def _scenario(path: Path, text: str) -> Scenario:
    """The same text is checked once: a scenario cannot be changed."""
    try:
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not YAML: {error.problem}; mend the line") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}:1: a scenario is a mapping with title, start, duration, steps and expect")
    try:
        return Scenario.model_validate({**_plain(content), "name": path.stem, "folder": str(path.parent)})
    except ValidationError as error:
        raise UserError(_explain(path, content, error)) from None


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def _explain(path: Path, content: Any, error: ValidationError) -> str:
    problems = error.errors()
    first = problems[0]
    cause = first.get("ctx", {}).get("error")
    where = first["loc"] + (cause.where if isinstance(cause, MisplacedError) else ())
    place = ".".join(str(part) for part in where)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "no such key here"
    elif first["type"] == "missing":
        message = "is missing"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{path}:{_line(content, where)}: {place + ': ' if place else ''}{message}{more}"


def _line(content: Any, where: tuple[int | str, ...]) -> int:
    """The line of the innermost part of `where` that the file has; 1 is the first."""
    line = 1
    for part in where:
        try:
            marks = content.lc  # ruamel's mappings and sequences know their lines; plain values have none
            line = (marks.key(part) if isinstance(content, dict) else marks.item(part))[0] + 1
            content = content[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
