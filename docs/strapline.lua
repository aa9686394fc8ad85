-- Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
-- Use: wireshark -X lua_script:strapline.lua trace.pcapng, or copy it into Wireshark's personal Lua plugins folder.

local strapline = Proto("strapline", "Strapline electronic monitoring")
local opened = Proto("strapline_opened", "Strapline, opened body")
local mqtt = Proto("strapline_mqtt", "Strapline MQTT publication")
local truth = Proto("strapline_truth", "Strapline ground truth")
local NAMES = {
  kind = { [1] = "HEARTBEAT", [2] = "HELLO", [3] = "WELCOME", [4] = "RECORD", [5] = "COMMAND", [6] = "REPLY", [16] = "EVENT", [17] = "FIX", [18] = "TIME_REQUEST", [19] = "TOMBSTONE", [32] = "RECEIPT", [33] = "TIME", [34] = "ARM", [35] = "RECEIPT_FAR", [36] = "DISARM", [37] = "CONFIG", [38] = "CURFEW", [39] = "ZONES", [40] = "MESSAGE", [41] = "LOCATE", [42] = "UPDATE_BEGIN", [43] = "UPDATE_CHUNK", [44] = "UPDATE_COMMIT", [45] = "REFUSED", [46] = "REKEY", [47] = "PART" },
  event = { [1] = "started", [2] = "armed", [3] = "arm_refused", [4] = "beacon", [5] = "disarmed", [6] = "disarm_refused", [7] = "applied", [8] = "command_refused", [9] = "rekeyed", [10] = "checked", [11] = "clock_untrusted", [12] = "clock_trusted", [13] = "journal_fault", [14] = "counter_low", [16] = "strap_open", [17] = "strap_closed", [18] = "strap_altered", [19] = "case_open", [20] = "case_closed", [21] = "immersed", [22] = "surfaced", [24] = "skin_lost", [25] = "skin_back", [26] = "removed", [27] = "too_hot", [32] = "left_home", [33] = "came_home", [34] = "curfew_broken", [35] = "curfew_kept", [36] = "called_in", [37] = "call_in_missed", [40] = "no_fix", [41] = "moving_without_fix", [42] = "located", [43] = "shielded", [44] = "jammed", [45] = "spoofed", [46] = "sky_back", [48] = "zone_broken", [49] = "zone_kept", [56] = "resting", [57] = "moving", [64] = "battery_low", [65] = "battery_critical", [66] = "battery_last", [67] = "charging", [68] = "unplugged", [72] = "message_shown", [73] = "message_answered", [74] = "message_unanswered", [75] = "vibrated", [76] = "button", [80] = "update_taken", [81] = "update_refused", [82] = "update_undone", [83] = "image_corrupt" },
  refusal = { [1] = "unknown_kind", [2] = "malformed", [3] = "out_of_range", [4] = "not_now", [5] = "too_long", [6] = "old_revision", [7] = "cannot_open", [16] = "unsigned", [17] = "wrong_board", [18] = "expired" },
  rule = { [0] = "stay_in", [1] = "stay_out" },
  setting = { [1] = "heartbeat_shortest_ms", [2] = "heartbeat_longest_ms", [3] = "beacon_period_s", [4] = "home_silence_s", [5] = "away_fix_s", [6] = "violation_fix_s", [7] = "fix_timeout_s", [8] = "strap_tolerance_percent", [9] = "skin_lost_s", [10] = "removed_s", [11] = "alarm_fallback_ms", [12] = "rest_after_s", [13] = "removed_still_s", [14] = "battery_low_percent", [15] = "battery_critical_percent", [30] = "mode", [31] = "home_silence_curfew_s", [32] = "locate_at_home", [33] = "zone_points", [34] = "zone_sure_m", [35] = "no_fix_motion_s", [36] = "no_fix_grace_s", [37] = "shield_s", [38] = "jam_limit", [50] = "curfew_grace_s", [51] = "call_in_s" },
  window = { [0] = "may_leave", [1] = "must_leave", [2] = "stay_home" },
}
local KINDS = NAMES.kind
local f = {}
f.version = ProtoField.uint8("strapline.version", "Version", base.DEC, nil, 0xC0)
f.kind = ProtoField.uint8("strapline.kind", "Kind", base.HEX, KINDS, 0x3F)
f.sealed = ProtoField.bytes("strapline.sealed", "Sealed body")
f.mic = ProtoField.bytes("strapline.mic", "MIC")
f.mac = ProtoField.bytes("strapline.mac", "HMAC")
f.opened_kind = ProtoField.uint8("strapline.opened_kind", "Kind", base.HEX, KINDS)
f.trailing = ProtoField.bytes("strapline.trailing", "Trailing bytes of a later version")
f.topic = ProtoField.string("strapline.topic", "Topic")
f.header_version_kind = ProtoField.uint8("strapline.header.version_kind", "version kind", base.DEC)
f.header_pseudonym = ProtoField.uint32("strapline.header.pseudonym", "pseudonym", base.DEC)
f.header_masked_counter = ProtoField.uint32("strapline.header.masked_counter", "masked counter", base.DEC)
f.envelope_kind = ProtoField.uint8("strapline.envelope.kind", "kind", base.DEC)
f.envelope_flags = ProtoField.uint8("strapline.envelope.flags", "flags", base.DEC)
f.envelope_origin = ProtoField.uint32("strapline.envelope.origin", "origin", base.DEC)
f.envelope_number = ProtoField.uint32("strapline.envelope.number", "number", base.DEC)
f.heartbeat_flags = ProtoField.uint16("strapline.heartbeat.flags", "flags", base.DEC)
f.heartbeat_strap_openings = ProtoField.uint8("strapline.heartbeat.strap_openings", "strap openings", base.DEC)
f.heartbeat_battery_percent = ProtoField.uint8("strapline.heartbeat.battery_percent", "battery percent (%)", base.DEC)
f.heartbeat_uptime_4s = ProtoField.uint16("strapline.heartbeat.uptime_4s", "uptime 4s (4 s)", base.DEC)
f.heartbeat_newest_alarm = ProtoField.uint8("strapline.heartbeat.newest_alarm", "newest alarm", base.DEC)
f.hello_nonce = ProtoField.bytes("strapline.hello.nonce", "nonce")
f.welcome_gateway = ProtoField.uint32("strapline.welcome.gateway", "gateway", base.DEC)
f.welcome_nonce = ProtoField.bytes("strapline.welcome.nonce", "nonce")
f.welcome_flags = ProtoField.uint8("strapline.welcome.flags", "flags", base.DEC)
f.reply_boot = ProtoField.uint16("strapline.reply.boot", "boot (boots)", base.DEC)
f.reply_uptime_s = ProtoField.uint32("strapline.reply.uptime_s", "uptime s (s)", base.DEC)
f.event_code = ProtoField.uint8("strapline.event.code", "code", base.DEC, NAMES.event)
f.event_flags = ProtoField.uint8("strapline.event.flags", "flags", base.DEC)
f.event_boot = ProtoField.uint16("strapline.event.boot", "boot (boots)", base.DEC)
f.event_uptime_s = ProtoField.uint32("strapline.event.uptime_s", "uptime s (s)", base.DEC)
f.event_uptime_ms = ProtoField.uint16("strapline.event.uptime_ms", "uptime ms (ms)", base.DEC)
f.event_utc_s = ProtoField.uint32("strapline.event.utc_s", "utc s (s)", base.DEC)
f.event_detail = ProtoField.int32("strapline.event.detail", "detail", base.DEC)
f.fix_boot = ProtoField.uint16("strapline.fix.boot", "boot (boots)", base.DEC)
f.fix_uptime_s = ProtoField.uint32("strapline.fix.uptime_s", "uptime s (s)", base.DEC)
f.fix_utc_s = ProtoField.uint32("strapline.fix.utc_s", "utc s (s)", base.DEC)
f.fix_utc_ms = ProtoField.uint16("strapline.fix.utc_ms", "utc ms (ms)", base.DEC)
f.fix_lat_e7 = ProtoField.int32("strapline.fix.lat_e7", "lat e7 (1e-7 degree)", base.DEC)
f.fix_lon_e7 = ProtoField.int32("strapline.fix.lon_e7", "lon e7 (1e-7 degree)", base.DEC)
f.fix_accuracy_dm = ProtoField.uint16("strapline.fix.accuracy_dm", "accuracy dm (dm)", base.DEC)
f.fix_speed_dm_s = ProtoField.uint8("strapline.fix.speed_dm_s", "speed dm s (dm/s)", base.DEC)
f.fix_flags = ProtoField.uint8("strapline.fix.flags", "flags", base.DEC)
f.time_request_boot = ProtoField.uint16("strapline.time_request.boot", "boot (boots)", base.DEC)
f.time_request_uptime_s = ProtoField.uint32("strapline.time_request.uptime_s", "uptime s (s)", base.DEC)
f.tombstone_boot = ProtoField.uint16("strapline.tombstone.boot", "boot (boots)", base.DEC)
f.tombstone_uptime_s = ProtoField.uint32("strapline.tombstone.uptime_s", "uptime s (s)", base.DEC)
f.tombstone_first = ProtoField.uint32("strapline.tombstone.first", "first", base.DEC)
f.tombstone_last = ProtoField.uint32("strapline.tombstone.last", "last", base.DEC)
f.tombstone_dropped = ProtoField.uint32("strapline.tombstone.dropped", "dropped", base.DEC)
f.receipt_journal = ProtoField.uint32("strapline.receipt.journal", "journal", base.DEC)
f.receipt_base = ProtoField.uint32("strapline.receipt.base", "base", base.DEC)
f.receipt_bitmap = ProtoField.uint32("strapline.receipt.bitmap", "bitmap", base.DEC)
f.receipt_far_journal = ProtoField.uint32("strapline.receipt_far.journal", "journal", base.DEC)
f.receipt_far_first = ProtoField.uint32("strapline.receipt_far.first", "first", base.DEC)
f.receipt_far_bitmap = ProtoField.uint32("strapline.receipt_far.bitmap", "bitmap", base.DEC)
f.time_nonce = ProtoField.bytes("strapline.time.nonce", "nonce")
f.time_utc_s = ProtoField.uint32("strapline.time.utc_s", "utc s (s)", base.DEC)
f.time_utc_ms = ProtoField.uint16("strapline.time.utc_ms", "utc ms (ms)", base.DEC)
f.arm_key_id = ProtoField.uint32("strapline.arm.key_id", "key id", base.DEC)
f.arm_issued_utc_s = ProtoField.uint32("strapline.arm.issued_utc_s", "issued utc s (s)", base.DEC)
f.disarm_key_id = ProtoField.uint32("strapline.disarm.key_id", "key id", base.DEC)
f.disarm_issued_utc_s = ProtoField.uint32("strapline.disarm.issued_utc_s", "issued utc s (s)", base.DEC)
f.home_gateway = ProtoField.uint32("strapline.home.gateway", "gateway", base.DEC)
f.settingvalue_setting = ProtoField.uint16("strapline.settingvalue.setting", "setting", base.DEC, NAMES.setting)
f.settingvalue_value = ProtoField.int32("strapline.settingvalue.value", "value", base.DEC)
f.config_revision = ProtoField.uint32("strapline.config.revision", "revision", base.DEC)
f.zonechange_from_utc_s = ProtoField.uint32("strapline.zonechange.from_utc_s", "from utc s (s)", base.DEC)
f.zonechange_offset_min = ProtoField.int16("strapline.zonechange.offset_min", "offset min (min)", base.DEC)
f.weeklywindow_window = ProtoField.uint8("strapline.weeklywindow.window", "window", base.DEC, NAMES.window)
f.weeklywindow_start_min = ProtoField.uint16("strapline.weeklywindow.start_min", "start min (min)", base.DEC)
f.weeklywindow_length_min = ProtoField.uint16("strapline.weeklywindow.length_min", "length min (min)", base.DEC)
f.oncewindow_window = ProtoField.uint8("strapline.oncewindow.window", "window", base.DEC, NAMES.window)
f.oncewindow_from_utc_s = ProtoField.uint32("strapline.oncewindow.from_utc_s", "from utc s (s)", base.DEC)
f.oncewindow_until_utc_s = ProtoField.uint32("strapline.oncewindow.until_utc_s", "until utc s (s)", base.DEC)
f.curfew_revision = ProtoField.uint32("strapline.curfew.revision", "revision", base.DEC)
f.vertex_lat_e7 = ProtoField.int32("strapline.vertex.lat_e7", "lat e7 (1e-7 degree)", base.DEC)
f.vertex_lon_e7 = ProtoField.int32("strapline.vertex.lon_e7", "lon e7 (1e-7 degree)", base.DEC)
f.zone_zone = ProtoField.uint16("strapline.zone.zone", "zone", base.DEC)
f.zone_rule = ProtoField.uint8("strapline.zone.rule", "rule", base.DEC, NAMES.rule)
f.zone_tolerance_m = ProtoField.uint16("strapline.zone.tolerance_m", "tolerance m (m)", base.DEC)
f.zone_radius_m = ProtoField.uint32("strapline.zone.radius_m", "radius m (m)", base.DEC)
f.zones_revision = ProtoField.uint32("strapline.zones.revision", "revision", base.DEC)
f.message_message = ProtoField.uint32("strapline.message.message", "message", base.DEC)
f.message_flags = ProtoField.uint8("strapline.message.flags", "flags", base.DEC)
f.message_answer_within_s = ProtoField.uint16("strapline.message.answer_within_s", "answer within s (s)", base.DEC)
f.message_language = ProtoField.string("strapline.message.language", "language")
f.message_text = ProtoField.string("strapline.message.text", "text")
f.locate_request = ProtoField.uint32("strapline.locate.request", "request", base.DEC)
f.locate_within_s = ProtoField.uint16("strapline.locate.within_s", "within s (s)", base.DEC)
f.update_begin_update = ProtoField.uint32("strapline.update_begin.update", "update", base.DEC)
f.update_begin_size = ProtoField.uint32("strapline.update_begin.size", "size (bytes)", base.DEC)
f.update_begin_manifest_size = ProtoField.uint16("strapline.update_begin.manifest_size", "manifest size (bytes)", base.DEC)
f.update_begin_digest = ProtoField.bytes("strapline.update_begin.digest", "digest")
f.update_chunk_update = ProtoField.uint32("strapline.update_chunk.update", "update", base.DEC)
f.update_chunk_offset = ProtoField.uint32("strapline.update_chunk.offset", "offset (bytes)", base.DEC)
f.update_chunk_data = ProtoField.bytes("strapline.update_chunk.data", "data")
f.update_commit_update = ProtoField.uint32("strapline.update_commit.update", "update", base.DEC)
f.update_commit_digest = ProtoField.bytes("strapline.update_commit.digest", "digest")
f.refused_journal = ProtoField.uint32("strapline.refused.journal", "journal", base.DEC)
f.refused_sequence = ProtoField.uint32("strapline.refused.sequence", "sequence", base.DEC)
f.refused_reason = ProtoField.uint8("strapline.refused.reason", "reason", base.DEC, NAMES.refusal)
f.rekey_generation = ProtoField.uint32("strapline.rekey.generation", "generation", base.DEC)
f.rekey_salt = ProtoField.bytes("strapline.rekey.salt", "salt")
f.part_document = ProtoField.uint8("strapline.part.document", "document", base.DEC, NAMES.kind)
f.part_transfer = ProtoField.uint32("strapline.part.transfer", "transfer", base.DEC)
f.part_part = ProtoField.uint8("strapline.part.part", "part", base.DEC)
f.part_parts = ProtoField.uint8("strapline.part.parts", "parts", base.DEC)
f.part_content = ProtoField.bytes("strapline.part.content", "content")
f.state_armed = ProtoField.bool("strapline.state.armed", "armed", 16, nil, 0x0001)
f.state_strap_open = ProtoField.bool("strapline.state.strap_open", "strap open", 16, nil, 0x0002)
f.state_strap_latched = ProtoField.bool("strapline.state.strap_latched", "strap latched", 16, nil, 0x0004)
f.state_skin_lost = ProtoField.bool("strapline.state.skin_lost", "skin lost", 16, nil, 0x0008)
f.state_away = ProtoField.bool("strapline.state.away", "away", 16, nil, 0x0010)
f.state_pending = ProtoField.bool("strapline.state.pending", "pending", 16, nil, 0x0020)
f.state_alarm_pending = ProtoField.bool("strapline.state.alarm_pending", "alarm pending", 16, nil, 0x0040)
f.state_clock_trusted = ProtoField.bool("strapline.state.clock_trusted", "clock trusted", 16, nil, 0x0080)
f.state_gnss_on = ProtoField.bool("strapline.state.gnss_on", "gnss on", 16, nil, 0x0100)
f.state_asks = ProtoField.bool("strapline.state.asks", "asks", 16, nil, 0x0200)
strapline.fields = f

