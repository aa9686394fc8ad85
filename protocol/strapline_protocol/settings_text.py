"""What a declaration of settings looks like to people: the commented template, and the reference as Markdown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from strapline_protocol.settings import Field, allowed, element, fields_of, is_table

_WIDTH = 100


def template(shape: type[tuple[Any, ...]], head: str) -> str:
    """TOML with every key: what must be filled in stands as an example, the rest as a comment with its default."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    plain = [field for field in fields_of(shape) if not is_table(field.kind) and not is_table(element(field.kind))]
    for field in plain:
        lines += ["", *_setting(field)]
    for field in fields_of(shape):
        if is_table(field.kind):
            lines += ["", *_about(field.key.meaning), f"[{field.name}]"]
            for inner in fields_of(field.kind):
                lines += [*_setting(inner), ""]
            lines.pop()
        elif is_table(element(field.kind)):
            lines += ["", *_about(field.key.meaning), f"#[[{field.name}]]"]
            for inner in fields_of(element(field.kind)):
                lines += [*_about(_explained(inner)), f"#{inner.name} = {_value(inner)}"]
    return "\n".join(lines) + "\n"


def reference(shape: type[tuple[Any, ...]]) -> str:
    """One Markdown table for each section."""
    lines: list[str] = []
    top = [field for field in fields_of(shape) if not is_table(field.kind) and not is_table(element(field.kind))]
    if top:
        lines += ["### At the top", "", *_rows(top)]
    for field in fields_of(shape):
        inner = element(field.kind)
        if is_table(field.kind) or is_table(inner):
            name = f"[[{field.name}]]" if is_table(inner) else f"[{field.name}]"
            shapes = inner if is_table(inner) else field.kind
            lines += ["", f"### `{name}`", "", field.key.meaning, "", *_rows(fields_of(shapes))]
    return "\n".join(lines).strip() + "\n"


def _rows(fields: list[Field]) -> Iterator[str]:
    yield "| key | meaning | value | default |"
    yield "|---|---|---|---|"
    for field in fields:
        default = (
            "*must be given*" if field.is_required else f"`{_text(field.default)}`" if _has_default(field) else "–"
        )
        meaning = field.key.meaning.replace("|", "\\|")
        yield f"| `{field.name}` | {meaning} | {_kind(field)} | {default} |"


def _setting(field: Field) -> list[str]:
    mark = "" if field.is_required else "#"
    return [*_about(_explained(field)), f"{mark}{field.name} = {_value(field)}"]


def _explained(field: Field) -> str:
    kind = _kind(field)
    ending = "" if field.key.meaning.endswith((".", "?", ")")) else "."
    told = f"{field.key.meaning}{ending} {kind[:1].upper()}{kind[1:]}."
    if field.is_required:
        return f"{told} Must be given."
    return told if _has_default(field) else f"{told} None unless given."


def _about(text: str) -> list[str]:
    lines, line = [], "#"
    for word in text.replace("`", "").split():
        if len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line] if line != "#" else lines


def _kind(field: Field) -> str:
    kind = field.kind
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    if kind in (int, float):
        return f"{'whole number' if kind is int else 'number'}{allowed(field.key)}"
    return {bool: "true or false", Path: "path", str: "text"}.get(kind, "list of texts")


def _has_default(field: Field) -> bool:
    return not field.is_required and field.default not in (None, "")


def _value(field: Field) -> str:
    return _text(field.default) if _has_default(field) else field.key.example or '""'


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    return f"{value:g}" if isinstance(value, float) else str(value)
