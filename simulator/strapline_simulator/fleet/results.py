"""A home's result as one line of JSON, and back."""

import json
from typing import Any

from strapline_simulator.fleet.spec import HomeResult, Sown, Told


def result_to_line(result: HomeResult) -> str:
    """One line, without its end; the same result gives the same line but for `wall_s`."""
    fields = result._asdict()
    fields["alerts"] = [list(told) for told in result.alerts]
    fields["caught"] = [[list(sown), after_s] for sown, after_s in result.caught]
    fields["missed"] = [[tag, list(sown)] for tag, sown in result.missed]
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def result_from_line(line: str) -> HomeResult:
    """Raises ValueError, KeyError or TypeError for what is none."""
    fields: dict[str, Any] = json.loads(line)
    fields["alerts"] = tuple(Told(*told) for told in fields["alerts"])
    fields["caught"] = tuple((_sown(sown), after_s) for sown, after_s in fields["caught"])
    fields["missed"] = tuple((tag, _sown(sown)) for tag, sown in fields["missed"])
    fields["latencies_s"] = tuple(fields["latencies_s"])
    return HomeResult(**fields)


def _sown(fields: list[Any]) -> Sown:
    t_s, kind, alarms, within_s = fields
    return Sown(t_s, kind, tuple(alarms), within_s)
