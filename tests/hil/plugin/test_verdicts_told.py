"""One run of a user's tests on a virtual rig: each failure is put down to the right one, in the terminal, in JUnit and on the page."""

import pytest

TESTS = """
    import pytest

    def test_strap(rig, tag, gateway, board):
        rig.strap.cut()
        assert gateway.wait_for("strap_open", within_s=5)
        assert tag.identity
        assert board.identity

    def test_nothing_comes(rig, gateway):
        assert gateway.wait_for("strap_open", within_s=5)

    def test_nothing_comes_and_is_used(gateway):
        gateway.wait_for("strap_open", within_s=5).at_s

    def test_own_mistake(rig):
        undefined

    def test_misspelt(gateway):
        gateway.wait_for("strap_opne", within_s=5)

    def test_not_on_this_rig(rig):
        rig.mains.off()

    def test_limits(measure, rig):
        measure("strap latency", 3.2, "s", high=3, row="R03")
        measure("beacon period", 60, "s", low=50, high=70)

    def test_expected_silence(gateway):
        assert gateway.wait_for("strap_open", within_s=1) is None
        assert False, "the lamp is dark"

    @pytest.mark.needs("ppk2", "strap")
    def test_current(rig):
        raise AssertionError

    @pytest.mark.needs("strap-relay")
    def test_by_driver(instrument, gateway):
        instrument("strap-relay").cut()
        assert gateway.wait_for("strap_open", within_s=5)

    def test_without_the_rig():
        assert False

    def test_power_cycle(board, gateway):
        board.reset()
        started = gateway.wait_for("started", within_s=120)
        assert started.fields["boot"] == 2
        assert "--- power on at" in board.serial_log

    @pytest.mark.xfail
    def test_known(gateway):
        assert gateway.wait_for("strap_open", within_s=1)
"""


@pytest.fixture
def told(folder):
    folder.write("test_mine.py", TESTS)
    result = folder.run("--rig-report", "out/page.html")
    return folder, result


def test_each_failure_has_its_verdict_everywhere(told):
    folder, result = told
    result.assert_outcomes(passed=3, failed=8, skipped=1, xfailed=1)
    verdicts = {name: case["verdict"] for name, case in folder.cases.items() if "verdict" in case}
    assert verdicts == {
        "test_nothing_comes": "product",
        "test_nothing_comes_and_is_used": "product",
        "test_own_mistake": "test",
        "test_misspelt": "test",
        "test_not_on_this_rig": "rig",
        "test_limits": "product",
        "test_expected_silence": "product",
    }
    assert folder.cases["test_nothing_comes"]["failure"] == "product: no strap_open within 5 s"
    assert folder.cases["test_expected_silence"]["failure"] == "product: the lamp is dark"
    assert "did you mean strap_open" in folder.cases["test_misspelt"]["failure"]
    assert "R03" in folder.cases["test_limits"]["measurement"] or "beacon" in folder.cases["test_limits"]["measurement"]
    assert folder.cases["test_current"]["skipped"] == "rig on the desk has no ppk2"
    result.stdout.fnmatch_lines(
        [
            "rig: on the desk (rig.yaml), virtual-board, virtual: strap-relay, *",
            "*verdicts: 4 product, 1 rig, 2 test*",
            "product * test_mine.py::test_nothing_comes  no strap_open within 5 s",
            "rig * test_mine.py::test_not_on_this_rig  rig on the desk: has no mains; add it to `instruments` in rig.yaml",
        ]
    )
    # The bench's own errors say all in a line: no traceback of its insides.
    assert "strapline_hil" not in result.stdout.str().split("test_not_on_this_rig")[1].split("____")[1]

    kept = sorted(path.name for path in (folder.path / "out/rig").iterdir())
    assert "test_mine.test_limits" in kept
    assert "test_mine.test_strap" not in kept
    left = {path.name: path for path in (folder.path / "out/rig/test_mine.test_not_on_this_rig").iterdir()}
    assert left["trace.pcapng"].stat().st_size > 1000
    assert "armed" in left["happenings.txt"].read_text("utf-8")

    page = (folder.path / "out/page.html").read_text("utf-8")
    assert "7 of 10 tests did not pass: 4 product, 1 rig, 2 test." in page
    assert "strap.cut()" in page
    assert '<td class="bad">✗</td><td>strap latency</td>' in page
    assert '<td class="good">✓</td><td>beacon period</td>' in page
