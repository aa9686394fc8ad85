"""Mutants: what is drawn, what runs, and what the command makes of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mutation import explained
from mutation.book import Book
from mutation.drawing import Mutant, difference, draw, mutants_of, operators
from mutation.elsewhere import noticing_test
from mutation.explained import Change, explanations, stale
from mutation.forking import Said
from mutation.modules import source_of
from mutation.reach import Reached
from mutation.statements import HITS, Places, names_of, probed
from mutation.trial import Verdict, verdict

COMMAND = Path(explained.__file__).with_name("mutants.py")
STRAP = "strapline_tag.strap"

SOURCE = """\
LIMIT: int | None = 3
OTHER = LIMIT + 1


def judge(value: int | None) -> str:
    if value is None:
        return "nothing"
    elif value > OTHER:
        for _ in range(2):
            value -= 1
        return "much"
    return (
        "little"
    )
"""


def test_a_seed_draws_the_same_mutants_and_each_changes_the_module() -> None:
    drawn = draw((STRAP, "strapline_tag.motion"), 12, 1)
    assert drawn == draw((STRAP, "strapline_tag.motion"), 12, 1)
    assert drawn != draw((STRAP, "strapline_tag.motion"), 12, 2)
    assert len(set(drawn)) == 12
    assert all(difference(mutant) for mutant in drawn)


def test_no_more_are_drawn_than_there_are() -> None:
    everything = mutants_of("strapline_tag.deadline")
    assert set(draw(("strapline_tag.deadline",), 1000, 1)) == set(everything)


def test_annotations_are_no_places() -> None:
    places = Places(SOURCE)
    assert places.is_type(1, 7)
    assert places.is_type(5, 21)
    assert not places.is_type(1, 20)


def test_marks_tell_the_statements_that_ran() -> None:
    hits = bytearray(20)
    module = {HITS: hits}
    exec(compile(probed(SOURCE, "x"), "x", "exec"), module)
    assert not any(hits)  # what the import does counts for no run
    assert module["judge"](1) == "little"  # type: ignore[operator]
    assert [line for line, hit in enumerate(hits) if hit] == [6, 8, 12]
    assert module["judge"](9) == "much"  # type: ignore[operator]
    assert [line for line, hit in enumerate(hits) if hit] == [6, 8, 9, 10, 11, 12]


def test_a_place_belongs_to_the_innermost_statement() -> None:
    places = Places(SOURCE)
    assert [places.statement(line).lineno for line in (6, 8, 10, 13)] == [6, 8, 10, 12]
    assert not places.is_run(places.statement(1))
    assert places.is_run(places.statement(13))


def test_a_constant_is_looked_for_where_it_is_used() -> None:
    places = Places(SOURCE)
    assert names_of(places.statement(1)) == ["LIMIT"]
    assert [user.lineno for user in places.lines_with("LIMIT")] == [2]
    assert [user.lineno for user in places.lines_with("OTHER")] == [8]


MUTANT = Mutant(STRAP, "AddNot", 0, 1, 0, "if x:")
SCENARIOS = [Reached(name, f"key of {name}", 0.1, "", passed=True, lines={}) for name in ("a", "b")]
PASSED = {"passed": True, "same": True, "how": ""}


@pytest.mark.parametrize(
    ("lines", "exit_code", "killed", "by", "how"),
    [
        ([{"begins": "a"}, PASSED, {"begins": "b"}, PASSED], 0, False, "", ""),
        ([{"begins": "a"}, PASSED, {"begins": "b"}, {**PASSED, "passed": False, "how": "late"}], 0, True, "b", "late"),
        ([{"begins": "a"}], -27, True, "a", "time"),
        ([{"begins": "a"}], -11, True, "a", "crash: ended with -11"),
        ([{"how": "import: NameError"}], 0, True, "", "import: NameError"),
        ([], -27, True, "", "import: time"),
    ],
)
def test_a_verdict_follows_from_what_the_child_said(
    lines: list[dict[str, object]], exit_code: int, killed: bool, by: str, how: str
) -> None:
    found = verdict(MUTANT, SCENARIOS, Said(lines, exit_code))
    assert (found.killed, found.by, found.how) == (killed, by, how)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path) -> None:
    other = MUTANT._replace(line=2)
    book = Book(tmp_path / "verdicts.jsonl")
    assert book.left(MUTANT, SCENARIOS) == SCENARIOS
    book.note(MUTANT, Verdict(MUTANT.ident, killed=True, by="b", how="late"), SCENARIOS)
    book.note(other, Verdict(other.ident, killed=False, passed={"a": "key of a"}), SCENARIOS)
    again = Book(tmp_path / "verdicts.jsonl")
    assert again.known(MUTANT, SCENARIOS) == Verdict(MUTANT.ident, killed=True, by="b", how="late")
    assert again.known(other, SCENARIOS) is None
    assert again.left(other, SCENARIOS) == SCENARIOS[1:]


def test_a_scenario_that_was_changed_is_asked_again(tmp_path: Path) -> None:
    changed = [SCENARIOS[0], SCENARIOS[1]._replace(key="another")]
    book = Book(tmp_path / "verdicts.jsonl")
    book.note(MUTANT, Verdict(MUTANT.ident, killed=True, by="b", how="late"), SCENARIOS)
    assert book.known(MUTANT, changed) is None


def test_what_no_scenario_executes_survives(tmp_path: Path) -> None:
    found = Book(tmp_path / "verdicts.jsonl").known(MUTANT, [])
    assert found is not None
    assert not found.killed


def test_every_explanation_is_of_a_mutant_that_can_be_made() -> None:
    known = list(explanations())
    assert stale(known) == []
    assert {change.operator for change in known} <= set(operators())


def test_an_explanation_of_nothing_is_told() -> None:
    gone = Change(STRAP, "AddNot", "if there_was_something:", "if not there_was_something:")
    assert stale([gone]) == [gone]


def _command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: it forgets all modules of the project."""
    words = [sys.executable, str(COMMAND), *arguments, "--jobs", "1"]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)


def test_the_command_tells_noticed_ones_from_others_and_touches_no_file(tmp_path: Path) -> None:
    before = source_of(STRAP)
    asked = ["--module", STRAP, "--scenario", "strap-cut", "--out", str(tmp_path), "--seed", "5", "--runs", "5"]
    done = _command(*asked)
    head = json.loads(done.stdout.splitlines()[-1])
    assert head["mutants"] == 5, done.stderr
    assert 0 < head["killed"] < 5
    rows = json.loads((tmp_path / "mutants.json").read_text())["each"]
    assert {row["by"] for row in rows if row["verdict"] == "killed"} == {"strap-cut"}
    assert source_of(STRAP) == before


def test_the_tests_of_a_part_notice_what_is_wrong_and_pass_what_does_the_same() -> None:
    """The second is the control: were a test to fail without any mutant, all would seem to be noticed."""
    of_battery = mutants_of("strapline_tag.battery")
    inverted = next(one for one in of_battery if one.operator == "AddNot" and "self._rung != before" in one.text)
    assert noticing_test(inverted).startswith("tests/firmware/test_battery.py::")
    same = next(
        one
        for one in mutants_of("strapline_tag.sky")
        if "self.failed_at = -1" in one.text and "NumberReplacer" in one.operator
    )
    assert noticing_test(same) == ""