local BODIES = {}
local TAKE = {}
TAKE.heartbeat = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.heartbeat_flags, range(at, 2))
  tree:add(f.state_armed, range(at, 2))
  tree:add(f.state_strap_open, range(at, 2))
  tree:add(f.state_strap_latched, range(at, 2))
  tree:add(f.state_skin_lost, range(at, 2))
  tree:add(f.state_away, range(at, 2))
  tree:add(f.state_pending, range(at, 2))
  tree:add(f.state_alarm_pending, range(at, 2))
  tree:add(f.state_clock_trusted, range(at, 2))
  tree:add(f.state_gnss_on, range(at, 2))
  tree:add(f.state_asks, range(at, 2))
  at = at + 2
  if range:len() < at + 1 then return nil end
  tree:add(f.heartbeat_strap_openings, range(at, 1))
  at = at + 1
  if range:len() < at + 1 then return nil end
  tree:add(f.heartbeat_battery_percent, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  tree:add(f.heartbeat_uptime_4s, range(at, 2))
  at = at + 2
  if range:len() < at + 1 then return nil end
  tree:add(f.heartbeat_newest_alarm, range(at, 1))
  at = at + 1
  return at
end
TAKE.hello = function(range, at, tree)
  if range:len() < at + 8 then return nil end
  tree:add(f.hello_nonce, range(at, 8))
  at = at + 8
  return at
end
TAKE.welcome = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.welcome_gateway, range(at, 4))
  at = at + 4
  if range:len() < at + 8 then return nil end
  tree:add(f.welcome_nonce, range(at, 8))
  at = at + 8
  if range:len() < at + 1 then return nil end
  tree:add(f.welcome_flags, range(at, 1))
  at = at + 1
  return at
