"""The objects that a service shows on D-Bus: paths, interfaces, properties, and the signals when they change. No Bluetooth in it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dbus_fast import Message, Variant

from strapline_simulator.bluez import errors

PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"

Properties = dict[str, Variant]
Answer = tuple[str, list[Any]]
NOTHING: Answer = ("", [])
Method = Callable[[Message], Awaitable[Answer]]
Setter = Callable[[Variant], Awaitable[None]]


class Interface:
    """One interface of one object: its properties, its methods, and which properties may be set."""

    def __init__(
        self,
        properties: Properties | None = None,
        methods: Mapping[str, Method] | None = None,
        setters: Mapping[str, Setter] | None = None,
    ) -> None:
        self.properties: Properties = dict(properties or {})
        self.methods = dict(methods or {})
        self.setters = dict(setters or {})


class ObjectTree:
    """`send` gets every signal; it may be replaced, or dropped while the service is off the bus."""

    def __init__(self) -> None:
        self.send: Callable[[Message], None] | None = None
        self._objects: dict[str, dict[str, Interface]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._objects

    def paths(self, prefix: str) -> list[str]:
        return [path for path in self._objects if path.startswith(prefix)]

    def add(self, path: str, interfaces: dict[str, Interface]) -> None:
        # gdbus gives every object these two, and tells of them.
        self._objects[path] = {INTROSPECTABLE: Interface(), **interfaces, PROPERTIES: Interface()}
        if path != "/":
            body = [path, {name: interface.properties for name, interface in self._objects[path].items()}]
            self._signal("/", OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", body)

    def remove(self, path: str) -> None:
        """The object and all below it, the deepest first."""
        for each in sorted(self.paths(path), reverse=True):
            if each == path or each.startswith(path + "/"):
                names = list(self._objects.pop(each))
                self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", "oas", [each, names])

    def clear(self) -> None:
        """Without a word: the service is gone."""
        self._objects.clear()

    def get(self, path: str, interface: str, name: str) -> Any:
        """The value of a property, or None."""
        held = self._objects.get(path, {}).get(interface)
        variant = None if held is None else held.properties.get(name)
        return None if variant is None else variant.value

    def holds(self, path: str, interface: str, name: str, value: Variant) -> bool:
        """Whether a property has this value."""
        held = self._objects.get(path, {}).get(interface)
        return held is not None and held.properties.get(name) == value

    def change(self, path: str, interface: str, changed: Properties, invalidated: tuple[str, ...] = ()) -> None:
        """Set properties and tell of it, whether they differ from before or not."""
        held = self._objects.get(path, {}).get(interface)
        if held is None:
            return
        held.properties.update(changed)
        gone = [name for name in invalidated if held.properties.pop(name, None) is not None]
        if changed or gone:
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, gone])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self.send is not None:
            self.send(Message.new_signal(path, interface, member, signature, body))

    async def call(self, message: Message) -> Answer:
        """What a method call gives. Raises DBusError."""
        path, name, member = message.path or "", message.interface or "", message.member or ""
        held = self._objects.get(path)
        if held is None:
            raise errors.unknown_object(name, member)
        if name == OBJECT_MANAGER and path == "/" and member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self._managed()]
        if name == PROPERTIES:
            return await self._properties(held, member, message.body)
        interface = held.get(name)
        if interface is None or member not in interface.methods:
            raise errors.unknown_method(name, member)
        return await interface.methods[member](message)

    def _managed(self) -> dict[str, dict[str, Properties]]:
        return {
            path: {name: interface.properties for name, interface in interfaces.items()}
            for path, interfaces in self._objects.items()
            if path != "/"
        }

    @staticmethod
    async def _properties(held: dict[str, Interface], member: str, body: list[Any]) -> Answer:
        interface = held.get(body[0]) if body else None
        if interface is None:
            raise errors.unknown_method(PROPERTIES, member)
        if member == "GetAll":
            return "a{sv}", [interface.properties]
        name = body[1]
        if name not in interface.properties:
            raise errors.unknown_property(name)
        if member == "Get":
            return "v", [interface.properties[name]]
        if name not in interface.setters:
            raise errors.read_only(name)
        await interface.setters[name](body[2])
        return NOTHING
