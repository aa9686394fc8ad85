"""Charge: what happens in an hour, times what a board and its chips draw for it. Sums and products of documented figures, no fitting."""

from typing import NamedTuple

from strapline_simulator.energy.activity import Activity
from strapline_simulator.energy.boards import Board, Figures, Profile

_AES_BLOCK_K_INSTRUCTIONS = 339.0
"""A block of AES in Python on a Cortex-M3, counted."""

_BLOCKS_PER_SEAL = 8
"""AES blocks of a seal of 32 bytes: B0, associated data, two of the message; the same number of keystream and mask."""

_ADVERTISEMENT_BYTES = 37
_CONNECTION_BYTES = 24
"""A connection event carries a full frame now and then and mostly nothing: reckoned as both ends sending so much."""

_MS_PER_HOUR = 3_600_000.0


class Life(NamedTuple):
    """How long a profile lasts on a board."""

    mah_per_day: float
    hours: float
    parts: dict[str, float]
    """mAh a day by consumer."""


def hour_of(activity: Activity, board: Board, profile: Profile, figures: Figures) -> dict[str, float]:
    """Charge of one hour in a state, mAh by consumer."""
    chips = profile.chips
    if activity.gnss_s and profile.gnss_s_per_hour is not None:
        activity = activity._replace(gnss_s=profile.gnss_s_per_hour)
    has_gnss, has_modem = "gnss" in chips, "modem" in chips
    parts = {
        "sleep": board.sleep_ua / 1000,
        "radio": _radio_mah(activity, board, figures),
        "processor": _processor_mah(activity, board, figures, has_gnss=has_gnss, has_modem=has_modem),
    }
    for name in chips:
        chip = figures.chips[name]
        samples = {"strap": activity.strap_samples, "skin": activity.skin_samples}.get(name, 0.0)
        parts[name] = chip.idle_ua / 1000 + samples * chip.sample_ma * chip.sample_ms / _MS_PER_HOUR
    if has_gnss:
        parts["gnss"] += activity.gnss_s * figures.chips["gnss"].on_ma / 3600
    if has_modem:
        modem = figures.chips["modem"]
        used_mas = activity.dials * modem.search_s * modem.search_ma + activity.line_s * modem.line_ma
        parts["modem"] += (used_mas + activity.standby_s * modem.standby_ma) / 3600
    return parts


def life_of(profile_name: str, board_name: str, activities: dict[str, Activity], figures: Figures) -> Life:
    """A day of the profile on that board, and how long the cell lasts."""
    profile, board = figures.profiles[profile_name], figures.boards[board_name]
    parts: dict[str, float] = {}
    for state, hours in profile.hours.items():
        for part, mah in hour_of(activities[state], board, profile, figures).items():
            parts[part] = parts.get(part, 0.0) + hours * mah
    per_day = sum(parts.values())
    return Life(per_day, figures.cell.capacity_mah * figures.cell.usable / per_day * 24, parts)


def _radio_mah(activity: Activity, board: Board, figures: Figures) -> float:
    radio = figures.radio
    sent_ms = (_ADVERTISEMENT_BYTES + radio.overhead_bytes) * radio.byte_us / 1000
    heard_ms = (radio.between_us + radio.listen_us) / 1000
    advertisement = (
        radio.channels * (sent_ms * board.tx_ma + heard_ms * board.rx_ma) + radio.event_cpu_ms * board.cpu_ma
    )
    carried_ms = (_CONNECTION_BYTES + radio.overhead_bytes) * radio.byte_us / 1000
    exchange = carried_ms * (board.tx_ma + board.rx_ma) + heard_ms * board.rx_ma + radio.event_cpu_ms * board.cpu_ma
    exchanges = activity.connected_s * 1000 / radio.connection_interval_ms
    return (activity.advertisements * advertisement + exchanges * exchange) / _MS_PER_HOUR


def _processor_mah(activity: Activity, board: Board, figures: Figures, *, has_gnss: bool, has_modem: bool) -> float:
    work = figures.work
    seals = activity.advertisements * work.heartbeat + activity.connections * work.connection
    seals += activity.records * work.record + activity.frames * work.link_frame
    ciphers = activity.advertisements + activity.records + activity.frames + 4 * activity.connections
    plain = activity.strap_samples * work.strap_sample + activity.skin_samples * work.skin_sample
    plain += activity.strap_samples * work.motion_batch
    if has_gnss:
        plain += activity.gnss_s * work.gnss_epoch
    k_instructions = (seals + plain) * work.seal_k_instructions
    if board.aes == "python":
        k_instructions += ciphers * _BLOCKS_PER_SEAL * _AES_BLOCK_K_INSTRUCTIONS
    busy_ms = k_instructions * board.cycles_per_instruction / board.cpu_mhz
    wakes = activity.strap_samples + activity.skin_samples + activity.advertisements
    busy_ms += wakes * board.wake_ms
    if has_modem:
        busy_ms += activity.line_s * 50  # a byte's interrupt now and then keeps a twentieth of the time awake
    return busy_ms * board.cpu_ma / _MS_PER_HOUR
