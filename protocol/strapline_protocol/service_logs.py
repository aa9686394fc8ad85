"""What a service says on standard error: one event a line, times in UTC. Keys and records never get here, so nothing filters them."""

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

LEVELS = ("debug", "info", "warning", "error")


def configure(form: str, level: str, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (standard error) as `auto`, `json`, `logfmt` or `console`; may be called again."""
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _add_part],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(form, stream)],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    set_level(level)


def set_level(level: str) -> None:
    """The least that is logged from now on."""
    logging.getLogger().setLevel(level.upper())
    for noisy in ("bleak", "asyncio", "dbus_fast"):  # each advertisement is a line of theirs
        logging.getLogger(noisy).setLevel(max(logging.getLogger().level, logging.INFO))


def _add_part(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if record is not None:
        event["part"] = record.name.partition(".")[2] if record.name.startswith("strapline_") else record.name
    return event


def _ending(form: str, stream: TextIO) -> list[Processor]:
    if form == "auto":
        form = "console" if stream.isatty() else "logfmt"
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if form == "logfmt":
        ordered = ["timestamp", "level", "event"]
        return [structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer(key_order=ordered)]
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
