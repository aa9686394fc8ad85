"""A rig file opened for one test: virtual or real, for a session of the test's own deeds or for a scenario."""

from strapline_hil.plugin.run import RigRun
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.needs import beyond_any_rig
from strapline_hil.rig.real.dut import RealBody, open_real
from strapline_hil.rig.real.run import run_real
from strapline_hil.rig.real.run import why_not as not_on_a_real_rig
from strapline_hil.rig.real.session import RealSession
from strapline_hil.rig.session import RigSession
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_hil.rig.virtual.session import VirtualSession
from strapline_simulator.scenario import Scenario, load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, Result, run_scenario


def open_body(file: RigFile) -> RigBody:
    """Its instruments and its target. Raises `BenchError` or `UserError`."""
    if file.is_virtual:
        return open_virtual(file)
    return open_real(file)


def make_session(run: RigRun, body: RigBody, air: str) -> RigSession:
    """Not open yet."""
    session: RigSession
    if isinstance(body, RealBody):
        session = RealSession(body, folder=run.folder, beside=run.power.watch)
    else:
        session = VirtualSession(body, air=air, folder=run.folder, beside=run.power.watch)
    run.happenings = session.happenings
    return session


def play(run: RigRun, body: RigBody, scenario: Scenario, air: str, *, metered: bool) -> Result:
    """A whole scenario: in virtual time, or at the wall's pace. `metered`: also on a virtual rig, where hours of samples take minutes."""
    watch, beside = run.happenings.append, run.power.watch
    if isinstance(body, RealBody):
        return run_real(body, scenario, folder=run.folder, watch=watch, beside=beside)
    power = beside if metered else None
    options = Options(body=body.name, opened=body, folder=run.folder, watch=watch, air=air, beside=power)
    return run_scenario(scenario, options)


def why_not(scenario: Scenario, file: RigFile, longest_min: float) -> str:
    """What keeps a scenario off this rig, beside instruments that it lacks; empty where nothing does."""
    if not file.is_virtual:
        return not_on_a_real_rig(scenario, file, longest_min * 60)
    beyond = beyond_any_rig(scenario)
    return f"no rig does {', '.join(sorted(beyond))}" if beyond else ""


def shipped_for_rigs() -> list[str]:
    """The shipped scenarios that are marked `hil`."""
    return [name for name in shipped_scenarios() if load_scenario(name).hil]