end
TAKE.reply = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.reply_boot, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.reply_uptime_s, range(at, 4))
  at = at + 4
  return at
end
TAKE.event = function(range, at, tree)
  if range:len() < at + 1 then return nil end
  tree:add(f.event_code, range(at, 1))
  at = at + 1
  if range:len() < at + 1 then return nil end
  tree:add(f.event_flags, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  tree:add(f.event_boot, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.event_uptime_s, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.event_uptime_ms, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.event_utc_s, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.event_detail, range(at, 4))
  at = at + 4
  return at
end
TAKE.fix = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.fix_boot, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.fix_uptime_s, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.fix_utc_s, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.fix_utc_ms, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.fix_lat_e7, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.fix_lon_e7, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.fix_accuracy_dm, range(at, 2))
  at = at + 2
  if range:len() < at + 1 then return nil end
  tree:add(f.fix_speed_dm_s, range(at, 1))
  at = at + 1
  if range:len() < at + 1 then return nil end
  tree:add(f.fix_flags, range(at, 1))
  at = at + 1
  return at
end
TAKE.time_request = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.time_request_boot, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.time_request_uptime_s, range(at, 4))
  at = at + 4
  return at
end
TAKE.tombstone = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.tombstone_boot, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.tombstone_uptime_s, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.tombstone_first, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.tombstone_last, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.tombstone_dropped, range(at, 4))
  at = at + 4
  return at
