import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mqtt_recorder import Recorder
from strapline_protocol.mqtt import BrokerError, PahoClient, Will, parse_broker_url, topic_matches
from strapline_protocol.paho_link import (
    BACKOFF_CAP_S,
    EAGER_PAUSE_S,
    FIRST_PAUSE_S,
    SHORTEST_PAUSE_S,
    back_off_s,
    start_pause_s,
)

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

VERSIONS = ["", "?version=5", "?version=3.1.1"]
CONNACK_ACCEPTED_311 = bytes.fromhex("20020000")
CONNACK_WRONG_VERSION = bytes.fromhex("20020001")
CONNACK_ACCEPTED_5_TWO_AT_A_TIME = bytes.fromhex("2006000003210002")
CONNACK_BAD_LOGIN_5 = bytes.fromhex("2003008600")
SUBACK_REFUSED_311 = bytes.fromhex("9003000180")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "covers"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/b", "a", False),
        ("a", "a/b", False),
        ("a/+", "a/b", True),
        ("a/+", "a/", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b", "a/b", True),
        ("+", "/a", False),
        ("/+", "/a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "ab", False),
        ("#", "a/b", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$share/group/a/+", "a/b", True),
        ("$share/group/a/+", "b/b", False),
    ],
)
def test_topic_filters_as_the_standard_has_them(topic_filter, topic, covers):
    assert topic_matches(topic_filter, topic) is covers


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mqtt://h", ("mqtt", "h", 1883, None, None, None)),
        ("mqtts://h", ("mqtts", "h", 8883, None, None, None)),
        ("mqtt://h:77?version=3.1.1", ("mqtt", "h", 77, None, None, "3.1.1")),
        ("mqtt://u:p%40ss@h?version=5", ("mqtt", "h", 1883, "u", "p@ss", "5")),
        ("mqtt://u@[::1]:2", ("mqtt", "::1", 2, "u", None, None)),
    ],
)
def test_urls_are_read(url, parts):
    assert tuple(parse_broker_url(url)) == (*parts, None, None, None, ())


def test_a_url_names_the_brokers_of_a_cluster_and_its_files():
    url = parse_broker_url("mqtts://u:p@a,[::1]:77,c:5?ca=/x/c+a.pem&cert=c%20t.pem&key=k.pem")
    assert url.addresses == (("a", 8883), ("::1", 77), ("c", 5))
    assert (url.user, url.password, url.ca, url.cert, url.key) == ("u", "p", "/x/c+a.pem", "c t.pem", "k.pem")
    assert str(url) == "mqtts://a:8883,[::1]:77,c:5"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:1883",
        "http://h",
        "mqtt://",
        "mqtt://u:geheim@",
        "mqtt://u:geheim@h:port",
        "mqtt://u:geheim@h:70000",
        "mqtt://u:geheim@h:0",
        "mqtt://u:geheim@[h",
        "mqtt://u:geheim@h/topic",
        "mqtt://u:geheim@h?version=4",
        "mqtt://u:geheim@h?qos=1",
        "mqtt://u:geheim",
        "mqtt://u:geheim@h,",
        "mqtt://u:geheim@h?ca=x",
        "mqtts://u:geheim@h?cert=x",
        "mqtts://u:geheim@h?ca=",
    ],
)
def test_a_bad_url_is_one_line_without_the_password(url):
    with pytest.raises(BrokerError) as caught:
        PahoClient(url, "c", [])
    assert "mqtt://[user:password@]host[:port]" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_url_prints_without_the_password():
    url = parse_broker_url("mqtt://u:geheim@h:5")
    assert [str(url), repr(url), f"{url}"] == ["mqtt://h:5"] * 3


