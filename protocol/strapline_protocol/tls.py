"""TLS of a broker's client: the files that its URL names, checked before they are used. Nothing about MQTT."""

import logging
import os
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strapline_protocol.broker import BrokerError, BrokerUrl, parse_broker_url

SOON = timedelta(days=30)
"""A certificate that ends sooner is told in the log."""

_LOG = logging.getLogger(__name__)


class Expiry(NamedTuple):
    """When a certificate in a file ends."""

    path: str
    ends: datetime


class ClientContext(ssl.SSLContext):
    """A context that knows why the other side ended the last connection: with TLS 1.3 it says so after the handshake only."""

    alert = ""


class TlsSocket(ssl.SSLSocket):
    """Closes when the handshake fails, which paho leaves to the garbage collector, and notes why the broker ends a connection."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise

    def read(self, *arguments: Any) -> Any:
        with self._heeding():
            return super().read(*arguments)

    def send(self, *arguments: Any) -> int:
        with self._heeding():
            return super().send(*arguments)

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        try:
            yield
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if isinstance(self.context, ClientContext):
                self.context.alert = error.reason or ""
            raise


def client_context(url: BrokerUrl, now: datetime) -> ClientContext:
    """What `url` asks for: TLS 1.2 or newer, the host's name checked. Raises `BrokerError` that names the file and the mend."""
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TlsSocket
    if url.ca is None:
        context.load_default_certs()
    else:
        _check_dates(url, "ca", url.ca, now)
        context.load_verify_locations(cafile=url.ca)
    load_certificate(context, url, now)
    return context


def load_certificate(context: ssl.SSLContext, url: BrokerUrl, now: datetime) -> None:
    """Use the client's certificate as its files have it now: a renewed one counts from the next connection on."""
    if url.cert is None or url.key is None:
        return
    certificate = _check_dates(url, "cert", url.cert, now)[0]
    if _private_key(url, url.key).public_key() != certificate.public_key():
        raise BrokerError(
            f"{url.place}: key={url.key} does not fit cert={url.cert}; give the key that the certificate was made for"
        )
    try:
        context.load_cert_chain(url.cert, url.key)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"{url.place}: cert={url.cert} cannot be used ({error}); make it anew") from None


def expiries(url: str | BrokerUrl) -> list[Expiry]:
    """When the certificates that a broker's URL names end, the soonest first; for metrics. Raises `BrokerError`."""
    parsed = parse_broker_url(url) if isinstance(url, str) else url
    named = [(name, path) for name, path in (("cert", parsed.cert), ("ca", parsed.ca)) if path is not None]
    ends = [Expiry(path, one.not_valid_after_utc) for name, path in named for one in _certificates(parsed, name, path)]
    return sorted(ends, key=lambda expiry: expiry.ends)


def warn_of_expiry(url: BrokerUrl, now: datetime) -> None:
    """Say in the log which certificate ends within `SOON`."""
    for path, ends in expiries(url):
        if ends - now < SOON:
            _LOG.warning("%s: the certificate %s ends on %s; renew it", url.place, path, ends.date().isoformat())


def utc_now() -> datetime:
    """The wall clock, which certificates are judged by."""
    return datetime.now(UTC)


def _certificates(url: BrokerUrl, name: str, path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(url, name, path))
    except ValueError:
        raise BrokerError(f"{url.place}: {name}={path} holds no certificate; give a PEM file") from None


def _check_dates(url: BrokerUrl, name: str, path: str, now: datetime) -> list[x509.Certificate]:
    found = _certificates(url, name, path)
    for reason, mend in _faults(found, now):
        raise BrokerError(f"{url.place}: {name}={path} {reason}; {mend}")
    return found


def _faults(found: list[x509.Certificate], now: datetime) -> Iterator[tuple[str, str]]:
    for one in found:
        if now > one.not_valid_after_utc:
            yield f"has expired on {one.not_valid_after_utc.date().isoformat()}", "renew it"
        elif now < one.not_valid_before_utc:
            yield f"is valid only from {one.not_valid_before_utc.isoformat()} on", "set this machine's clock"


def _private_key(url: BrokerUrl, path: str) -> Any:
    content = _content(url, "key", path)
    if os.name == "posix" and stat.S_IMODE(Path(path).stat().st_mode) & 0o077:
        raise BrokerError(f"{url.place}: key={path} can be read by others; chmod 600 {path}")
    try:
        return load_pem_private_key(content, None)
    except TypeError:
        raise BrokerError(
            f"{url.place}: key={path} has a password; give one without, which only its user can read"
        ) from None
    except ValueError:
        raise BrokerError(f"{url.place}: key={path} holds no private key; give a PEM file") from None


def _content(url: BrokerUrl, name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise BrokerError(f"{url.place}: {name}={path} is missing; check the path") from None
    except OSError as error:
        raise BrokerError(
            f"{url.place}: {name}={path} cannot be read ({error.strerror}); let this user read it"
        ) from None