end
TAKE.receipt = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_journal, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_base, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_bitmap, range(at, 4))
  at = at + 4
  return at
end
TAKE.receipt_far = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_far_journal, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_far_first, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.receipt_far_bitmap, range(at, 4))
  at = at + 4
  return at
end
TAKE.time = function(range, at, tree)
  if range:len() < at + 8 then return nil end
  tree:add(f.time_nonce, range(at, 8))
  at = at + 8
  if range:len() < at + 4 then return nil end
  tree:add(f.time_utc_s, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.time_utc_ms, range(at, 2))
  at = at + 2
  return at
end
TAKE.arm = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.arm_key_id, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.arm_issued_utc_s, range(at, 4))
  at = at + 4
  return at
end
TAKE.disarm = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.disarm_key_id, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.disarm_issued_utc_s, range(at, 4))
  at = at + 4
  return at
end
TAKE.home = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.home_gateway, range(at, 4))
  at = at + 4
  return at
end
TAKE.settingvalue = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.settingvalue_setting, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.settingvalue_value, range(at, 4))
  at = at + 4
  return at
end
TAKE.config = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.config_revision, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  local homes = range(at, 1):uint()
  at = at + 1
  for i = 1, homes do
    local entry = tree:add(strapline, range(), "Home " .. i)
    at = TAKE.home(range, at, entry)
    if not at then return nil end
  end
  if range:len() < at + 1 then return nil end
  local settings = range(at, 1):uint()
  at = at + 1
  for i = 1, settings do
    local entry = tree:add(strapline, range(), "SettingValue " .. i)
    at = TAKE.settingvalue(range, at, entry)
    if not at then return nil end
  end
  return at
