"""A CA of one's own for brokers, gateways and centres: for laboratories and trials. A service has its own, with the key out of reach."""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strapline_protocol.durable import sync_folder, write_new
from strapline_protocol.errors import UserError

AUTHORITY = "ca"
_BACKDATED = timedelta(hours=1)
"""Machines whose clocks are a little behind take a new certificate too."""


class Issued(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def files_of(folder: Path, name: str) -> Issued:
    """Where `name`'s certificate and key are, or go."""
    return Issued(folder / f"{name}.pem", folder / f"{name}.key")


def make_authority(folder: Path, now: datetime, days: int, *, title: str = "Strapline lab CA") -> Issued:
    """Make the CA. Raises `UserError` where there is one already, or the folder cannot be written."""
    key = ec.generate_private_key(ec.SECP256R1())
    uses = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    name = _name(title)
    builder = (
        _builder(name, name, key, now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(uses, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _write(folder, AUTHORITY, builder.sign(key, SHA256()), key)


def issue(folder: Path, name: str, now: datetime, days: int, *, hosts: Sequence[str] = ()) -> Issued:
    """Make `name`'s certificate and key: a broker's where it has `hosts` (names or addresses), else a client's.

    Raises `UserError` as `make_authority` does, and where the folder holds no CA.
    """
    ca, ca_key = _authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    # A node of a cluster is its neighbours' client too.
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
    builder = (
        _builder(_name(name), ca.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
    return _write(folder, name, builder.sign(ca_key, SHA256()), key)


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    files = files_of(folder, AUTHORITY)
    try:
        key = load_pem_private_key(files.key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    except (OSError, ValueError, TypeError):
        raise UserError(f"{folder}: no CA there that can be used; it is {files.certificate} and {files.key}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UserError(f"{files.key}: not a key that this command has made; use the tools of your own CA")
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return names


def _write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    files = files_of(folder, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_new(files.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        write_new(files.certificate, certificate.public_bytes(Encoding.PEM), 0o644)
        sync_folder(folder)
    except FileExistsError as error:
        raise UserError(f"{error.filename} is there already; move it away first") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    return files
