"""Refusals, by the names and in the words of BlueZ 5.66 (src/error.c, src/gatt-client.c): bleak reads both."""

from bumble import att
from dbus_fast import DBusError

_PREFIX = "org.bluez.Error."


def in_progress() -> DBusError:
    return DBusError(_PREFIX + "InProgress", "Operation already in progress")


def gatt_in_progress() -> DBusError:
    return DBusError(_PREFIX + "InProgress", "In Progress")


def not_ready() -> DBusError:
    return DBusError(_PREFIX + "NotReady", "Resource Not Ready")


def failed(words: str) -> DBusError:
    return DBusError(_PREFIX + "Failed", words)


def does_not_exist() -> DBusError:
    return DBusError(_PREFIX + "DoesNotExist", "Does Not Exist")


def not_supported() -> DBusError:
    return DBusError(_PREFIX + "NotSupported", "Operation is not supported")


def invalid_arguments() -> DBusError:
    return DBusError(_PREFIX + "InvalidArguments", "Invalid arguments in method call")


def unknown_object(interface: str, member: str) -> DBusError:
    return DBusError("org.freedesktop.DBus.Error.UnknownObject", _no_such_method(interface, member))


def unknown_method(interface: str, member: str) -> DBusError:
    return DBusError("org.freedesktop.DBus.Error.UnknownMethod", _no_such_method(interface, member))


def _no_such_method(interface: str, member: str) -> str:
    return f'Method "{member}" on interface "{interface}" doesn\'t exist\n'


def unknown_property(name: str) -> DBusError:
    return DBusError("org.freedesktop.DBus.Error.InvalidArgs", f"No such property '{name}'")


def read_only(name: str) -> DBusError:
    return DBusError("org.freedesktop.DBus.Error.PropertyReadOnly", f"Property '{name}' is not writable")


_OF_ATT = {
    att.ErrorCode.READ_NOT_PERMITTED: ("NotPermitted", "Read not permitted"),
    att.ErrorCode.WRITE_NOT_PERMITTED: ("NotPermitted", "Write not permitted"),
    att.ErrorCode.INSUFFICIENT_AUTHENTICATION: ("NotPermitted", "Not paired"),
    att.ErrorCode.INSUFFICIENT_ENCRYPTION: ("NotPermitted", "Not paired"),
    att.ErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE: ("NotPermitted", "Not paired"),
    att.ErrorCode.INVALID_OFFSET: ("InvalidArguments", "Invalid offset"),
    att.ErrorCode.INVALID_ATTRIBUTE_LENGTH: ("InvalidArguments", "Invalid Length"),
    att.ErrorCode.INSUFFICIENT_AUTHORIZATION: ("NotAuthorized", "Operation Not Authorized"),
    att.ErrorCode.REQUEST_NOT_SUPPORTED: ("NotSupported", "Operation is not supported"),
}


def of_att(code: int) -> DBusError:
    """As `create_gatt_dbus_error` names the peer's refusal."""
    known = _OF_ATT.get(att.ErrorCode(code))
    if known is not None:
        return DBusError(_PREFIX + known[0], known[1])
    return failed(f"Operation failed with ATT error: 0x{code:02x}")
