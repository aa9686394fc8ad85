"""The words that `needs` takes: drivers, and the roles that they play on a rig."""

from collections.abc import Iterable

from strapline_hil.rig.file import ROLES, RigFile
from strapline_protocol.errors import UserError

DRIVERS = {driver: role for role, drivers in ROLES.items() for driver in drivers}


def check_words(words: Iterable[str], where: str) -> None:
    """Raises `UserError` of the first word that no rig knows."""
    for word in words:
        if word not in DRIVERS and word not in ROLES:
            known = f"a driver ({', '.join(sorted(DRIVERS))}) or a role ({', '.join(ROLES)})"
            raise UserError(f'{where}: needs("{word}"): no such instrument; name {known}')


def lacking(words: Iterable[str], file: RigFile) -> list[str]:
    """Those that this rig has nothing for: another driver that can play the role will do."""
    return sorted(set(words) - file.drivers)
