"""Whose time a chain lives in: a virtual clock that carries the tag along, or everybody's own."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from strapline_protocol.mqtt import MqttClient, Will
from strapline_simulator.flight import FlightControl
from strapline_simulator.tag_node import TagNode, virtual_loop


class Flights(Protocol):
    """Messages on their way over a broker. A context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...

    def client(self, inner: MqttClient, subscriptions: Sequence[str], will: Will | None = None) -> MqttClient: ...

    def lose(self, client_id: str, topic: str, payload: bytes) -> None:
        """The broker has dropped this message for the client of that id."""

    def forget(self) -> None:
        """The broker has lost what it kept."""


class Pace(Protocol):
    """How time passes."""

    def flights(self) -> Flights:
        """On the running loop."""

    def carry(self, tag: TagNode) -> Callable[[], None]:
        """The tag lives from now on; what is given ends that."""


class VirtualPace:
    """Time jumps from one thing that can happen to the next, and stands still while a message is in flight."""

    def flights(self) -> Flights:
        return FlightControl(virtual_loop())

    def carry(self, tag: TagNode) -> Callable[[], None]:
        loop = virtual_loop()
        loop.add_actor(tag)
        return lambda: loop.remove_actor(tag)


class WallPace:
    """Time goes on by itself: the tag is a board that runs without us, and messages take as long as they take."""

    def flights(self) -> Flights:
        return _Unwatched()

    def carry(self, tag: TagNode) -> Callable[[], None]:
        return lambda: None


class _Unwatched:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def client(self, inner: MqttClient, subscriptions: Sequence[str], will: Will | None = None) -> MqttClient:
        return inner

    def lose(self, client_id: str, topic: str, payload: bytes) -> None:
        pass

    def forget(self) -> None:
        pass
