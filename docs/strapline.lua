-- Made by strapline_protocol.generate from strapline_protocol.definitions; edit those, then run `make generate`.
-- Use: wireshark -X lua_script:strapline.lua trace.pcapng, or copy it into Wireshark's personal Lua plugins folder.

local strapline = Proto("strapline", "Strapline electronic monitoring")
local opened = Proto("strapline_opened", "Strapline, opened body")
local mqtt = Proto("strapline_mqtt", "Strapline MQTT publication")
local truth = Proto("strapline_truth", "Strapline ground truth")
local KINDS = { [1] = "HEARTBEAT", [2] = "HELLO", [3] = "WELCOME", [4] = "RECORD", [5] = "COMMAND", [6] = "REPLY", [16] = "EVENT", [17] = "FIX", [18] = "TIME_REQUEST", [32] = "RECEIPT", [33] = "TIME", [34] = "ARM", [35] = "RECEIPT_FAR" }
local EVENT_CODES = { [1] = "started", [2] = "armed", [3] = "arm_refused", [4] = "beacon", [16] = "strap_open", [17] = "strap_closed", [18] = "strap_altered", [24] = "skin_lost", [25] = "skin_back", [26] = "removed", [32] = "left_home", [33] = "came_home", [40] = "no_fix" }
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
f.event_code = ProtoField.uint8("strapline.event.code", "code", base.DEC, EVENT_CODES)
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
f.state_armed = ProtoField.bool("strapline.state.armed", "armed", 16, nil, 0x0001)
f.state_strap_open = ProtoField.bool("strapline.state.strap_open", "strap open", 16, nil, 0x0002)
f.state_strap_latched = ProtoField.bool("strapline.state.strap_latched", "strap latched", 16, nil, 0x0004)
f.state_skin_lost = ProtoField.bool("strapline.state.skin_lost", "skin lost", 16, nil, 0x0008)
f.state_away = ProtoField.bool("strapline.state.away", "away", 16, nil, 0x0010)
f.state_pending = ProtoField.bool("strapline.state.pending", "pending", 16, nil, 0x0020)
f.state_alarm_pending = ProtoField.bool("strapline.state.alarm_pending", "alarm pending", 16, nil, 0x0040)
f.state_clock_trusted = ProtoField.bool("strapline.state.clock_trusted", "clock trusted", 16, nil, 0x0080)
f.state_gnss_on = ProtoField.bool("strapline.state.gnss_on", "gnss on", 16, nil, 0x0100)
strapline.fields = f

local BODIES = {}
BODIES[1] = function(range, tree)
  if range:len() < 7 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.heartbeat_flags, range(0, 2))
  tree:add(f.state_armed, range(0, 2))
  tree:add(f.state_strap_open, range(0, 2))
  tree:add(f.state_strap_latched, range(0, 2))
  tree:add(f.state_skin_lost, range(0, 2))
  tree:add(f.state_away, range(0, 2))
  tree:add(f.state_pending, range(0, 2))
  tree:add(f.state_alarm_pending, range(0, 2))
  tree:add(f.state_clock_trusted, range(0, 2))
  tree:add(f.state_gnss_on, range(0, 2))
  tree:add(f.heartbeat_strap_openings, range(2, 1))
  tree:add(f.heartbeat_battery_percent, range(3, 1))
  tree:add(f.heartbeat_uptime_4s, range(4, 2))
  tree:add(f.heartbeat_newest_alarm, range(6, 1))
  if range:len() > 7 then tree:add(f.trailing, range(7)) end
end
BODIES[2] = function(range, tree)
  if range:len() < 8 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.hello_nonce, range(0, 8))
  if range:len() > 8 then tree:add(f.trailing, range(8)) end
end
BODIES[3] = function(range, tree)
  if range:len() < 13 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.welcome_gateway, range(0, 4))
  tree:add(f.welcome_nonce, range(4, 8))
  tree:add(f.welcome_flags, range(12, 1))
  if range:len() > 13 then tree:add(f.trailing, range(13)) end
end
BODIES[6] = function(range, tree)
  if range:len() < 6 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.reply_boot, range(0, 2))
  tree:add(f.reply_uptime_s, range(2, 4))
  if range:len() > 6 then tree:add(f.trailing, range(6)) end
end
BODIES[16] = function(range, tree)
  if range:len() < 18 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.event_code, range(0, 1))
  tree:add(f.event_flags, range(1, 1))
  tree:add(f.event_boot, range(2, 2))
  tree:add(f.event_uptime_s, range(4, 4))
  tree:add(f.event_uptime_ms, range(8, 2))
  tree:add(f.event_utc_s, range(10, 4))
  tree:add(f.event_detail, range(14, 4))
  if range:len() > 18 then tree:add(f.trailing, range(18)) end
end
BODIES[17] = function(range, tree)
  if range:len() < 24 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.fix_boot, range(0, 2))
  tree:add(f.fix_uptime_s, range(2, 4))
  tree:add(f.fix_utc_s, range(6, 4))
  tree:add(f.fix_utc_ms, range(10, 2))
  tree:add(f.fix_lat_e7, range(12, 4))
  tree:add(f.fix_lon_e7, range(16, 4))
  tree:add(f.fix_accuracy_dm, range(20, 2))
  tree:add(f.fix_speed_dm_s, range(22, 1))
  tree:add(f.fix_flags, range(23, 1))
  if range:len() > 24 then tree:add(f.trailing, range(24)) end
end
BODIES[18] = function(range, tree)
  if range:len() < 6 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.time_request_boot, range(0, 2))
  tree:add(f.time_request_uptime_s, range(2, 4))
  if range:len() > 6 then tree:add(f.trailing, range(6)) end
end
BODIES[32] = function(range, tree)
  if range:len() < 12 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.receipt_journal, range(0, 4))
  tree:add(f.receipt_base, range(4, 4))
  tree:add(f.receipt_bitmap, range(8, 4))
  if range:len() > 12 then tree:add(f.trailing, range(12)) end
end
BODIES[35] = function(range, tree)
  if range:len() < 12 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.receipt_far_journal, range(0, 4))
  tree:add(f.receipt_far_first, range(4, 4))
  tree:add(f.receipt_far_bitmap, range(8, 4))
  if range:len() > 12 then tree:add(f.trailing, range(12)) end
end
BODIES[33] = function(range, tree)
  if range:len() < 14 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.time_nonce, range(0, 8))
  tree:add(f.time_utc_s, range(8, 4))
  tree:add(f.time_utc_ms, range(12, 2))
  if range:len() > 14 then tree:add(f.trailing, range(14)) end
end
BODIES[34] = function(range, tree)
  if range:len() < 8 then
    tree:add_expert_info(PI_MALFORMED, PI_ERROR, "Truncated body")
    return
  end
  tree:add(f.arm_key_id, range(0, 4))
  tree:add(f.arm_issued_utc_s, range(4, 4))
  if range:len() > 8 then tree:add(f.trailing, range(8)) end
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
