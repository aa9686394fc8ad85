"""A tree's nodes as `ast.walk` gives them, in half the time: a build asks for them some three million times."""

import ast
from collections.abc import Iterator

_BARE = (
    "attr",
    "conversion",
    "ctx",
    "id",
    "is_async",
    "kind",
    "level",
    "module",
    "op",
    "ops",
    "simple",
    "type_comment",
)
"""Fields that hold no node that anybody looks for: texts, numbers, and the nodes that only say which operator or use it is."""


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The other fields of a kind of node."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        bare = kind._fields if kind is ast.Constant else _BARE
        found = self[kind] = tuple(name for name in kind._fields if name not in bare)
        return found


_FIELDS = _Fields()


def walk(root: ast.AST) -> Iterator[ast.AST]:
    """The node and all under it, level by level, without operators and contexts; a node's children are found before it is given."""
    waiting = [root]
    for node in waiting:  # grows meanwhile
        for name in _FIELDS[type(node)]:
            value = getattr(node, name, None)
            if isinstance(value, list):
                waiting += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)
        yield node