end
TAKE.zonechange = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.zonechange_from_utc_s, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.zonechange_offset_min, range(at, 2))
  at = at + 2
  return at
end
TAKE.weeklywindow = function(range, at, tree)
  if range:len() < at + 1 then return nil end
  tree:add(f.weeklywindow_window, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  tree:add(f.weeklywindow_start_min, range(at, 2))
  at = at + 2
  if range:len() < at + 2 then return nil end
  tree:add(f.weeklywindow_length_min, range(at, 2))
  at = at + 2
  return at
end
TAKE.oncewindow = function(range, at, tree)
  if range:len() < at + 1 then return nil end
  tree:add(f.oncewindow_window, range(at, 1))
  at = at + 1
  if range:len() < at + 4 then return nil end
  tree:add(f.oncewindow_from_utc_s, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.oncewindow_until_utc_s, range(at, 4))
  at = at + 4
  return at
end
TAKE.curfew = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.curfew_revision, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  local changes = range(at, 1):uint()
  at = at + 1
  for i = 1, changes do
    local entry = tree:add(strapline, range(), "ZoneChange " .. i)
    at = TAKE.zonechange(range, at, entry)
    if not at then return nil end
  end
  if range:len() < at + 1 then return nil end
  local weekly = range(at, 1):uint()
  at = at + 1
  for i = 1, weekly do
    local entry = tree:add(strapline, range(), "WeeklyWindow " .. i)
    at = TAKE.weeklywindow(range, at, entry)
    if not at then return nil end
  end
  if range:len() < at + 1 then return nil end
  local once = range(at, 1):uint()
  at = at + 1
  for i = 1, once do
    local entry = tree:add(strapline, range(), "OnceWindow " .. i)
    at = TAKE.oncewindow(range, at, entry)
    if not at then return nil end
  end
  return at
end
TAKE.vertex = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.vertex_lat_e7, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.vertex_lon_e7, range(at, 4))
  at = at + 4
  return at
