"""Sockets that listen for callers, with their buffers and probes bounded, and files enough for all. Nothing about who calls."""

import asyncio
import errno
import logging
import resource
import socket
from contextlib import suppress

from strapline_protocol.errors import UserError

_LOG = logging.getLogger(__name__)

_BACKLOG = 1024
"""Callers that the kernel keeps while we are busy."""

_KERNEL_BYTES = 32_768
"""What the kernel keeps each way for one caller (Linux doubles it); by itself it takes megabytes, and one read would take them all."""

_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 105_000}
"""A caller whose network has gone without a word is found out in 105 s; seconds, and milliseconds for the last."""

_SPARE_FILES = 64
"""Left for the outbox, the broker, the log and the radio."""


def allow_files(wanted: int) -> int:
    """Ask the system for so many connections; gives how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = wanted + _SPARE_FILES
    more = enough if hard == resource.RLIM_INFINITY else min(enough, hard)
    if soft != resource.RLIM_INFINITY and soft < more:
        with suppress(OSError, ValueError):  # then it stays at what there is
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    if soft == resource.RLIM_INFINITY or soft >= enough:
        return wanted
    _LOG.warning(
        "this process may open %d files only: %d callers at once instead of %d", soft, soft - _SPARE_FILES, wanted
    )
    return max(1, soft - _SPARE_FILES)


async def listen(name: str, host: str, port: int) -> list[socket.socket]:
    """Sockets for every address that the host has; no host is all of them. Raises `UserError`."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        mend = "0.0.0.0 or [::] is all addresses of this machine"
        raise UserError(f"{name}: nobody knows {host!r} ({_reason(error)}); {mend}") from error
    sockets: list[socket.socket] = []
    refusal = OSError(errno.EADDRNOTAVAIL, "no address")
    for family, kind, protocol, _, address in dict.fromkeys(found):
        chosen = sockets[0].getsockname()[1] if sockets and not port else port
        try:
            sockets.append(_listener(family, kind, protocol, (address[0], chosen, *address[2:])))
        except OSError as error:
            refusal = error
            if not host and error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
                continue  # a machine without IPv6
            break
    else:
        if sockets:
            return sockets
    for opened in sockets:
        opened.close()
    raise UserError(f"{name}: {_mend(refusal)}") from refusal


def _listener(family: int, kind: int, protocol: int, address: tuple[str | int, ...]) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):  # those that it accepts inherit them (tcp(7))
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _mend(error: OSError) -> str:
    reason = _reason(error)
    if error.errno == errno.EADDRINUSE:
        return f"another program listens there ({reason}); choose another port, or end that program"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no such address ({reason}); 0.0.0.0 or [::] is all of them"
    if error.errno == errno.EACCES:
        return f"this user may not listen there ({reason}); choose a port of 1024 or above"
    return f"cannot listen there ({reason})"


def _reason(error: OSError | UnicodeError) -> str:
    return getattr(error, "strerror", None) or str(error)
