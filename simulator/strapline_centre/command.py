"""The centre's commands: `strapline centre …`. Most ask the centre that runs, over the socket in its state folder."""

import json
import os
import re
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from strapline_protocol.errors import UserError

app = typer.Typer(no_args_is_help=True)


def register(strapline: typer.Typer) -> None:
    """Add `strapline centre …`."""
    strapline.add_typer(app, name="centre", help="Run a monitoring centre, and look after its alerts and tags.")


Configuration = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The centre's configuration.", envvar="STRAPLINE_CENTRE_CONFIG")
]
Tag = Annotated[str, typer.Argument(help="The tag's id: eight hexadecimal digits.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON.")]


class Form(StrEnum):
    """Of an export."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def run(config: Configuration) -> None:
    """Run a centre until SIGTERM or Ctrl-C.

    Exit status: 0 ended as it was told, 1 a fault of ours, 2 a mistake in the configuration, or another centre has taken the ledger.
    """
    from strapline_centre.process import run as run_process

    run_process(config)


@app.command("config")
def print_config(
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Check a configuration instead.")
    ] = None,
) -> None:
    """Print a configuration to fill in, with every key and its default."""
    from strapline_centre.config import config_template, read_config

    if check is None:
        typer.echo(config_template(), nl=False)
        return
    read = read_config(check)
    typer.echo(f"{check}: {len(read.gateway)} gateways, nothing wrong")


@app.command()
def alerts(
    config: Configuration,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has acknowledged.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the alerts, with who was told of each. Also while the centre is down."""
    from strapline_centre.view import alert_lines

    found = _alerts(config, open_only=open_only)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        _console().print(alert_lines(found))
    else:
        typer.echo("no alert stands open" if open_only else "no alert")


def _alerts(config: Path, *, open_only: bool) -> Any:
    from strapline_centre.answers import alerts_json
    from strapline_protocol.local_control import NotRunningError

    try:
        return _ask(config, "alerts", open=open_only)
    except NotRunningError:
        ledger = _ledger(config)
        try:
            return alerts_json(ledger, open_only=open_only)
        finally:
            ledger.close()


def _ledger(config: Path) -> Any:
    """The one that is there: whoever only reads makes none."""
    from strapline_centre.config import read_config
    from strapline_centre.database import file_of, shown
    from strapline_centre.ledger import Ledger

    url = read_config(config).ledger_url
    file = file_of(url)
    if file is not None and not os.path.exists(file):  # noqa: PTH110 - says no where Path.exists raises
        raise UserError(f"ledger {shown(url)}: not there yet; `strapline centre run` makes it, or mend ledger.url")
    return Ledger(url)


@app.command()
def ack(
    config: Configuration,
    ident: Annotated[int, typer.Argument(metavar="ID", help="The alert's number, as `alerts` shows it.")],
    note: Annotated[str, typer.Option(help="What was found; it stands in the record.")],
    by: Annotated[str, typer.Option(metavar="ROLE", help="In which role: primary, secondary, tertiary, inquiry.")],
) -> None:
    """Acknowledge an alert, with a note: the only way in which one ends."""
    done = _ask(config, "ack", id=ident, note=note, by=by)
    typer.echo(f"alert {done['id']} ({done['code']}) acknowledged by {done['acknowledged_by']}")


@app.command()
def message(
    config: Configuration,
    tag: Tag,
    text: Annotated[str, typer.Argument(help="Up to 320 bytes of UTF-8.")],
    answer_within: Annotated[str, typer.Option(help="No button by then is an alarm: 90s, 10min, 1h.")] = "",
    language: Annotated[str, typer.Option(help="Two letters, for the tag's display.")] = "",
) -> None:
    """Show words to the wearer. They go again until the tag has shown them."""
    within_s = round(seconds(answer_within)) if answer_within else 0
    told = _ask(config, "message", tag=tag, text=text, answer_within_s=within_s, language=language)
    typer.echo(f"message {told['id']} is on its way to {tag}")


@app.command()
def locate(
    config: Configuration, tag: Tag, within: Annotated[str, typer.Option(help="So long may it take.")] = "3min"
) -> None:
    """Ask a tag for its position now."""
    told = _ask(config, "locate", tag=tag, within_s=round(seconds(within)))
    typer.echo(f"order {told['id']} is on its way to {tag}")


@app.command()
def curfew(config: Configuration, tag: Tag) -> None:
    """Send a tag the windows that the configuration has for it; from then on it judges itself."""
    told = _ask(config, "curfew", tag=tag)
    typer.echo(f"schedule {told['revision']} is on its way to {tag}")


@app.command()
def zones(
    config: Configuration,
    tag: Tag,
    file: Annotated[Path, typer.Argument(help="JSON: a list of zones (docs/centre.md).")],
) -> None:
    """Set a tag's zones."""
    told = _ask(config, "zones", tag=tag, zones=_json_file(file))
    typer.echo(f"zones {told['revision']} are on their way to {tag}")


