"""YAML files that people write: read, and held against a pydantic model; a mistake is one line with file, line and mend."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from strapline_protocol.errors import UserError
from strapline_simulator.misplaced import MisplacedError

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path) -> str:
    """Raises `UserError`."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a YAML file that can be read") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is no text in UTF-8; give a YAML file") from None


def parse(path: Path, text: str, model: type[Model], what: str, /, **ours: str) -> Model:
    """The model that `text` writes down; `ours` goes in beside what the file says. `what` says what such a file is a mapping of."""
    try:
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not YAML: {error.problem}; mend the line") from None
    except YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}:1: {what}")
    try:
        return model.model_validate({**_plain(content), **ours})
    except ValidationError as error:
        raise UserError(_explain(path, content, error)) from None


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