def test_the_first_pause_is_drawn_from_all_of_its_window_and_later_ones_double_to_the_cap_with_one_half_drawn():
    assert [back_off_s(1, fraction) for fraction in (0.0, 1.0)] == [SHORTEST_PAUSE_S, FIRST_PAUSE_S]
    assert [back_off_s(n, 1.0) for n in range(2, 6)] == [40, 60, 60, 60]
    assert back_off_s(1000, 0.0) == BACKOFF_CAP_S / 2
    assert [back_off_s(n, 1.0, EAGER_PAUSE_S) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


def test_only_a_machine_that_has_just_booted_waits_before_its_first_connection():
    assert start_pause_s(30.0, 1.0) == FIRST_PAUSE_S
    assert start_pause_s(3600.0, 1.0) == 0.0


def refusal_of(url, **options):
    """Connect to what refuses; the error and how long it took."""

    async def main():
        await PahoClient(url, "c", ["a"], **options).connect(Recorder())

    began = time.monotonic()
    with pytest.raises(BrokerError) as caught:
        asyncio.run(main())
    assert "\n" not in str(caught.value)
    return str(caught.value), time.monotonic() - began


def test_a_refused_port_is_named_at_once():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        words, took = refusal_of(f"mqtt://u:geheim@127.0.0.1:{port}")
    assert words.startswith(f"127.0.0.1:{port}: ")
    assert "geheim" not in words
    assert took < 5


def test_an_unknown_host_is_named():
    words, _ = refusal_of("mqtt://no-such-host.invalid")
    assert words.startswith("no-such-host.invalid:1883: ")


@contextlib.contextmanager
def scripted_server(script, received=None):
    """A TCP server whose n-th connection answers each packet with the next bytes of `script[n]`, then closes.

    An answer of None is silence until the client goes. What comes is added to `received`.
    """
    received = [] if received is None else received
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for answers in script:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    for answer in answers:
                        while data := connection.recv(4096):
                            received.append(data)
                            if answer is not None:
                                connection.sendall(answer)
                                break

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("query", VERSIONS)
def test_a_silent_server_is_left_in_bounded_real_time(query):
    with scripted_server([[None], [None]]) as port:
        words, took = refusal_of(f"mqtt://127.0.0.1:{port}{query}", connect_timeout_s=0.6)
    assert words.startswith(f"127.0.0.1:{port}: no answer within 0.6 s")
    assert took < 4


def test_a_wrong_password_is_said_and_not_tried_again():
    with scripted_server([[CONNACK_BAD_LOGIN_5]]) as port:
        words, _ = refusal_of(f"mqtt://u:geheim@127.0.0.1:{port}")
    assert words.startswith(f"127.0.0.1:{port}: refused: Bad user name or password")
    assert "geheim" not in words


def test_a_refused_subscription_is_named():
    with scripted_server([[CONNACK_ACCEPTED_311, SUBACK_REFUSED_311, None]]) as port:
        words, _ = refusal_of(f"mqtt://127.0.0.1:{port}?version=3.1.1")
    assert "refused a subscription to a;" in words


@pytest.mark.parametrize("first", [CONNACK_WRONG_VERSION, b""], ids=["says so", "just closes"])
def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(first):
    async def main(port):
        client = PahoClient(f"mqtt://127.0.0.1:{port}", "c", [])
        await client.connect(recorder := Recorder())
        await client.close()
        return recorder.heard

    with scripted_server([[first], [CONNACK_ACCEPTED_311, None]]) as port:
        assert asyncio.run(main(port)) == [("up",)]


def test_a_cancelled_connect_leaves_nothing_behind():
    async def main(port):
        task = asyncio.create_task(PahoClient(f"mqtt://127.0.0.1:{port}", "c", []).connect(Recorder()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    with scripted_server([[None]]) as port:
        asyncio.run(main(port))
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("query", VERSIONS)
def test_a_lost_broker_comes_back_with_each_subscription_once(mosquitto, query):
    async def main():
        client = PahoClient(mosquitto.url + query, "c", ["a/+", "b"], jitter=lambda: 0.0)
        await client.connect(recorder := Recorder())
        client.publish("a/1", b"before")
        await recorder.messages_heard(1)
        for _ in range(2):
            ups = recorder.ups
            mosquitto.stop()
            await recorder.until(lambda me, downs=ups: [e[0] for e in me.heard].count("down") == downs)
            token = client.publish("a/1", b"while away")
            mosquitto.start()
            await recorder.until(lambda me, expected=ups + 1: me.ups == expected)
            await recorder.until(lambda me, token=token: token in me.pubacks)
        client.publish("b", b"last")
        await recorder.until(lambda me: ("b", b"last") in me.heard)
        await client.close()
        return recorder

    recorder = asyncio.run(main())
    assert recorder.messages == [("a/1", b"before"), ("a/1", b"while away"), ("a/1", b"while away"), ("b", b"last")]
    downs = [event[1] for event in recorder.heard if event[0] == "down"]
    assert len(downs) == 2
    assert all(reason.startswith(f"127.0.0.1:{mosquitto.port}: ") for reason in downs)


@pytest.mark.parametrize("query", VERSIONS)
def test_a_session_outlives_the_client(mosquitto, query):
    async def main():
        first = PahoClient(mosquitto.url + query, "kept", ["a"])
        await first.connect(Recorder())
        await first.close()
        other = PahoClient(mosquitto.url, "other", [])
        await other.connect(acknowledged := Recorder())
        other.publish("a", b"meanwhile")
        await acknowledged.pubacks_heard(1)
        again = PahoClient(mosquitto.url + query, "kept", ["a"])
        await again.connect(recorder := Recorder())
        await recorder.messages_heard(1)
        await again.close()
        await other.close()
        return recorder.heard

    assert asyncio.run(main()) == [("up",), ("a", b"meanwhile")]


def test_expiry_is_kept_on_mqtt_5(mosquitto):
    async def main():
        first = PahoClient(mosquitto.url, "kept", ["a"])
        await first.connect(Recorder())
        await first.close()
        other = PahoClient(mosquitto.url, "other", [])
        await other.connect(acknowledged := Recorder())
        other.publish("a", b"stale", expiry_s=1)
        other.publish("a", b"good")
        await acknowledged.pubacks_heard(2)
        await asyncio.sleep(2.1)  # the broker's clock is real, in whole seconds
        again = PahoClient(mosquitto.url, "kept", ["a"])
        await again.connect(recorder := Recorder())
        await recorder.messages_heard(1)
        await again.close()
        await other.close()
        return recorder.messages

    assert asyncio.run(main()) == [("a", b"good")]


def test_close_gives_up_on_a_broker_that_acknowledges_nothing(monkeypatch):
    monkeypatch.setattr("strapline_protocol.mqtt.DRAIN_LIMIT_S", 0.2)

    async def main(port):
        client = PahoClient(f"mqtt://127.0.0.1:{port}?version=3.1.1", "c", [])
        await client.connect(recorder := Recorder())
        client.publish("a", b"never acknowledged")
        await client.close()
        return recorder.heard

    began = time.monotonic()
    with scripted_server([[CONNACK_ACCEPTED_311, None]]) as port:
        assert asyncio.run(main(port)) == [("up",)]
    assert time.monotonic() - began < 4


def test_the_brokers_receive_maximum_is_kept(monkeypatch):
    monkeypatch.setattr("strapline_protocol.mqtt.DRAIN_LIMIT_S", 0.2)

    async def main(port):
        client = PahoClient(f"mqtt://127.0.0.1:{port}", "c", [])
        for _ in range(5):
            client.publish("a", b"payload")
        await client.connect(Recorder())
        await client.close()

    received = []
    with scripted_server([[CONNACK_ACCEPTED_5_TWO_AT_A_TIME, None]], received) as port:
        asyncio.run(main(port))
    assert b"".join(received).count(b"payload") == 2


def test_a_reconnection_that_is_never_answered_is_tried_again():
    async def main(port):
        client = PahoClient(
            f"mqtt://127.0.0.1:{port}?version=3.1.1",
            "c",
            [],
            connect_timeout_s=0.4,
            jitter=lambda: 0.0,
            first_pause_s=1.0,
        )
        await client.connect(recorder := Recorder())
        await recorder.until(lambda me: me.ups == 2)
        await client.close()
        return [event[0] for event in recorder.heard]

    with scripted_server([[CONNACK_ACCEPTED_311], [None], [CONNACK_ACCEPTED_311, None]]) as port:
        assert asyncio.run(main(port)) == ["up", "down", "up"]


def test_misuse_is_the_callers_error(mosquitto):
    async def main():
        client = PahoClient(mosquitto.url, "c", [], Will("w", b"gone"))
        with pytest.raises(ValueError):
            client.publish("a/+", b"")
        await client.connect(Recorder())
        await client.close()
        await client.close()
        with pytest.raises(RuntimeError):
            client.publish("a", b"")

    asyncio.run(main())


@pytest.fixture
def tls_files(tmp_path):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@contextlib.contextmanager
def tls_front(port, certificate_file, key_file):
    """A TLS port before a plain one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    ready, stop, loops = threading.Event(), asyncio.Event(), []

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def serve_one(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def main():
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
        loops.extend([asyncio.get_running_loop(), server.sockets[0].getsockname()[1]])
        ready.set()
        await stop.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    ready.wait(10)
    try:
        yield loops[1]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()


def test_tls_with_a_trusted_certificate(mosquitto, tls_files, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_files[0]))

    async def main(port):
        client = PahoClient(f"mqtts://127.0.0.1:{port}", "c", ["a"])
        await client.connect(recorder := Recorder())
        client.publish("a", b"sealed")
        await recorder.messages_heard(1)
        await client.close()
        return recorder.messages

    with tls_front(mosquitto.port, *tls_files) as port:
        assert asyncio.run(main(port)) == [("a", b"sealed")]


def test_tls_refuses_a_certificate_that_nobody_vouches_for(mosquitto, tls_files):
    with tls_front(mosquitto.port, *tls_files) as port:
        words, _ = refusal_of(f"mqtts://127.0.0.1:{port}")
    assert words.startswith(f"127.0.0.1:{port}: its certificate is not trusted")


def test_tls_to_a_plain_port_says_so(mosquitto):
    words, _ = refusal_of(f"mqtts://127.0.0.1:{mosquitto.port}", connect_timeout_s=2.0)
    assert words.startswith(f"127.0.0.1:{mosquitto.port}: ")
