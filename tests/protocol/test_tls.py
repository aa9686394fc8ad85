"""The files that a broker's URL names: each mistake is one line that names the file and the mend."""

import asyncio
import logging
import os
from datetime import timedelta

import pytest
import typer
from typer.testing import CliRunner

from strapline_protocol.broker import BrokerError, parse_broker_url
from strapline_protocol.certificates import files_of, issue, make_authority
from strapline_protocol.certificates_command import register
from strapline_protocol.errors import UserError
from strapline_protocol.mqtt import MessageListener, PahoClient
from strapline_protocol.tls import SOON, client_context, expiries, utc_now, warn_of_expiry

NAME = "6a7e0001"


@pytest.fixture
def folder(tmp_path):
    now = utc_now()
    make_authority(tmp_path, now, 100)
    issue(tmp_path, NAME, now, 90)
    return tmp_path


def url_of(folder, **changed):
    files = {"ca": folder / "ca.pem", "cert": folder / f"{NAME}.pem", "key": folder / f"{NAME}.key"} | changed
    return parse_broker_url("mqtts://h?" + "&".join(f"{name}={path}" for name, path in files.items()))


def refusal_of(url, now=None):
    with pytest.raises(BrokerError) as caught:
        client_context(url, now or utc_now())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_good_files_are_taken(folder):
    context = client_context(url_of(folder), utc_now())
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_what_is_missing_is_named(folder, name):
    path = folder / "nowhere.pem"
    assert refusal_of(url_of(folder, **{name: path})) == f"h:8883: {name}={path} is missing; check the path"


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_what_cannot_be_read_is_named(folder, name):
    words = refusal_of(url_of(folder, **{name: folder}))
    assert words.startswith(f"h:8883: {name}={folder} cannot be read (")


@pytest.mark.parametrize("name", ["ca", "cert"])
@pytest.mark.parametrize(
    "content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_named(folder, name, content):
    path = folder / "rubbish.pem"
    path.write_bytes(content)
    words = refusal_of(url_of(folder, **{name: path}))
    assert words == f"h:8883: {name}={path} holds no certificate; give a PEM file"


def test_a_key_that_is_none_or_has_a_password_is_named(folder):
    path = folder / "other.key"
    path.write_bytes(b"rubbish")
    path.chmod(0o600)
    assert refusal_of(url_of(folder, key=path)) == f"h:8883: key={path} holds no private key; give a PEM file"
    path.write_bytes(locked_key())
    assert f"key={path} has a password; give one without" in refusal_of(url_of(folder, key=path))


def locked_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    lock = serialization.BestAvailableEncryption(b"geheim")
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def test_a_key_of_another_certificate_is_told(folder):
    other = issue(folder, "6a7e0002", utc_now(), 90).key
    assert f"key={other} does not fit cert={folder}/{NAME}.pem;" in refusal_of(url_of(folder, key=other))


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(folder, mode):
    key = files_of(folder, NAME).key
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(mode)
    assert refusal_of(url_of(folder)) == f"h:8883: key={key} can be read by others; chmod 600 {key}"


def test_what_has_expired_or_is_not_valid_yet_is_told(folder):
    url, now = url_of(folder), utc_now()
    assert f"cert={folder}/{NAME}.pem has expired on " in refusal_of(url, now + timedelta(days=95))
    assert f"ca={folder}/ca.pem has expired on " in refusal_of(url, now + timedelta(days=101))
    assert "; set this machine's clock" in refusal_of(url, now - timedelta(days=1))


def test_what_ends_soon_is_told_before_it_does(folder, caplog):
    url, now = url_of(folder), utc_now()
    assert [expiry.path for expiry in expiries(url)] == [f"{folder}/{NAME}.pem", f"{folder}/ca.pem"]
    assert expiries("mqtt://h") == []
    with caplog.at_level(logging.WARNING):
        warn_of_expiry(url, now)
        assert not caplog.messages
        warn_of_expiry(url, now + timedelta(days=90) - SOON + timedelta(hours=1))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"h:8883: the certificate {folder}/{NAME}.pem ends on ")


def test_a_client_says_it_too(folder):
    url = f"mqtts://127.0.0.1:9?cert={folder}/nowhere.pem&key={folder}/{NAME}.key"
    with pytest.raises(BrokerError, match=r"nowhere\.pem is missing"):
        asyncio.run(PahoClient(url, NAME, []).connect(MessageListener(lambda *_message: None)))


# The command.


def run(*arguments):
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_the_command_makes_what_is_wanted_and_keeps_what_is_there(tmp_path):
    folder = tmp_path / "lab"
    assert run(folder, "--gateway", NAME, "--broker", "localhost", "--broker", "127.0.0.1", "--centre").exit_code == 0
    names = {"ca", NAME, "broker", "centre"}
    assert {path.name for path in folder.iterdir()} == {f"{name}{end}" for name in names for end in (".pem", ".key")}
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = run(folder, "--gateway", NAME, "--gateway", "6a7e0002", "--gateway", "6a7e0002")
    assert again.exit_code == 0
    assert f"{folder}/{NAME}.pem is there and stays" in again.output.replace("\n", "")
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"6a7e0002.pem", "6a7e0002.key"}
    for name in (NAME, "6a7e0002", "centre"):
        files = files_of(folder, name)
        client_context(url_of(folder, cert=files.certificate, key=files.key), utc_now())
        assert files.key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ident", ["../../x", "6A7E0001", "kitchen", "6a7e00011"])
def test_a_gateways_name_is_its_id(tmp_path, ident):
    result = run(tmp_path, "--gateway", ident)
    assert isinstance(result.exception, UserError)
    assert "eight digits" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_ca_is_told(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"rubbish")
    with pytest.raises(UserError, match="no CA there that can be used"):
        issue(tmp_path, NAME, utc_now(), 1)
