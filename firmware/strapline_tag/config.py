# What a deployment may choose, with units in the names. Each default with its source (R-numbers: docs/requirements.md).


class Config:
    heartbeat_shortest_ms = 1000  # R17: 1 s to 10 s, drawn anew each time
    heartbeat_longest_ms = 10000
    burst_count = 10  # after an alarm: advertisements 100 ms apart, so that a gateway's next scan window has one
    burst_spacing_ms = 100
    quick_spacing_ms = (
        1000  # on average: until an alarm's receipt is here, and for the first heartbeats after any other event
    )
    quick_count = 5
    beacon_period_s = 4 * 3600  # R11
    home_silence_s = 300  # R15: without an authenticated home gateway for so long, the wearer has left
    away_fix_s = 180  # R11: 1 min to 3 min
    violation_fix_s = 15  # R11
    fix_timeout_s = 120  # R09: then give up and say so
    strap_sample_ms = 1000  # R01: the loop's resistance at 1 Hz; openings come by the edge latch
    strap_open_ohm = 10000  # the loop is 1 kΩ; a cut one reads the pull-up, above 100 kΩ
    strap_tolerance_percent = 20  # R03: a conductor in parallel, or a longer loop, leaves this band
    strap_altered_samples = 3  # R03: so many samples in a row, so that a connector's glitch does not alarm
    skin_sample_ms = 10000
    skin_margin_centi_c = 150  # R51: a worn sensor differs from its surroundings by more than 1.5 °C
    skin_lost_s = 600  # R51: heat alone votes after 10 min, and only together with the strap it alarms
    removed_s = 120  # R51: with an open strap the second vote needs 2 min
    journal_entries = 512  # how many records a journal holds in memory
    journal_alarm_reserve = 32  # so many of them for alarms alone
    document_limit = 8192  # bytes of a command in parts: it is held whole before it takes effect
    link_window = 8  # records on their way without a receipt
    link_retry_ble_ms = 1000  # a line without an acknowledgement goes again: ten round trips of two 50 ms intervals
    link_retry_cellular_ms = 10000  # a narrow-band round trip can take ten seconds, and each line is paid for
    welcome_wait_ms = 10000  # BLE: whoever connects and does not know the link key by then is disconnected
    receipt_wait_ms = 10000  # then send again, and back off to one hour
    receipt_wait_longest_ms = 3600000
    alarm_fallback_ms = 20000  # R06: an alarm that has no receipt by then is also dialled over cellular
    cellular_idle_ms = 30000  # hang up after so long without anything to wait for
    cellular_dial_ms = (
        300000  # a modem that says nothing for so long has failed; a cold search for a network takes 2 to 3 min
    )
    cellular_retry_ms = 10000  # dial again, and back off to one hour; a receipt or a new event makes it soon again
    time_refresh_s = 6 * 3600  # ask for the time so often; drift of 20 ppm is then below 0.5 s
    log_every_epoch = 0  # 1: the receiver stays on and each epoch with a position becomes a record (receiver tests)

    def __init__(self, changes=None):
        for name in changes or ():
            if not hasattr(Config, name):
                raise ValueError("no such setting: " + name)
            setattr(self, name, changes[name])
