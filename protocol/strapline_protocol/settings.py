"""Configuration files: TOML held against one declaration, from which the template and the reference are made too.

A declaration is a NamedTuple whose fields are `Annotated[type, Key(…)]`. A field may be a str, int, float, bool, Path, Literal, a tuple of
str, another declaration (a table), or a tuple of declarations (an array of tables). A field without default must be in the file.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from strapline_protocol.errors import UserError
from strapline_protocol.toml_lines import TomlLines

__all__ = ["Field", "Key", "Mistake", "SettingsError", "fields_of", "load"]

_LONGEST = 1 << 20

Shape = TypeVar("Shape", bound=tuple[Any, ...])
Place = tuple[str | int, ...]
Upgrades = Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]
_MISSING = object()


class Key(NamedTuple):
    """What a field means; `low` and `high` are inside the range. `check` takes the value, and raises UserError for one that is wrong."""

    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    check: Callable[[Any], object] | None = None
    example: str = ""
    """As TOML; for a field without default, or one whose default says nothing."""


class Field(NamedTuple):
    """One field of a declaration."""

    name: str
    kind: Any
    key: Key
    default: Any

    @property
    def is_required(self) -> bool:
        return self.default is _MISSING


class Mistake(NamedTuple):
    """One: where in the file, and what is wrong with the mend behind a semicolon."""

    place: Place
    text: str


class SettingsError(UserError):
    """Everything that is wrong with one file, a line each: `FILE:LINE: section.key: what; the mend`."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def fields_of(shape: type[tuple[Any, ...]]) -> list[Field]:
    """The fields of a declaration, in its order."""
    defaults: Mapping[str, Any] = getattr(shape, "_field_defaults", {})
    hints = get_type_hints(shape, include_extras=True)
    found = []
    for name in getattr(shape, "_fields", ()):
        kind, key = hints[name], Key("")
        if get_origin(kind) is Annotated:
            kind, key = get_args(kind)[:2]
        found.append(Field(name, _without_none(kind), key, defaults.get(name, _MISSING)))
    return found


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    return kind


def is_table(kind: Any) -> bool:
    """Whether a field of this kind is a declaration itself."""
    return isinstance(kind, type) and hasattr(kind, "_fields")


