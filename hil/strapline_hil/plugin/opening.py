"""A rig file opened for one test: virtual or real, by a session for the test's own deeds or by a scenario."""

from strapline_hil.plugin.run import RigRun
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.session import RigSession
from strapline_hil.rig.virtual import open_virtual
from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Scenario
from strapline_simulator.simulation import Options, Result, run_scenario


def open_body(file: RigFile) -> RigBody:
    """Its instruments and its target. Raises `BenchError` or `UserError`."""
    if not file.is_virtual:
        raise UserError(f"{file.path}: this rig is real, and tests run on virtual rigs so far")
    return open_virtual(file)


def make_session(run: RigRun, body: RigBody, air: str) -> RigSession:
    """Not open yet."""
    session = RigSession(body, air=air, folder=run.folder, beside=run.power.watch)
    run.happenings = session.happenings
    return session


def play(run: RigRun, body: RigBody, scenario: Scenario, air: str) -> Result:
    """A whole scenario."""
    options = Options(
        body=body.name,
        opened=body,
        folder=run.folder,
        watch=run.happenings.append,
        air=air,
        beside=run.power.watch,
    )
    return run_scenario(scenario, options)


def shipped_for_rigs() -> list[str]:
    """The shipped scenarios that are marked `hil`."""
    from strapline_simulator.scenario import load_scenario, shipped_scenarios

    marked = [name for name in shipped_scenarios() if getattr(load_scenario(name), "hil", False)]
    return marked or [name for name in _UNTIL_MARKED if name in shipped_scenarios()]


_UNTIL_MARKED = ("strap-cut", "strap-glitch")


def needed(scenario: Scenario) -> set[str]:
    """The instruments that a scenario's verbs take."""
    try:
        from strapline_hil.rig.needs import needs_of  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return set()
    needs: set[str] = needs_of(scenario)
    return needs
