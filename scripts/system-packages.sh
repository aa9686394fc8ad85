#!/bin/sh
# The programs that tests need and pip cannot bring: brokers, a database, a D-Bus, tshark, a Chromium, an emulated micro:bit.
#
#   system-packages.sh             install what is missing where that needs no password; else say how
#   system-packages.sh --required  print STRAPLINE_REQUIRE_…=1 for what is here: a test may skip only for want of a program
set -eu
PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin:/opt/homebrew/bin:/opt/homebrew/sbin"

have() {
    case $1 in
        chromium)
            for browser in chromium chromium-browser google-chrome google-chrome-stable \
                "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
                /Applications/Chromium.app/Contents/MacOS/Chromium; do
                if command -v "$browser" >/dev/null 2>&1; then return 0; fi
            done
            return 1
            ;;
        postgresql)
            for server in /usr/lib/postgresql/*/bin/postgres; do
                if [ -x "$server" ]; then return 0; fi
            done
            command -v postgres >/dev/null 2>&1
            ;;
        firmware-microbit-micropython) test -e /usr/share/firmware-microbit-micropython/firmware.hex ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# A foreign MicroPython board, which only Debian and its children package: 20 MB to fetch, 107 MB on the disk beside the others.
microbit="qemu-system-arm firmware-microbit-micropython"
if [ "$(uname -s)" = Darwin ]; then microbit=; fi

missing() {
    for program in mosquitto tshark chromium nats-server dbus-daemon postgresql $microbit; do
        have "$program" || printf '%s ' "$program"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

if [ "${1:-}" = --required ]; then
    if have mosquitto; then echo STRAPLINE_REQUIRE_MOSQUITTO=1; fi
    if have tshark; then echo STRAPLINE_REQUIRE_TSHARK=1; fi
    if have chromium; then echo STRAPLINE_REQUIRE_BROWSER=1; fi
    if have nats-server; then echo STRAPLINE_REQUIRE_NATS=1; fi
    if have dbus-daemon; then echo STRAPLINE_REQUIRE_DBUS=1; fi
    if have postgresql; then echo STRAPLINE_REQUIRE_POSTGRES=1; fi
    if have qemu-system-arm && have firmware-microbit-micropython; then echo STRAPLINE_REQUIRE_MICROBIT=1; fi
    exit 0
fi

packages=$(missing)
packages=${packages% }
if [ -z "$packages" ]; then exit 0; fi

if [ "$(uname -s)" = Darwin ]; then
    echo "Not here: $packages (tests that need them skip). To install: brew install mosquitto wireshark nats-server dbus postgresql && brew install --cask chromium"
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! as_root true 2>/dev/null; then
    echo "Not here: $packages (tests that need them skip). To install: sudo apt install $packages"
    exit 0
fi

echo "Installing $packages (once, a minute or two)…"
# tshark asks whether plain users may capture; nothing here captures from a real interface.
echo "wireshark-common wireshark-common/install-setuid boolean false" | as_root debconf-set-selections
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words
if ! {
    as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
} >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "Could not install $packages; try: sudo apt install $packages" >&2
    # Continuous integration must not go green on skipped tests.
    [ -z "${CI:-}" ] || exit 1
    exit 0
fi
# Tests start their own servers; those that the packages start would only listen on the machine's well-known ports.
for service in mosquitto nats-server postgresql; do
    case " $packages " in
        *" $service "*) if [ -d /run/systemd/system ]; then as_root systemctl disable --now --quiet "$service" || true; fi ;;
    esac
done
