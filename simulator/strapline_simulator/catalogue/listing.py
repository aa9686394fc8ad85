"""What `strapline scenarios` prints."""

import json
from collections.abc import Iterator

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.requirement_table import requirements
from strapline_simulator.catalogue.selection import lacking
from strapline_simulator.scenario import Scenario, load_scenario, shipped_scenarios


def list_scenarios(row: str | None, *, as_json: bool, hil: bool = False) -> Iterator[str]:
    """Lines. Raises `UserError` for a row that does not exist."""
    shipped = [load_scenario(name) for name in shipped_scenarios()]
    chosen = [scenario for scenario in shipped if scenario.hil or not hil]
    if row is not None:
        wanted = _known(row)
        chosen = [scenario for scenario in chosen if wanted in scenario.rows]
        if hil and not chosen and not as_json:
            raise UserError(f"no shipped scenario shows {wanted} on a rig: leave --hil out")
        if not chosen and not as_json:
            raise UserError(f"no shipped scenario shows {wanted}: {_why(wanted)}")
    if as_json:
        yield json.dumps([_fields(scenario) for scenario in chosen], indent=2, ensure_ascii=False)
        return
    width = max(len(scenario.name) for scenario in chosen)
    for scenario in chosen:
        mark = "quiet" if scenario.quiet else ""
        rows = " ".join(scenario.rows)
        yield f"{scenario.name:<{width}}  {_hours(scenario):>8}  {mark:<5}  {rows:<15}  {scenario.title}"


def _known(row: str) -> str:
    known = {requirement.row for requirement in requirements()}
    if row.upper() not in known:
        raise UserError(f"--row {row}: write one of R01 … R{len(known)}")
    return row.upper()


def _why(row: str) -> str:
    requirement = next(requirement for requirement in requirements() if requirement.row == row)
    if not requirement.built:
        return "it is not built"
    return f"it is shown by {requirement.elsewhere}" if requirement.elsewhere else "the catalogue as a whole shows it"


def _hours(scenario: Scenario) -> str:
    hours = scenario.duration_s / 3600
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} d"


def _fields(scenario: Scenario) -> dict[str, object]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "about": scenario.about,
        "rows": list(scenario.rows),
        "duration_s": scenario.duration_s,
        "quiet": scenario.quiet,
        "hil": scenario.hil,
        "seed": scenario.seed,
        "lacks": lacking(scenario) or None,
    }
