import ast
from pathlib import Path

import pytest

from strapline_hil.defects import book
from strapline_hil.defects.book import changed, defects, draw, find, write_sources
from strapline_hil.defects.trial import read_junit, run_pytest, try_defect
from strapline_hil.rig.file import load_rig
from strapline_hil.rig.needs import beyond_any_rig
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_protocol.errors import UserError
from strapline_simulator.firmware import firmware_sources
from strapline_simulator.scenario import load_scenario

NAMES = [defect.name for defect in defects()]


def test_the_list_is_as_long_as_it_is_said_to_be():
    assert len(set(NAMES)) == len(NAMES) >= 36


@pytest.mark.parametrize("defect", defects(), ids=NAMES)
def test_each_has_its_place_in_the_firmware_and_a_scenario_that_a_rig_can_run(defect):
    texts = firmware_sources()
    with_it = changed(defect, texts)
    assert with_it != texts[defect.module]
    assert ast.dump(ast.parse(with_it)) != ast.dump(ast.parse(texts[defect.module]))
    assert not beyond_any_rig(load_scenario(defect.scenario))


def test_one_whose_place_has_gone_is_refused():
    stale = defects()[0]._replace(before="no such line")
    with pytest.raises(UserError, match="stands 0 times in"):
        changed(stale)


def test_the_same_seed_draws_the_same_ones():
    assert draw(10, 7) == draw(10, 7) != draw(10, 8)
    assert len(set(draw(10, 7))) == 10
    with pytest.raises(UserError, match="--draw 1000"):
        draw(1000, 7)


def test_a_name_that_nobody_knows_is_refused():
    assert [defect.name for defect in find(NAMES[:2])] == NAMES[:2]
    with pytest.raises(UserError, match="nonsense: no such defect"):
        find(["nonsense"])


def rig_with(folder, target):
    path = folder / "rig.yaml"
    path.write_text(f"rig: mine\ntarget: {target}\n", encoding="utf-8")
    return path


def test_a_virtual_board_is_built_of_the_changed_sources(tmp_path):
    write_sources(find(["key-cut-short"])[0], tmp_path / "mine")
    file = load_rig(rig_with(tmp_path, "{board: virtual-board, sources: mine}"))
    texts = firmware_sources(file.sources)
    assert texts.keys() == firmware_sources().keys()
    assert [name for name, text in firmware_sources().items() if texts[name] != text] == ["strapline_boards.st25dv"]


def test_a_folder_without_firmware_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    file = load_rig(rig_with(tmp_path, "{board: virtual-board, sources: mine}"))
    with pytest.raises(UserError, match="mine: no firmware there; it holds changed files of strapline_wire"):
        open_virtual(file)


def test_a_real_board_takes_no_sources(tmp_path):
    with pytest.raises(UserError, match=r"rig.yaml:2: target.sources: a real board has its own"):
        load_rig(rig_with(tmp_path, "{board: pico-w, port: /dev/ttyACM0, keys: keys, sources: mine}"))


@pytest.mark.parametrize("name", ["short-opening-missed", "alarm-waits-for-heartbeat"])
def test_a_defect_is_noticed_and_put_down_to_the_product(name, tmp_path):
    trial = try_defect(find([name])[0], tmp_path)
    assert trial.judged.verdict == "product", trial.judged
    assert trial.judged.why.startswith("event strap_open within 2 s of ")


def test_a_test_without_a_verdict_is_not_taken_for_the_products(tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text('<testsuites><testsuite><testcase name="a"><error/></testcase></testsuite></testsuites>')
    assert [one.verdict for one in read_junit(path)] == ["none (error)"]


def test_the_published_list_is_read_once():
    assert book.defects() is book.defects()


def test_the_page_lists_them_all():
    page = (Path(__file__).resolve().parents[3] / "docs" / "verdicts.md").read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if line.startswith("| `") and "strapline_" in line]
    assert listed == [f"| `{one.name}` | {one.seen} | `{one.file}` | `{one.scenario}` |" for one in defects()]


def test_a_pytest_that_finds_no_rig_file_has_no_verdict(tmp_path):
    judged = run_pytest(tmp_path, tmp_path / "no-rig.yaml", [])
    assert [one.verdict for one in judged] == ["none (no test)"]
    assert "no-rig.yaml" in (tmp_path / "pytest.log").read_text(encoding="utf-8")
