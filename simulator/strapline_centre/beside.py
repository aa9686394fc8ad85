"""What else was told when a tag was said to be away: what keeps it and its base station from hearing each other."""

from collections.abc import Collection, Iterable
from datetime import timedelta

from strapline_centre.alert_rows import Alert

AWAY = frozenset({"left_home", "curfew_broken"})

_WITH_AN_END = frozenset({"radio_jammed", "radio_deaf", "gateway_lost", "gateway_silent"})
_DEAFENING = _WITH_AN_END | {"clone_heard", "replay_heard", "delayed_replay_heard", "last_gasp"}

_BEFORE = timedelta(minutes=10)
_AFTER = timedelta(minutes=30)
"""A second device is told of when the genuine tag has spoken again."""


def beside(alert: Alert, others: Iterable[Alert], gateways: Collection[str]) -> list[Alert]:
    """Such alerts of this tag and of its gateways, about then. They excuse nobody: who escapes may have brought the noise."""
    if alert.code not in AWAY:
        return []
    about = {alert.subject, *gateways}
    return [one for one in others if one.code in _DEAFENING and one.subject in about and _is_near(one, alert)]


def beside_words(codes: Iterable[tuple[str, str]]) -> str:
    """Of (code, subject), to stand behind an alert's text; empty where there is none."""
    told = ", ".join(f"{code} of {subject}" for code, subject in codes)
    return f"; told beside it: {told}" if told else ""


def _is_near(one: Alert, alert: Alert) -> bool:
    goes_on = one.code in _WITH_AN_END and one.over_utc is None
    ends = one.over_utc or one.last
    return one.raised_utc <= alert.last + _AFTER and (goes_on or ends >= alert.raised_utc - _BEFORE)
