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
    mode = 0  # 0 combined: positions when away from home; 1 radio: no receiver; 2 satellite: no base station
    home_silence_s = 300  # R15: asked for so long without an answer of a home gateway, the wearer has left
    home_silence_curfew_s = 30  # R15: the same while the curfew says home
    away_fix_s = 180  # R11: 1 min to 3 min
    violation_fix_s = 15  # R11
    fix_timeout_s = 120  # R09: then give up and say so
    locate_at_home = 0  # R50: presence only; 1 where the law lets an order of the centre ask for more
    zone_points = 5  # R32: alarm on the 5th point out
    zone_sure_m = (
        100  # R32: or on the first so far out, if its accuracy allows: reflections between houses err by tens of metres
    )
    no_fix_motion_s = 600  # R14: so long on the move within an hour without a position: a warning
    no_fix_grace_s = 600  # R14: then so long for the sky to come back
    shield_s = 300  # R19: longer than a lift's ride or a train between two stations
    jam_limit = 100  # of 255: jamInd of UBX-MON-RF, 0 without jamming (u-blox M10 interface description)
    strap_sample_ms = 1000  # R01: the loop's resistance at 1 Hz; openings come by the edge latch
    strap_open_ohm = 10000  # the loop is 1 kΩ; a cut one reads the pull-up, above 100 kΩ
    strap_tolerance_percent = 20  # R03: a conductor in parallel, or a longer loop, leaves this band
    strap_altered_samples = 3  # R03: so many samples in a row, so that a connector's glitch does not alarm
    strap_told_openings = 32  # R04: so many one by one; a flapping strap's fold into the latest, with the count of all
    skin_sample_ms = 10000
    skin_margin_centi_c = 150  # R51: a worn sensor differs from its surroundings by more than 1.5 °C
    skin_lost_s = 600  # R51: heat alone votes after 10 min, and only together with the strap it alarms
    removed_s = 120  # R51: with an open strap the second vote needs 2 min
    skin_back_s = 60  # design goal: a warm breath on the sensor is no body
    balance_low_centi_c = 3100  # R51: skin lies at 31 °C to 37 °C in comfort and in bed; where it is as warm, heat says
    balance_high_centi_c = 3800  # nothing
    relaxing_percent = 6  # of the gap in a minute: 60 g off the body close 22 %, a limb in frost 1 % to 2 % (model)
    removed_still_s = 1800  # R51: with a silent strap the second vote needs half an hour of rest ...
    same_centi_c = 80  # ... at the surroundings' temperature, but for two sensors' errors (MAX30205 data sheet) ...
    cool_centi_c = 2800  # ... below 28 °C, where skin is warmer than what is around it ...
    followed_centi_c = 400  # ... after it relaxed as a thing does, or has followed its surroundings over 4 °C
    water_excuse_s = 3600  # R51: after going in or coming out; a bucket is no excuse for days
    moving_mg = 15000  # R52: travelled in 10 s; standing 4 to 12 g, walking 20 g and more (docs/decisions/0018)
    motion_wake_mg = 800  # R13: travelled in 1 s; LIS3DH data sheet: steps of 4 mg at ±8 g make 300 mg of noise at most
    rest_after_s = 600  # R13
    rest_told_s = 3600  # design goal: a restless sleeper must not fill the journal
    steady_samples = 5  # design goal: a splash or a loose plug is over by then
    told_again_s = 600  # design goal: a contact that is played with makes a record pair in 10 min
    too_hot_centi_c = 6000  # the highest at which lithium cells may be discharged (cell makers' data sheets)
    battery_low_percent = 20  # R23
    battery_critical_percent = 10
    battery_last_percent = 3
    battery_last_mv = 3300  # a lithium cell's knee; regulators for 3.0 V to 3.3 V drop out below it
    journal_bytes = 65536  # R25, of flash: ten days with 8 h away and a position every 3 min; whoever makes the block device reads it
    journal_block_bytes = 4096  # what is erased at once: 4 KiB in common NOR flash and in the nRF52840; 128 slots of 32 bytes are the limit
    journal_alarm_reserve = 32  # so many of the journal's slots for alarms alone
    document_limit = 8192  # bytes of a command in parts: it is held whole before it takes effect
    link_window = 8  # records on their way without a receipt
    link_retry_ble_ms = 1000  # a line without an acknowledgement goes again: ten round trips of two 50 ms intervals
    link_retry_cellular_ms = 10000  # a narrow-band round trip can take ten seconds, and each line is paid for
    welcome_wait_ms = 10000  # BLE: whoever connects and does not know the link key by then is disconnected
    receipt_wait_ms = 10000  # then send again, and back off to one hour
    receipt_wait_longest_ms = 3600000
    alarm_fallback_ms = 20000  # R06: an alarm that has no receipt by then is also dialled over cellular
    cellular_idle_ms = 30000  # hang up after so long without anything to wait for
    cellular_linger_ms = 1000  # and so long after the last receipt: each second of a standing line costs current
    cellular_dial_ms = (
        300000  # a modem that says nothing for so long has failed; a cold search for a network takes 2 to 3 min
    )
    cellular_retry_ms = 10000  # dial again, and back off; a receipt or a new event makes it soon again
    time_refresh_s = 6 * 3600  # ask for the time so often; drift of 20 ppm is then below 0.5 s
    curfew_grace_s = 300  # R33: where the curfew changes; a silence of R15's five minutes may still be a way just begun or just ended
    call_in_s = 0  # R53: 300 s in the profile call-in; 0: leaving owes no call
    vibrate_ms = 500  # design goal: felt through a sleeve
    vibrate_every_s = 10  # R26: until the button
    vibrate_for_s = 600  # R22: a motor takes 80 mA; who has not felt it in ten minutes does not wear it
    check_period_s = 86400  # R34: daily
    check_battery_percent = 15  # R34: two days of a tag that lasts 72 h and more (R22) are not asked: charge it before
    homes = ()  # ids of the gateways that are the wearer's home; none: any that says so
    update_confirm_s = 1800  # design goal: a new image that has read no sensor or had no answer by then is given up
    update_restart_ms = 5000  # design goal: what the tag has to say of an update goes out before it restarts
    log_every_epoch = 0  # 1: the receiver stays on and each epoch with a position becomes a record (receiver tests)

    def __init__(self, changes=None):
        for name in changes or ():
            if not hasattr(Config, name):
                raise ValueError("no such setting: " + name)
            self.put(name, changes[name])

    def put(self, name, value):
        setattr(self, name, value)
