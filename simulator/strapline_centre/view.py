"""How things stand at a centre, in a terminal: gateways, tags, open alerts, what came last. It draws what `Answers.status` gives."""

from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from strapline_centre.beside import beside_words

_ROWS = 15
"""Of each table; who wants all of them asks with --json."""


def picture(status: dict[str, Any]) -> RenderableType:
    """All of it."""
    head = Text.assemble(
        (status["utc"], "bold"), "  broker ", _word("connected" if status["broker"] else "away", good=status["broker"]),
        "  ledger ", _word(status["ledger"], good=status["ledger"] == "ok"), f"  {status['received']} messages",
        f", {status['waiting']} waiting" if status["waiting"] else "",
    )  # fmt: skip
    return Group(
        head, _alerts(status["alerts"]), _gateways(status["gateways"]), _tags(status["tags"]), _newest(status["newest"])
    )


def _word(text: str, *, good: bool) -> tuple[str, str]:
    return text, "green" if good else "bold red"


def _what(alert: dict[str, Any]) -> str:
    words: str = alert["text"] + beside_words((one["code"], one["subject"]) for one in alert["beside"])
    return words


def _alerts(alerts: list[dict[str, Any]]) -> Table:
    table = _table(f"Open alerts: {len(alerts)}", "id", "since", "about", "what", "times", "")
    for alert in alerts[:_ROWS]:
        over = f"over since {alert['over_utc']}" if alert["over_utc"] else ""
        row = (str(alert["id"]), alert["raised_utc"], alert["subject"], _what(alert), str(alert["times"]), over)
        table.add_row(*map(Text, row), style="" if over else "bold red")
    return _more(table, alerts)


def _gateways(gateways: list[dict[str, Any]]) -> Table:
    table = _table(f"Gateways: {len(gateways)}", "id", "state", "heard")
    for gateway in sorted(gateways, key=lambda one: not one["silent"])[:_ROWS]:
        state = "silent" if gateway["silent"] else gateway["state"]
        table.add_row(gateway["id"], Text.assemble(_word(state, good=state == "online")), _ago(gateway["heard_s_ago"]))
    return _more(table, gateways)


def _tags(tags: list[dict[str, Any]]) -> Table:
    table = _table(
        f"Tags: {len(tags)}", "id", "monitored", "here", "strongest reader", "heard", "open orders", "open alerts"
    )
    for tag in sorted(tags, key=lambda one: -one["open_alerts"])[:_ROWS]:
        here = {True: "yes", False: "no", None: "–"}[tag["present"]]
        told = ("yes" if tag["monitored"] else "no", here, tag["reader"] or "–", _ago(tag["heard_s_ago"]))
        table.add_row(tag["id"], *told, str(tag["orders"]), str(tag["open_alerts"]))
    return _more(table, tags)


def _newest(entries: list[dict[str, Any]]) -> Table:
    table = _table("Newest", "at the centre", "at the gateway", "from", "by", "what")
    for entry in entries[-_ROWS:]:
        row = (entry["centre_utc"], entry["gateway_utc"], entry["source"], entry["gateway"], entry["what"])
        table.add_row(*map(Text, row))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", header_style="dim")
    return table


def _more(table: Table, rows: list[Any]) -> Table:
    if len(rows) > _ROWS:
        table.add_row(f"… and {len(rows) - _ROWS} more", style="dim")
    return table


def _ago(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def alert_lines(alerts: Iterable[dict[str, Any]]) -> Table:
    """Alerts with who was told, and who has acknowledged."""
    table = _table("", "id", "since", "about", "code", "what", "times", "told", "state")
    for alert in alerts:
        told = ", ".join(step["role"] for step in alert["steps"])
        state = "open"
        if alert["acknowledged_utc"]:
            state = f"acknowledged by {alert['acknowledged_by']}: {alert['note']}"
        elif alert["merged_into"]:
            state = f"part of {alert['merged_into']}"
        elif alert["over_utc"]:
            state = f"open; over since {alert['over_utc']}"
        about = (alert["raised_utc"], alert["subject"], alert["code"], _what(alert), str(alert["times"]))
        table.add_row(str(alert["id"]), *map(Text, (*about, told, state)))
    return table
