"""A service's control socket, state folder and pages over HTTP: what they answer to friends, strangers and nonsense."""

import asyncio
import json
import socket
from http import HTTPStatus

import pytest

from gateway_process import LIMIT_S
from strapline_protocol.errors import UserError
from strapline_protocol.local_control import SOCKET, ControlServer, NotRunningError, ask
from strapline_protocol.state_folder import held
from strapline_protocol.web_pages import Page, WebServer


def refuse(_asked):
    raise UserError("no; ask otherwise")


HANDLERS = {"echo": lambda asked: asked, "refuse": refuse}


def with_server(folder, story):
    async def main():
        async with ControlServer(folder, HANDLERS):
            return await asyncio.to_thread(story)

    return asyncio.run(main())


def test_an_answer_comes_back_and_a_refusal_is_its_line(tmp_path):
    def story():
        assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o600
        assert ask(tmp_path, "echo", x=[1])["x"] == [1]
        with pytest.raises(UserError, match=r"^no; ask otherwise$"):
            ask(tmp_path, "refuse")

    with_server(tmp_path, story)
    with pytest.raises(NotRunningError, match="nothing runs there"):
        ask(tmp_path, "echo")


@pytest.mark.parametrize("line", [b"\n", b"nonsense\n", b"[]\n", b'{"do": "everything"}\n', b"\xff\n", b'{"do": []}\n'])
def test_nonsense_is_answered_and_does_no_harm(tmp_path, line):
    def story():
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(LIMIT_S)
            stranger.connect(str(tmp_path / SOCKET))
            stranger.sendall(line)
            assert "error" in json.loads(stranger.makefile("rb").readline())
        assert ask(tmp_path, "echo")["do"] == "echo"

    with_server(tmp_path, story)


def test_the_socket_of_a_killed_gateway_is_in_nobodys_way(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / SOCKET))
    with pytest.raises(NotRunningError):
        ask(tmp_path, "echo")
    with_server(tmp_path, lambda: ask(tmp_path, "echo"))


def test_a_folder_is_held_once_and_free_again_after_that(tmp_path):
    state, told = tmp_path / "state", "it runs there already"
    with held(state), pytest.raises(UserError, match=told), held(state):
        pass
    with held(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"name a folder of its own"), held(tmp_path / "file"):
        pass


PAGES = {"/a": lambda: Page(HTTPStatus.OK, "text/plain", b"hello")}


@pytest.mark.parametrize(
    ("request_bytes", "begins", "ends"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK", b"hello"),
        (b"GET /a?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 OK", b"hello"),
        (b"HEAD /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK", b"\r\n\r\n"),
        (b"GET /b HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found", b"/a\n"),
        (b"POST /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed", b"GET only\n"),
        (b"\xff\xfe\r\n\r\n", b"HTTP/1.1 405", b"GET only\n"),
        (b"x" * 20000, b"", b""),
    ],
)
def test_pages_are_served_and_nothing_else_is(request_bytes, begins, ends):
    async def main():
        async with WebServer("127.0.0.1", 0, PAGES) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request_bytes)
            async with asyncio.timeout(LIMIT_S):
                try:
                    answer = await reader.read()
                except ConnectionResetError:
                    answer = b""
            writer.close()
        return answer

    answer = asyncio.run(main())
    assert answer.startswith(begins)
    assert answer.endswith(ends)


def test_an_address_that_is_taken_is_one_line():
    async def main():
        async with WebServer("127.0.0.1", 0, PAGES) as first:
            with pytest.raises(UserError, match=r"metrics.address: cannot listen on 127.0.0.1:"):
                async with WebServer("127.0.0.1", first.port, PAGES):
                    pass

    asyncio.run(main())
