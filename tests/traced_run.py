"""A small simulated run that leaves a trace."""

from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario

SCENARIO = """\
title: A short walk
about: The tag is armed, the wearer walks off, and the strap is cut.
start: 2026-03-03T09:00:00+01:00
zone: Europe/Berlin
duration: {duration}
places:
  home: {{lat_deg: 53.2487, lon_deg: 10.4078}}
  river: {{lat_deg: 53.2560, lon_deg: 10.4290}}
wearer:
  may_leave: ["08:00-18:00"]
steps:
  - {{at: 1min, present_key: arm}}
  - {{at: 2min, go: {{to: river, within: 4min}}}}
  - {{at: {cut}, cut_strap: true}}
expect:
  - {{missing: 0}}
"""


def make_run(folder, *, seed=1, cut="9min", duration="14min", keys=True):
    """The trace of a run."""
    folder.mkdir()
    (folder / "s.yaml").write_text(SCENARIO.format(cut=cut, duration=duration))
    run_scenario(
        load_scenario(str(folder / "s.yaml")), Options(body="model", seed=seed, folder=folder, trace_keys=keys)
    )
    return folder / "trace.pcapng"