def element(kind: Any) -> Any:
    """Of what a field of this kind is a tuple; None where it is none."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def load(
    path: Path,
    shape: type[Shape],
    *,
    upgrades: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {},
    more: Callable[[Shape], Iterable[Mistake]] = lambda _settings: (),
    environment: Mapping[str, str] = {},
    prefix: str = "",
    hint: str = "",
) -> Shape:
    """Read and check a file. Raises UserError where it cannot be read, `SettingsError` with all of them where it is wrong.

    `upgrades` leads from each older `format` to the next one; a file without the key is of format 0. `more` finds what one field cannot
    tell. A variable `prefix_SECTION_KEY` takes the place of what the file says. Relative paths start at the file's folder.
    """
    text = _read(path, hint)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([_syntax(path, text, error)]) from None
    except RecursionError:
        raise SettingsError([f"{path}: nested too deep; write plain tables"]) from None
    told = {place: name for place, name, _ in _overrides(shape, environment, prefix)}
    for place, _, value in _overrides(shape, environment, prefix):
        _put(data, place, value)
    reader = _Reader(path.absolute().parent, set(told))
    before = _unknown_format(data, upgrades)
    settings = None if before else reader.table(shape, _upgraded(data, upgrades), ())
    mistakes = before or list(reader.mistakes)
    if settings is not None and not mistakes:
        mistakes += more(settings)
    if mistakes:
        lines = TomlLines(text)
        mistakes.sort(key=lambda mistake: lines.line(mistake.place))
        raise SettingsError([_line(path, lines, told, mistake) for mistake in mistakes])
    assert settings is not None
    return settings


def _read(path: Path, hint: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}){'; ' + hint if hint else ''}") from None
    if len(content) > _LONGEST:
        raise UserError(f"{path}: larger than {_LONGEST >> 20} MiB; name a configuration file")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: no text in UTF-8; save the file as UTF-8") from None


def _syntax(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    told = str(error)
    at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", told)
    line = (at and at[1]) or str(max(len(text.splitlines()), 1))
    what = told[: at.start()] if at else told
    return f"{path}:{line}: no TOML: {what}; mend this line"


def _unknown_format(data: dict[str, Any], upgrades: Upgrades) -> list[Mistake]:
    if not upgrades:
        return []
    number, oldest, newest = data.get("format", 0), min(upgrades), max(upgrades) + 1
    if type(number) is int and oldest <= number <= newest:
        return []
    text = f"{_shown(number)} is not known here; this version of strapline reads {oldest} to {newest}"
    return [Mistake(("format",), text)]


def _upgraded(data: dict[str, Any], upgrades: Upgrades) -> dict[str, Any]:
    number = data.get("format", 0)
    while number in upgrades:
        data = upgrades[number](data)
        number += 1
    return data


def _overrides(
    shape: type[tuple[Any, ...]], environment: Mapping[str, str], prefix: str
) -> Iterator[tuple[Place, str, Any]]:
    """(place, variable, value) of each setting that the environment gives."""
    if not prefix:
        return
    for section in fields_of(shape):
        for field in fields_of(section.kind) if is_table(section.kind) else ():
            name = f"{prefix}_{section.name}_{field.name}".upper()
            if name in environment:
                yield (section.name, field.name), name, _from_text(field.kind, environment[name])


def _from_text(kind: Any, text: str) -> Any:
    if kind in (int, float, bool) or element(kind) is str:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _put(data: dict[str, Any], place: Place, value: Any) -> None:
    section = data.setdefault(str(place[0]), {})
    if isinstance(section, dict):
        section[str(place[1])] = value


def _line(path: Path, lines: TomlLines, told: Mapping[Place, str], mistake: Mistake) -> str:
    name = _name(mistake.place)
    if mistake.place in told:
        return f"environment {told[mistake.place]}: {mistake.text}"
    return f"{path}:{lines.line(mistake.place)}: {name + ': ' if name else ''}{mistake.text}"


def _name(place: Place) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


class _Reader:
    def __init__(self, folder: Path, told: set[Place]) -> None:
        self._folder = folder
        self._told = told
        self.mistakes: list[Mistake] = []

    def table(self, shape: type[Shape], data: Any, place: Place) -> Shape | None:
        """The settings; None where something is wrong with them."""
        if not isinstance(data, dict):
            self._wrong(place, f"not a table; write [{_name(place)}] and its keys below it")
            return None
        fields = fields_of(shape)
        before = len(self.mistakes)
        known = {field.name: field for field in fields}
        for name in [name for name in data if name not in known]:
            self._wrong((*place, name), _unknown(name, list(known), place))
        values = {field.name: self._field(field, data, place) for field in fields}
        if len(self.mistakes) > before:
            return None
        return shape(**values)

    def _field(self, field: Field, data: dict[str, Any], place: Place) -> Any:
        here = (*place, field.name)
        if field.name in data:
            return self._value(field, data[field.name], here)
        if is_table(field.kind) and field.is_required:
            return self.table(field.kind, {}, here)
        if field.is_required:
            wanted = f"write {field.name} = {field.key.example}" if field.key.example else f"add {field.name}"
            return self._wrong(here, f"missing; {wanted}")
        return field.default

    def _value(self, field: Field, value: Any, here: Place) -> Any:
        inner = element(field.kind)
        if is_table(field.kind):
            return self.table(field.kind, value, here)
        if inner is not None:
            if not isinstance(value, list):
                return self._wrong(here, f"{_shown(value)} is no list; write {_listed(field)}")
            parts = [self._element(field, inner, one, (*here, index)) for index, one in enumerate(value)]
            return tuple(parts)
        return self._plain(field, field.kind, value, here)

    def _element(self, field: Field, inner: Any, value: Any, here: Place) -> Any:
        return self.table(inner, value, here) if is_table(inner) else self._plain(field, inner, value, here)

    def _plain(self, field: Field, kind: Any, value: Any, here: Place) -> Any:
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                near = difflib.get_close_matches(str(value), get_args(kind), 1)
                choices = ", ".join(f'"{choice}"' for choice in get_args(kind))
                guess = f"did you mean {_shown(near[0])}?" if near else f"write one of {choices}"
                return self._wrong(here, f"{_shown(value)} is no choice here; {guess}")
            return value
        if not _fits(kind, value):
            return self._wrong(here, f"{_shown(value)} is no {_KINDS[kind]}; write {_asked(field, kind)}")
        if kind in (int, float) and not _in_range(field.key, value):
            return self._wrong(here, f"{_shown(value)} is out of range; write {_asked(field, kind)}")
        if kind is Path:
            value = (Path.cwd() if here in self._told else self._folder) / value
        elif kind is float:
            value = float(value)
        return self._checked(field, value, here)

    def _checked(self, field: Field, value: Any, here: Place) -> Any:
        if field.key.check is not None:
            try:
                field.key.check(value)
            except UserError as error:
                return self._wrong(here, str(error))
        return value

    def _wrong(self, place: Place, text: str) -> None:
        self.mistakes.append(Mistake(place, text))


_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def _fits(kind: Any, value: Any) -> bool:
    if kind is Path:
        return isinstance(value, str) and value != "" and "\0" not in value
    if kind is float:
        return type(value) in (int, float) and value == value  # noqa: PLR0124 - nan is no number to wait for
    return type(value) is kind


def _in_range(key: Key, value: float) -> bool:
    return (key.low is None or value >= key.low) and (key.high is None or value <= key.high)


def _asked(field: Field, kind: Any) -> str:
    if kind in (int, float):
        return f"a {_KINDS[kind]}{allowed(field.key)}"
    if kind is bool:
        return "true or false without quotes"
    return f"it in quotes{', such as ' + field.key.example if field.key.example else ''}"


def allowed(key: Key) -> str:
    """The range and unit as words, with a blank before them; empty where there are none."""
    unit = f" {key.unit}" if key.unit else ""
    if key.low is not None and key.high is not None:
        return f" from {_number(key.low)} to {_number(key.high)}{unit}"
    if key.low is not None:
        return f" of at least {_number(key.low)}{unit}"
    return f" of at most {_number(key.high)}{unit}" if key.high is not None else (f" of{unit}" if unit else "")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _listed(field: Field) -> str:
    inner = element(field.kind)
    return f"[[{field.name}]] and its keys below it" if is_table(inner) else field.key.example or '["…", "…"]'


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _unknown(name: str, known: list[str], place: Place) -> str:
    near = difflib.get_close_matches(name, known, 1)
    mend = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"unknown {'key' if place else 'key or section'}; {mend}"


def environment_of(prefix: str) -> dict[str, str]:
    """The process's variables that begin so."""
    return {name: value for name, value in os.environ.items() if name.startswith(f"{prefix}_")}
