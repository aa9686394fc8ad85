"""Scenarios as tests."""

HOLDS = """\
title: The strap is cut
start: 2026-03-02T22:00:00+01:00
duration: 2min
places:
  home: {lat_deg: 53.2487, lon_deg: 10.4078}
steps:
  - {at: 10s, present_key: arm}
  - {at: 1min, cut_strap: true}
expect:
  - {event: strap_open, after: cut_strap, within: 5s}
"""
FAILS = HOLDS.replace("event: strap_open, after: cut_strap", "event: removed, after: cut_strap")


def test_named_files_shipped_names_and_what_lies_in_a_folder(folder):
    (folder.path / "mine").mkdir()
    folder.write("mine/holds.yaml", HOLDS)
    folder.write("mine/fails.yaml", FAILS)
    folder.write("mine/other.yaml", "some: thing\n")
    result = folder.run("mine", "--scenarios", "strap-glitch")
    result.assert_outcomes(passed=2, failed=1)
    assert folder.cases["fails"]["verdict"] == "product"
    assert folder.cases["fails"]["failure"].startswith("product: event removed within 5 s of cut_strap")
    assert folder.cases["strap-glitch"]["frames_digest"].startswith("sha256:")
    result.stdout.fnmatch_lines(["FAIL event removed within 5 s of cut_strap*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*scenarios.py*")


def test_a_bad_file_is_one_line_with_its_mend(folder):
    folder.write("bad.yaml", HOLDS.replace("cut_strap: true", "cut_strap: perhaps"))
    result = folder.run("bad.yaml")
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*bad.yaml:8: steps.1.cut_strap: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_only_scenarios_where_no_path_is_named(folder):
    folder.write("test_other.py", "def test_other(): pass\n")
    result = folder.run("--scenarios", "strap-glitch", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["scenarios::strap-glitch", "1 test collected*"])
    assert folder.run("--scenarios", "no-such", "--collect-only").ret == 4
    result = folder.run("--scenarios", "hil", "--collect-only", "-q", "-k", "strap-cut or strap-glitch")
    result.stdout.fnmatch_lines(["scenarios::strap-cut", "scenarios::strap-glitch"])


def test_without_a_rig_a_scenario_file_is_nobodys(folder):
    folder.write("holds.yaml", HOLDS)
    folder.write("test_one.py", "def test_one(): pass\n")
    folder.run(rig=None).assert_outcomes(passed=1)
    assert folder.run("--scenarios", "hil", rig=None).ret == 4
