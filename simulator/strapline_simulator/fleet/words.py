"""The summary on a terminal or in a log: tampers by kind, alerts by cause, the verdict."""

from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table

from strapline_simulator.fleet.summary import Summary
from strapline_simulator.report.wording import count_words, duration_words

FALSE = "none (false)"


def tell(summary: Summary, console: Console) -> None:
    console.print(
        f"{count_words(summary.tags)} simulated tags in {count_words(summary.homes)} homes, {summary.tag_years:,.2f} tag-years"
    )
    if summary.tampers:
        console.print(_tampers(summary))
    if summary.alerts.by_cause:
        console.print(_alerts(summary))
    alerts = summary.alerts
    console.print(f"tampers missed: {summary.missed}; records missing: {summary.missing}")
    console.print(
        f"false alerts: {alerts.false}, {share_words(alerts.false_per_person_day)} per person-day "
        f"(at most {share_words(summary.false_alerts_limit)}); all alerts: {share_words(alerts.per_person_day)} per person-day"
    )
    for one in (*summary.missed_tampers, *summary.false_alerts)[:10]:
        console.print(f"  home {one.home}, tag {one.tag}, {duration_words(one.t_s)} after the start: {one.code}")
    console.print(f"digest: {summary.digest}")
    console.print("passed" if summary.passed else "failed", style="bold green" if summary.passed else "bold red")


def share_words(share: float) -> str:
    """Without an exponent, however small."""
    return format(Decimal(f"{share:g}"), "f")


def _tampers(summary: Summary) -> Table:
    table = Table(title="Tampers sown", title_justify="left", box=box.SIMPLE)
    table.add_column("kind")
    for name in ("sown", "told in time", "missed", "half of them after", "the slowest after"):
        table.add_column(name, justify="right")
    for kind, tampers in summary.tampers.items():
        after = tampers.after_s
        table.add_row(
            kind,
            str(tampers.sown),
            str(tampers.told),
            str(tampers.missed),
            seconds_words(after.p50),
            seconds_words(after.max),
        )
    return table


def _alerts(summary: Summary) -> Table:
    table = Table(title="Alerts by cause", title_justify="left", box=box.SIMPLE)
    for name in ("cause", "alerts"):
        table.add_column(name)
    table.add_column("per person-day", justify="right")
    for cause, codes in summary.alerts.by_cause.items():
        rate = sum(codes.values()) / summary.person_days if summary.person_days else 0.0
        table.add_row(cause or FALSE, ", ".join(f"{code} {count}" for code, count in codes.items()), f"{rate:.4f}")
    return table


def seconds_words(value: float | None) -> str:
    return "–" if value is None else duration_words(value)