end
TAKE.zone = function(range, at, tree)
  if range:len() < at + 2 then return nil end
  tree:add(f.zone_zone, range(at, 2))
  at = at + 2
  if range:len() < at + 1 then return nil end
  tree:add(f.zone_rule, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  tree:add(f.zone_tolerance_m, range(at, 2))
  at = at + 2
  if range:len() < at + 4 then return nil end
  tree:add(f.zone_radius_m, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  local vertices = range(at, 1):uint()
  at = at + 1
  for i = 1, vertices do
    local entry = tree:add(strapline, range(), "Vertex " .. i)
    at = TAKE.vertex(range, at, entry)
    if not at then return nil end
  end
  return at
end
TAKE.zones = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.zones_revision, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  local zones = range(at, 1):uint()
  at = at + 1
  for i = 1, zones do
    local entry = tree:add(strapline, range(), "Zone " .. i)
    at = TAKE.zone(range, at, entry)
    if not at then return nil end
  end
  return at
end
TAKE.message = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.message_message, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  tree:add(f.message_flags, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  tree:add(f.message_answer_within_s, range(at, 2))
  at = at + 2
  if range:len() < at + 2 then return nil end
  local language = range(at, 2):uint()
  at = at + 2
  if range:len() < at + language then return nil end
  if language > 0 then tree:add(f.message_language, range(at, language), range(at, language):string(ENC_UTF_8)) end
  at = at + language
  if range:len() < at + 2 then return nil end
  local text = range(at, 2):uint()
  at = at + 2
  if range:len() < at + text then return nil end
  if text > 0 then tree:add(f.message_text, range(at, text), range(at, text):string(ENC_UTF_8)) end
  at = at + text
  return at
end
TAKE.locate = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.locate_request, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.locate_within_s, range(at, 2))
  at = at + 2
  return at
end
TAKE.update_begin = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.update_begin_update, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.update_begin_size, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  tree:add(f.update_begin_manifest_size, range(at, 2))
  at = at + 2
  if range:len() < at + 32 then return nil end
  tree:add(f.update_begin_digest, range(at, 32))
  at = at + 32
  return at
end
TAKE.update_chunk = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.update_chunk_update, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.update_chunk_offset, range(at, 4))
  at = at + 4
  if range:len() < at + 2 then return nil end
  local data = range(at, 2):uint()
  at = at + 2
  if range:len() < at + data then return nil end
  if data > 0 then tree:add(f.update_chunk_data, range(at, data)) end
  at = at + data
  return at
end
TAKE.update_commit = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.update_commit_update, range(at, 4))
  at = at + 4
  if range:len() < at + 32 then return nil end
  tree:add(f.update_commit_digest, range(at, 32))
  at = at + 32
  return at