@app.command()
def settings(
    config: Configuration,
    tag: Tag,
    values: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE…")] = None,
    home: Annotated[list[str] | None, typer.Option(help="A gateway that is home; may be given several times.")] = None,
) -> None:
    """Change settings of a tag; what is not named stays, but for the homes, which are those given now."""
    parts = [value.partition("=") for value in values or []]
    wrong = [name for name, _, number in parts if not re.fullmatch(r"-?\d+", number)]
    if wrong:
        raise UserError(f"{wrong[0]}: write NAME=NUMBER, such as away_fix_s=60")
    told = _ask(config, "settings", tag=tag, settings={name: int(n) for name, _, n in parts}, homes=home or [])
    typer.echo(f"settings {told['revision']} are on their way to {tag}")


@app.command()
def rekey(config: Configuration, tag: Tag) -> None:
    """Begin to give a tag new keys."""
    typer.echo(f"keys of generation {_ask(config, 'rekey', tag=tag)['generation']} are on their way to {tag}")


@app.command()
def status(config: Configuration, as_json: AsJson = False) -> None:
    """Say once how things stand."""
    _show_once(config, as_json=as_json)


@app.command()
def view(
    config: Configuration,
    once: Annotated[bool, typer.Option("--once", help="Show it and leave.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.2)] = 1.0,
) -> None:
    """Watch gateways, tags, open alerts and what comes in, until Ctrl-C."""
    console = _console()
    if once or not console.is_terminal:
        _show_once(config, as_json=False)
        return
    from rich.live import Live

    from strapline_centre.view import picture

    with Live(picture(_ask(config, "status")), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(every)
                live.update(picture(_ask(config, "status")), refresh=True)
        except KeyboardInterrupt:
            return


def _show_once(config: Path, *, as_json: bool) -> None:
    from strapline_centre.view import picture

    told = _ask(config, "status")
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _console().print(picture(told))


@app.command()
def export(
    config: Configuration,
    out: Annotated[Path, typer.Option(help="A new file, or a new folder for CSV.")],
    form: Annotated[Form, typer.Option("--format", help="JSON Lines, or a CSV file for each table.")] = Form.JSONL,
) -> None:
    """Write the whole record in an open form that another system can read; also while the centre runs."""
    from strapline_centre.export import write_csv, write_jsonl
    from strapline_protocol.contract import utc_text
    from strapline_protocol.desk import utc_now

    ledger = _ledger(config)
    try:
        write = write_csv if form is Form.CSV else write_jsonl
        counts = write(ledger.database, out, utc_text(utc_now()))
    finally:
        ledger.close()
    typer.echo(f"{out}: {counts['records']} records, {counts['alerts']} alerts")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `export` wrote: a file, or a folder.")],
    into: Annotated[str, typer.Option(metavar="URL", help="An empty ledger: sqlite:///FILE or postgresql://…")],
) -> None:
    """Put an export into an empty ledger, all of it or nothing."""
    from strapline_centre.export import load, read
    from strapline_centre.ledger import Ledger

    if not os.access(file, os.R_OK):
        raise UserError(f"{file}: cannot be read; name what `strapline centre export` wrote")
    ledger = Ledger(into)
    try:
        counts = load(ledger.database, read(file))
    finally:
        ledger.close()
    typer.echo(f"{file}: {counts['records']} records, {counts['alerts']} alerts")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    keys: Annotated[Path, typer.Option(help="The centre's key file of the tags.")],
) -> None:
    """Open every sealed record of an export anew: exit status 1 where one does not say what the export says."""
    from strapline_centre.export import read
    from strapline_centre.export import verify as check
    from strapline_protocol.keyring import read_centre_keys

    checked = check(read(file), read_centre_keys(keys))
    typer.echo(f"{file}: {checked.opened} records open, {len(checked.wrong)} do not, {checked.unknown} without a key")
    for identity in checked.wrong[:20]:
        typer.echo(f"  {identity}")
    raise typer.Exit(1 if checked.wrong else 0)


def seconds(text: str) -> float:
    """`90s`, `10min`, `1h`; UserError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text.strip())
    if found is None:
        raise UserError(f'"{text}" is no time; write 90s, 10min or 1h')
    return float(found[1]) * {"s": 1, "min": 60, "h": 3600}[found[2]]


def _ask(config: Path, do: str, **details: Any) -> Any:
    from strapline_centre.config import read_config
    from strapline_protocol.local_control import ask

    return ask(read_config(config).centre.state, do, **details)


def _json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: no JSON that can be read ({error}); write a list of zones") from None


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # who searches a log wants each line whole
    return console
