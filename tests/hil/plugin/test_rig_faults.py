"""A rig that is not well: found before a test or right after a failure, and never the product's."""

CONFTEST = """
    import pytest
    from strapline_hil.rig.virtual.rig import open_virtual
    from strapline_hil.verdict import SurroundingsError
    from strapline_hil.plugin.host import Clocks

    class Asleep:
        def __init__(self):
            self.wall_s = 1e9
        def __call__(self):
            return self.wall_s

    ASLEEP = Asleep()

    def pytest_strapline_clocks():
        return Clocks(lambda: 0.0, ASLEEP)

    @pytest.fixture
    def host_sleeps():
        def sleep():
            ASLEEP.wall_s += 3600
        return sleep

    def pytest_strapline_open_rig(file, item):
        body = open_virtual(file)
        broken = item.get_closest_marker("broken")
        if broken:
            part = body.rig.instrument("heat")
            looks = iter(broken.args)
            def check():
                found = next(looks)
                if isinstance(found, str):
                    return [found] if found else []
                raise found
            part.check = check
        return body

    def pytest_configure(config):
        config.addinivalue_line("markers", "broken(*looks): what the heater's self-test says each time")
"""

TESTS = """
    import pytest
    from strapline_hil.verdict import RigError, SurroundingsError

    @pytest.mark.broken("", "it is 40 K too warm")
    def test_breaks_meanwhile(rig):
        assert False, "no skin contact"

    @pytest.mark.broken("it is cold")
    def test_is_broken_before(rig):
        raise AssertionError("never begun")

    @pytest.mark.broken(SurroundingsError("port", "is taken", "end the other program"))
    def test_port_taken_before(rig):
        raise AssertionError("never begun")

    @pytest.mark.broken("", KeyError("answer"))
    def test_its_check_breaks(rig):
        assert False

    def test_an_instrument_says_so(rig):
        def sags():
            raise RigError("supply", "sags to 2.9 V", "look at its limit")
        try:
            rig.session.act(sags)
        except RigError:
            assert False, "handled, and yet"

    def test_host_sleeps(rig, host_sleeps):
        host_sleeps()
        assert False, "too late"
"""


def test_what_is_found_wrong_is_the_verdict(folder):
    folder.write("conftest.py", CONFTEST)
    folder.write("test_mine.py", TESTS)
    result = folder.run()
    result.assert_outcomes(failed=4, errors=2)
    cases = folder.cases
    assert cases["test_breaks_meanwhile"]["failure"] == "rig: heat: it is 40 K too warm"
    begun = cases["test_is_broken_before"]
    assert begun["verdict"] == "rig"
    assert begun["verdict_why"].startswith("rig on the desk: heat: it is cold; the test was not begun")
    assert "never begun" not in result.stdout.str().split("short test summary")[1]
    assert cases["test_port_taken_before"]["verdict"] == "environment"
    assert cases["test_its_check_breaks"]["failure"] == "rig: heat: its self-test broke: KeyError: 'answer'"
    assert cases["test_an_instrument_says_so"]["failure"] == "rig: supply: sags to 2.9 V; look at its limit"
    assert cases["test_host_sleeps"]["verdict"] == "environment"
    assert "3600 s" in cases["test_host_sleeps"]["failure"]
