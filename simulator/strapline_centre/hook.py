"""Telling people of an alert: a line in the log, and a program of the operator's if there is one. How it reaches a person is its affair."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import suppress

from strapline_centre.alert_rows import Alert
from strapline_centre.answers import alert_json, step_json
from strapline_centre.beside import beside_words
from strapline_centre.sentry import Notification

_LOG = logging.getLogger(__name__)


async def tell(notification: Notification, command: Sequence[str], limit_s: float, beside: Sequence[Alert] = ()) -> str:
    """Tell of one, and of what else was told about then; gives what came of it. A program that fails is no reason to stop."""
    alert, step = notification
    about = {"alert": alert.id, "code": alert.code, "subject": alert.subject, "role": step.role, "step": step.number}
    more = beside_words((other.code, other.subject) for other in beside)
    _LOG.warning("alert for %s: %s%s", step.role, alert.text, more, extra=about)
    if not command:
        return "logged"
    text = json.dumps({"alert": alert_json(alert, beside), "step": step_json(step)})
    outcome = await _run(command, text.encode(), limit_s)
    if outcome != "told":
        _LOG.error("the hook has told nobody: %s", outcome, extra=about)
    return outcome


async def _run(command: Sequence[str], text: bytes, limit_s: float) -> str:
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=null, stderr=null)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    try:
        async with asyncio.timeout(limit_s):
            await process.communicate(text)
    except TimeoutError:
        return f"{command[0]}: no end within {limit_s:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return "told" if process.returncode == 0 else f"{command[0]}: status {process.returncode}"
