"""The disk of a small Linux guest with a real kernel, a real bluetoothd and nothing else, out of Debian's packages."""

import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from strapline_protocol.errors import UserError

_KERNEL = "linux-image-amd64"
_MODULES = (
    "virtio_pci",
    "virtio_net",
    "virtio_console",
    "hci_uart",
    "bluetooth",
    "ecdh_generic",
    "cmac",
    "ecb",
    "af_packet",
)
_PROGRAMS = ("usr/libexec/bluetooth/bluetoothd", "usr/bin/btattach", "usr/bin/btmon")

_INIT = """#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /run/dbus /tmp /var/lib/bluetooth /etc/bluetooth
while read -r module; do insmod "$module" || echo "insmod $module failed"; done < /modules.order
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
dbus-daemon --config-file=/etc/bus.conf --nofork --nopidfile --nosyslog &
while [ ! -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
daemon() { bluetoothd -n >> /tmp/bluetoothd.log 2>&1 & bluetoothd=$!; }
attach() { btattach -B /dev/hvc0 -P h4 > /tmp/btattach.log 2>&1 & btattach=$!; }
socat TCP-LISTEN:7000,fork,reuseaddr UNIX-CONNECT:/run/dbus/system_bus_socket &
stty -F /dev/hvc0 raw -echo
daemon; attach
echo GUEST-READY
while read -r word rest; do
  case "$word" in
    kill-bluetoothd) kill -9 $bluetoothd; wait $bluetoothd 2>/dev/null ;;
    start-bluetoothd) daemon ;;
    detach) kill $btattach; wait $btattach 2>/dev/null; stty -F /dev/hvc0 raw -echo ;;
    attach) attach ;;
    run) sh -c "$rest" 2>&1 ;;
    off) poweroff -f ;;
  esac
  echo "GUEST-DONE $word"
done < /dev/ttyS0
"""

_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def build(cache: Path) -> tuple[Path, Path]:
    """(kernel, initial RAM disk), made once and kept in `cache`. Needs apt-get, busybox-static, socat, cpio, dbus-daemon."""
    cache.mkdir(parents=True, exist_ok=True)
    disk = cache / f"initrd-{zlib.crc32((_INIT + _BUS).encode()):08x}.gz"
    packages = _download(cache)
    kernel = next((packages / "boot").glob("vmlinuz-*"))
    if not disk.exists():
        with tempfile.TemporaryDirectory(prefix="strapline-guest-") as folder:
            _fill(Path(folder), packages)
            _pack(Path(folder), disk)
    return kernel, disk


def _download(cache: Path) -> Path:
    """The kernel and BlueZ, unpacked and not installed."""
    unpacked = cache / "packages"
    if (unpacked / _PROGRAMS[0]).exists() and list((unpacked / "boot").glob("vmlinuz-*")):
        return unpacked
    kernel = _kernel_package()
    _run(["apt-get", "download", kernel, "bluez"], cache)
    for package in [*cache.glob(f"{kernel}_*.deb"), *cache.glob("bluez_*.deb")]:
        _run(["dpkg", "-x", package.name, unpacked.name], cache)
    return unpacked


def _kernel_package() -> str:
    said = subprocess.run(["apt-cache", "depends", _KERNEL], capture_output=True, text=True, check=False).stdout
    for line in said.splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise UserError(f"apt knows no {_KERNEL}; run apt-get update first, on Debian 12 for amd64")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")


def _fill(root: Path, packages: Path) -> None:
    for folder in ("bin", "usr/bin", "proc", "sys", "dev", "etc", "lib/modules"):
        (root / folder).mkdir(parents=True)
    (root / "init").write_text(_INIT, encoding="utf-8")
    (root / "init").chmod(0o755)
    (root / "etc/bus.conf").write_text(_BUS, encoding="utf-8")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n", encoding="utf-8")
    (root / "bin/busybox").write_bytes(_host_program("busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    (root / "bin/sh").symlink_to("busybox")
    programs = [packages / name for name in _PROGRAMS] + [_host_program("dbus-daemon"), _host_program("socat")]
    for program in programs:
        shutil.copy2(program, root / "usr/bin" / program.name)
        for library in _libraries(program):
            target = root / str(library).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy2(library, target)
    order = list(_modules(packages))
    for module in order:
        shutil.copy2(module, root / "lib/modules" / module.name)
    (root / "modules.order").write_text("".join(f"/lib/modules/{m.name}\n" for m in order), encoding="utf-8")


def _host_program(name: str) -> Path:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/bin"]))
    if found is None:
        raise UserError(f"no {name} here; apt install qemu-system-x86 busybox-static socat cpio kmod dbus-daemon")
    return Path(found)


def _libraries(program: Path) -> Iterator[Path]:
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        words = line.replace("=>", " ").split()
        path = next((word for word in words if word.startswith("/")), None)
        if path is not None:
            yield Path(path)


def _modules(packages: Path) -> Iterator[Path]:
    """Each module after those that it needs."""
    release = next((packages / "lib/modules").iterdir())
    if not (release / "modules.dep").exists():
        _run([str(_host_program("depmod")), "-b", str(packages), release.name], packages)
    needs = {}
    for line in (release / "modules.dep").read_text(encoding="utf-8").splitlines():
        module, _, rest = line.partition(":")
        needs[Path(module).name.split(".", maxsplit=1)[0].replace("-", "_")] = (module, rest.split())
    seen: set[str] = set()
    for wanted in _MODULES:
        if wanted not in needs:
            continue  # built in
        module, before = needs[wanted]
        for each in [*reversed(before), module]:
            if each not in seen:
                seen.add(each)
                yield release / each


def _pack(root: Path, disk: Path) -> None:
    part = disk.with_suffix(".part")
    with part.open("wb") as target:
        script = "find . -print0 | cpio --null --create --format=newc --quiet --owner=0:0 | gzip -1"
        subprocess.run(["sh", "-c", script], cwd=root, stdout=target, check=True)
    part.rename(disk)