end
TAKE.refused = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.refused_journal, range(at, 4))
  at = at + 4
  if range:len() < at + 4 then return nil end
  tree:add(f.refused_sequence, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  tree:add(f.refused_reason, range(at, 1))
  at = at + 1
  return at
end
TAKE.rekey = function(range, at, tree)
  if range:len() < at + 4 then return nil end
  tree:add(f.rekey_generation, range(at, 4))
  at = at + 4
  if range:len() < at + 16 then return nil end
  tree:add(f.rekey_salt, range(at, 16))
  at = at + 16
  return at
end
TAKE.part = function(range, at, tree)
  if range:len() < at + 1 then return nil end
  tree:add(f.part_document, range(at, 1))
  at = at + 1
  if range:len() < at + 4 then return nil end
  tree:add(f.part_transfer, range(at, 4))
  at = at + 4
  if range:len() < at + 1 then return nil end
  tree:add(f.part_part, range(at, 1))
  at = at + 1
  if range:len() < at + 1 then return nil end
  tree:add(f.part_parts, range(at, 1))
  at = at + 1
  if range:len() < at + 2 then return nil end
  local content = range(at, 2):uint()
  at = at + 2
  if range:len() < at + content then return nil end
  if content > 0 then tree:add(f.part_content, range(at, content)) end
  at = at + content
  return at
end
BODIES[1] = function(range, tree)
  local at = TAKE.heartbeat(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[2] = function(range, tree)
  local at = TAKE.hello(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[3] = function(range, tree)
  local at = TAKE.welcome(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[6] = function(range, tree)
  local at = TAKE.reply(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[16] = function(range, tree)
  local at = TAKE.event(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[17] = function(range, tree)
  local at = TAKE.fix(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[18] = function(range, tree)
  local at = TAKE.time_request(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[19] = function(range, tree)
  local at = TAKE.tombstone(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[32] = function(range, tree)
  local at = TAKE.receipt(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[35] = function(range, tree)
  local at = TAKE.receipt_far(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[33] = function(range, tree)
  local at = TAKE.time(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[34] = function(range, tree)
  local at = TAKE.arm(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[36] = function(range, tree)
  local at = TAKE.disarm(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[37] = function(range, tree)
  local at = TAKE.config(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[38] = function(range, tree)
  local at = TAKE.curfew(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[39] = function(range, tree)
  local at = TAKE.zones(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[40] = function(range, tree)
  local at = TAKE.message(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[41] = function(range, tree)
  local at = TAKE.locate(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[42] = function(range, tree)
  local at = TAKE.update_begin(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[43] = function(range, tree)
  local at = TAKE.update_chunk(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[44] = function(range, tree)
  local at = TAKE.update_commit(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[45] = function(range, tree)
  local at = TAKE.refused(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[46] = function(range, tree)
  local at = TAKE.rekey(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
BODIES[47] = function(range, tree)
  local at = TAKE.part(range, 0, tree)
  if not at then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
  elseif at < range:len() then
    tree:add(f.trailing, range(at))
  end
end
local function body_of(kind, range, tree)
  local parse = BODIES[kind]
  if parse then parse(range, tree) else tree:add(f.sealed, range) end
end

function strapline.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(strapline, buffer())
  if buffer:len() < 1 then return end
  local kind = bit32 and bit32.band(buffer(0, 1):uint(), 0x3F) or buffer(0, 1):uint() % 64
  tree:add(f.version, buffer(0, 1))
  tree:add(f.kind, buffer(0, 1))
  pinfo.cols.info = KINDS[kind] or string.format("unknown kind 0x%02x", kind)
  if buffer:len() < 5 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated header")
    return
  end
  tree:add(f.header_pseudonym, buffer(1, 4))
  local clear = { [2] = 8, [3] = 13 }
  if clear[kind] then
    if buffer:len() < 5 + clear[kind] + 8 then
      tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
      return
    end
    body_of(kind, buffer(5, buffer:len() - 13), tree)
    tree:add(f.mac, buffer(buffer:len() - 8, 8))
    return
  end
  if buffer:len() < 17 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated frame")
    return
  end
  tree:add(f.header_masked_counter, buffer(5, 4))
  if buffer:len() > 17 then tree:add(f.sealed, buffer(9, buffer:len() - 17)) end
  tree:add(f.mic, buffer(buffer:len() - 8, 8))
end

function opened.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(opened, buffer())
  if buffer:len() < 1 then return end
  local kind = buffer(0, 1):uint()
  tree:add(f.opened_kind, buffer(0, 1))
  pinfo.cols.info = (KINDS[kind] or string.format("unknown kind 0x%02x", kind)) .. " (opened)"
  if buffer:len() > 1 then body_of(kind, buffer(1), tree) end
end

function mqtt.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "Strapline"
  local tree = root:add(mqtt, buffer())
  local size = 0
  while size < buffer:len() and buffer(size, 1):uint() ~= 0 do size = size + 1 end
  if size > 0 then
    tree:add(f.topic, buffer(0, size))
    pinfo.cols.info = buffer(0, size):string()
  end
  if size + 1 < buffer:len() then Dissector.get("json"):call(buffer(size + 1):tvb(), pinfo, root) end
end

function truth.dissector(buffer, pinfo, root)
  root:add(truth, buffer())
  Dissector.get("json"):call(buffer():tvb(), pinfo, root)
  pinfo.cols.protocol = "Strapline"
  pinfo.cols.info = "truth: " .. buffer():string()
end

local link_types = DissectorTable.get("wtap_encap")
link_types:add(wtap.USER0, strapline)
link_types:add(wtap.USER1, strapline)
link_types:add(wtap.USER3, truth)
link_types:add(wtap.USER4, mqtt)
link_types:add(wtap.USER5, opened)
link_types:add(wtap.USER6, strapline)
