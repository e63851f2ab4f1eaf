"""What of this machine does not fit a configuration is told with its cure; what fits is not mentioned."""

from __future__ import annotations

import errno
import grp
import os
import pty
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.daemon import machine
from sensorlogd.daemon.machine import Finding, addresses, folders, ports, sources
from sensorlogd.daemon.machine.user import ENTER, READ, WRITE, User
from sensorlogd.daemon.timekeeping import sync_sources
from sensorlogd.drivers import ports as drivers_ports
from tests.ports import free_port

ME = User.current()
NOBODY = User("nobody", 65534, frozenset({65534}), me=False)
NOW_US = 1_800_000_000_000_000


def config(folder: Path, text: str = "sensors: {}", **sections: str) -> Config:
    sections = {"daemon": f"{{data_dir: {folder}/data}}", "web": "{enabled: false}"} | sections
    return load_text("\n".join([*(f"{key}: {value}" for key, value in sections.items()), text]), folder / "c.yaml", _options)


def _options(name: str, folder: Path) -> Any:
    from sensorlogd.drivers.registry import options_for

    return options_for(name, folder)


def scale(port: str, more: str = "") -> str:
    return f"sensors:\n  scale: {{driver: serial, port: '{port}', format: {{type: csv, fields: [weight]}}{more}}}"


@pytest.fixture
def tty() -> Iterator[str]:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    yield name
    os.close(master)


def found_of_ports(folder: Path, text: str, user: User = ME, there: tuple[str, ...] = ("/dev/serial/by-id/usb-a",)) -> list[str]:
    return [str(finding) for finding in ports.check(config(folder, text), user, present=lambda: list(there))]


# ---- ports -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "problem", "cure"),
    [
        ("/dev/ttyUSB99", "/dev/ttyUSB99: no such port: it is not there, or not plugged in", "one that is there: /dev/serial/by-id/usb-a"),
        ("COM3", "COM3 is a port of Windows; on this machine ports are files under /dev", "one that is there: /dev/serial/by-id/usb-a"),
        ("com12:", "com12: is a port of Windows", "name the port of the device"),
        ("/dev/null", "/dev/null is no serial port", "one that is there"),
        ("/dev", "/dev is no serial port", "one that is there"),
        ("tty", "tty: no such port here", "write the whole name: /dev/tty"),
    ],
)  # fmt: skip
def test_a_port_that_cannot_be_one(tmp_path: Path, port: str, problem: str, cure: str) -> None:
    """Not there, of another system, no port at all."""
    (found,) = found_of_ports(tmp_path, scale(port))
    assert found.startswith("sensors.scale.port: ")
    assert problem in found
    assert cure in found


def test_where_no_port_is_there(tmp_path: Path) -> None:
    """It says so, in place of a list of none."""
    assert "now there is none" in found_of_ports(tmp_path, scale("/dev/ttyUSB99"), there=())[0]


@pytest.mark.parametrize("port", ["socket://127.0.0.1:1", "rfc2217://x:1", "loop://"])
def test_ports_of_a_network_are_left_alone(tmp_path: Path, port: str) -> None:
    """They are tried for ever by their readers, and nothing is sent to them for a check."""
    assert found_of_ports(tmp_path, scale(port)) == []


def test_a_good_port_and_a_disabled_sensor_are_not_mentioned(tmp_path: Path, tty: str) -> None:
    """No finding, no opening: nobody has it open afterwards either."""
    assert found_of_ports(tmp_path, scale(tty)) == []
    assert found_of_ports(tmp_path, scale("/dev/ttyUSB99", ", enabled: false")) == []


def test_a_port_that_the_user_may_not_use(tmp_path: Path, tty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is the device's own; where membership does not help, none is named."""
    os.chmod(tty, 0o660)
    monkeypatch.setattr(drivers_ports, "group_that_opens", lambda _: "instruments")
    (found,) = found_of_ports(tmp_path, scale(tty), NOBODY)
    assert f"{tty}: the user nobody may not read and write it; it belongs to the group instruments" in found
    assert "sudo usermod -aG instruments nobody" in found
    monkeypatch.setattr(drivers_ports, "group_that_opens", lambda _: None)
    (found,) = found_of_ports(tmp_path, scale(tty), NOBODY)
    assert "usermod" not in found
    assert f"ls -lL {tty}" in found


@pytest.mark.parametrize(
    ("gid", "mode", "overflow", "expected"),
    [(20, 0o660, 65534, True), (20, 0o600, 65534, False), (20, 0o640, 65534, False), (0, 0o660, 65534, False), (65534, 0o660, 65534, False)],
)  # fmt: skip
def test_the_group_that_opens_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gid: int, mode: int, overflow: int, expected: bool
) -> None:
    """Only if its members may read and write, and never root's or nobody's (which a sandbox shows for all others)."""
    (tmp_path / "overflow").write_text(f"{overflow}\n")
    monkeypatch.setattr(drivers_ports, "_OVERFLOW", tmp_path / "overflow")
    monkeypatch.setattr(os, "stat", lambda _: SimpleNamespace(st_gid=gid, st_mode=stat.S_IFCHR | mode))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name=f"group{number}"))
    assert drivers_ports.group_that_opens("/dev/x") == (f"group{gid}" if expected else None)
    assert ("usermod" in drivers_ports.permission_hint("/dev/x")) == expected


def test_a_port_that_another_program_has(tmp_path: Path, tty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whom; but for the daemon itself."""
    monkeypatch.setattr(drivers_ports, "holder", lambda _: "minicom (pid 77)")
    (found,) = found_of_ports(tmp_path, scale(tty))
    assert f"{tty} is used by minicom (pid 77); stop that program" in found
    assert not list(ports.check(config(tmp_path, scale(tty)), ME, own_pids={77}, present=list))


@pytest.mark.parametrize(("speed", "near"), [(9601, 9600), (57000, 57600), (115201, 115200), (13000, 14400)])
def test_speeds_that_are_none(tmp_path: Path, tty: str, speed: int, near: int) -> None:
    """The nearest usual one is named."""
    (found,) = found_of_ports(tmp_path, scale(tty, f", baudrate: {speed}"))
    assert f"sensors.scale.baudrate: {speed} is no usual speed" in found
    assert f"{near} is the nearest" in found


@pytest.mark.parametrize("speed", [300, 4800, 9600, 31250, 74880, 115200, 250000, 921600, 4000000])
def test_speeds_that_are_used(tmp_path: Path, tty: str, speed: int) -> None:
    """The kernel's, and those of MIDI, boot loaders and printers."""
    assert found_of_ports(tmp_path, scale(tty, f", baudrate: {speed}")) == []


# ---- folders -----------------------------------------------------------------------------------------------------------


def found_of_places(of: Config, user: User = ME) -> list[str]:
    return [str(finding) for finding in folders.folders(of, user)]


def test_folders_that_are_there_or_can_be_made(tmp_path: Path) -> None:
    """Nothing is mentioned, and nothing is made."""
    assert found_of_places(config(tmp_path)) == []
    assert not (tmp_path / "data").exists()


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    """Itself, or on the way."""
    (tmp_path / "data").touch()
    (found,) = found_of_places(config(tmp_path))
    assert found == (
        f"daemon.data_dir: {tmp_path}/data: {tmp_path}/data is a file, not a folder; name another folder, or move that file away"
    )
    (found,) = found_of_places(config(tmp_path, daemon=f"{{data_dir: {tmp_path}/data/below}}"))
    assert f"{tmp_path}/data is a file" in found


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    """Of the data, of the database; the one that is in the way and its owner are named."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    (found,) = found_of_places(config(tmp_path, daemon=f"{{data_dir: {closed}/data}}"), NOBODY)
    assert f"daemon.data_dir: {closed}/data: cannot be made: {closed} cannot be written by the user nobody" in found
    open_ = tmp_path / "open"
    open_.mkdir()
    open_.chmod(0o777)
    (found,) = found_of_places(
        config(tmp_path, daemon=f"{{data_dir: {open_}}}", storage=f"{{url: 'sqlite:///{closed}/log.db'}}"), NOBODY
    )
    assert found.startswith(f"storage.url: {closed}/log.db: cannot be written by the user nobody; ")


def test_a_database_that_cannot_be_written_or_is_none(tmp_path: Path) -> None:
    """A file of another user; a folder of this name."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    database = data / "sensorlogd.db"
    database.touch()
    database.chmod(0o644)
    assert found_of_places(config(tmp_path)) == []
    assert f"{database}: cannot be written by the user nobody" in found_of_places(config(tmp_path), NOBODY)[0]
    database.unlink()
    database.mkdir()
    assert f"{database} is no file" in found_of_places(config(tmp_path))[0]


def test_a_database_of_two_names(tmp_path: Path) -> None:
    """A backup by hard links is none: it changes with the file."""
    data = tmp_path / "data"
    data.mkdir()
    database = data / "sensorlogd.db"
    database.touch()
    assert found_of_places(config(tmp_path)) == []
    os.link(database, tmp_path / "backup.db")
    (found,) = found_of_places(config(tmp_path))
    assert f"{database} has 2 names (hard links)" in found
    assert f"-samefile {database}" in found


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "may"),
    [
        (0o700, 65534, 1, True),
        (0o070, 65534, 65534, False),
        (0o770, 1, 65534, True),
        (0o707, 1, 1, True),
        (0o770, 1, 1, False),
        (0o755, 1, 1, False),
    ],
)
def test_what_another_user_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, uid: int, gid: int, may: bool) -> None:
    """The first of owner, group and others that fits decides, as the kernel does it."""
    folder_stat = SimpleNamespace(st_uid=uid, st_gid=gid, st_mode=stat.S_IFDIR | mode)
    monkeypatch.setattr(Path, "stat", lambda _: folder_stat)
    answer = NOBODY.may(tmp_path, READ | WRITE | ENTER)
    monkeypatch.undo()
    assert answer is may


# ---- space -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def has(free: int, files: int = 1000, free_files: int = 10) -> None:
        figures = SimpleNamespace(
            f_bavail=free // 1000,
            f_bfree=free // 1000,
            f_blocks=10**12,
            f_frsize=1000,
            f_files=files,
            f_favail=free_files,
            f_flag=0,
        )
        monkeypatch.setattr(os, "statvfs", lambda _: figures)

    return has


BUSY = "sensors: {a: {driver: simulated, interval: 10ms, channels: {x: {signal: constant}}}}"


def test_space_that_ends_soon(tmp_path: Path, disk: Callable[..., None]) -> None:
    """The day is told, and what to do; a retention that keeps less is an answer already."""
    disk(1_500_000_000)
    (found,) = [str(finding) for finding in folders.space(config(tmp_path, BUSY), NOW_US)]
    assert "1.5 GB are free" in found
    assert "which is used up about 2027-0" in found
    assert "retention: readings: 30d" in found
    assert list(folders.space(config(tmp_path, BUSY, retention="{readings: 30d}"), NOW_US)) == []
    disk(10**15)
    assert list(folders.space(config(tmp_path, BUSY), NOW_US)) == []


@pytest.mark.parametrize(
    ("when_full", "happens"), [("stop", "nothing is written any more"), ("drop_oldest", "oldest readings are dropped")]
)
def test_space_below_the_least(tmp_path: Path, disk: Callable[..., None], when_full: str, happens: str) -> None:
    """What will happen depends on the configuration."""
    disk(100_000_000)
    (found,) = folders.space(config(tmp_path, BUSY, storage=f"{{min_free: 500MB, when_full: {when_full}}}"), NOW_US)
    assert "below min_free: 500 MB" in found.problem
    assert happens in found.problem


def test_a_disk_without_inodes(tmp_path: Path, disk: Callable[..., None]) -> None:
    """Room is not all that a file needs; file systems that count none say 0."""
    disk(10**15, files=1000, free_files=0)
    assert "no inodes" in next(str(finding) for finding in folders.space(config(tmp_path), NOW_US))
    disk(10**15, files=0, free_files=0)
    assert list(folders.space(config(tmp_path), NOW_US)) == []


# ---- addresses ---------------------------------------------------------------------------------------------------------


def found_of_addresses(folder: Path, listen: str, uid: int = 1000, ours: tuple[int, ...] = ()) -> list[Finding]:
    return list(addresses.check(config(folder, web=f"{{listen: '{listen}', auth: none}}"), uid, ours))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_an_address_in_use_tells_by_whom(tmp_path: Path, host: str) -> None:
    """The program and its pid; nothing of our own processes and of those that they started."""
    port = free_port()
    assert found_of_addresses(tmp_path, f"{host}:{port}") == []
    with socket.create_server(("127.0.0.1", port)):
        (found,) = found_of_addresses(tmp_path, f"{host}:{port}")
        assert f"{host}:{port} is used by " in found.problem
        assert f"(pid {os.getpid()})" in found.problem
        assert "take another port" in found.cure
        assert found_of_addresses(tmp_path, f"{host}:{port}", ours=(os.getpid(),)) == []
        assert found_of_addresses(tmp_path, f"{host}:{port}", ours=(os.getppid(),)) == []


def test_an_address_in_use_by_somebody_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to find out is told."""
    port = free_port()
    monkeypatch.setattr(addresses, "owner", lambda _: None)
    with socket.create_server(("127.0.0.1", port)):
        assert "ss -tlnp" in found_of_addresses(tmp_path, f"127.0.0.1:{port}")[0].problem


@pytest.mark.parametrize(("host", "problem"), [("192.0.2.1", "no network interface"), ("no-such-host.invalid", "not known here")])
def test_an_address_that_this_machine_does_not_have(tmp_path: Path, host: str, problem: str) -> None:
    """Another's, or a name that nobody knows."""
    (found,) = found_of_addresses(tmp_path, f"{host}:{free_port()}")
    assert problem in found.problem


def test_ports_of_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For everybody but root; where the kernel says that all are free, they are."""
    limit = tmp_path / "limit"
    monkeypatch.setattr(addresses, "_UNPRIVILEGED", limit)
    monkeypatch.setattr(addresses, "listening", lambda *_: None)
    assert "only root may listen on ports below 1024" in found_of_addresses(tmp_path, "127.0.0.1:80")[0].problem
    assert found_of_addresses(tmp_path, "127.0.0.1:80", uid=0) == []
    limit.write_text("0\n")
    assert found_of_addresses(tmp_path, "127.0.0.1:80") == []


# ---- all of it ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_has_lost_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1970 is told as such; else whether a time server is heard, where anybody tells."""
    monkeypatch.setattr(ports, "_present", list)
    of = config(tmp_path)

    def clock(now_us: int) -> list[str]:
        return [finding.problem for finding in machine.check(of, now_us=now_us) if finding.path == "clock"]

    monkeypatch.setattr(sync_sources, "synchronised", lambda: False)
    assert "1970-01-01" in clock(0)[0]
    assert "no time server" in clock(NOW_US)[0]
    for answer in (True, None):
        monkeypatch.setattr(sync_sources, "synchronised", lambda answer=answer: answer)
        assert clock(NOW_US) == []


def test_a_profile_that_hides_one_of_the_package(tmp_path: Path) -> None:
    """Somebody may wonder later why an update did not help."""
    from sensorlogd.config import profiles

    name = min(profiles.available())
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / f"{name}.yaml").write_text(
        "title: mine\nsource: me\nsensor: {driver: simulated, channels: {x: {signal: constant}}}\n"
    )
    found = machine.check(config(tmp_path, f"sensors: {{a: {{profile: {name}}}}}"), now_us=NOW_US)
    assert any(finding.path == "sensors.a.profile" and "not from the package" in finding.problem for finding in found)


# ---- programs, files, addresses of sensors -----------------------------------------------------------------------------

_CSV = "format: {type: csv, fields: [t]}"


@pytest.mark.parametrize(
    ("sensor", "path", "problem"),
    [
        (f"driver: serial, port: 'socket://gateway', {_CSV}", "port", "socket://gateway names no port of that machine"),
        (f"driver: serial, port: 'rfc2217://:4001', {_CSV}", "port", "rfc2217://:4001 names no machine"),
        (f"driver: serial, port: 'socket://127.0.0.1:99999', {_CSV}", "port", "99999: Port out of range"),
        (f"driver: serial, port: 'http://127.0.0.1:80', {_CSV}", "port", "a port cannot be reached by http://"),
        (
            f"driver: serial, port: 'socket://nobody.example:1', {_CSV}",
            "port",
            "the machine 'nobody.example' is not known here (no)",
        ),
        (
            "driver: modbus, port: 'tcp://nobody.example', channels: {v: {address: 0}}",
            "port",
            "the machine 'nobody.example' is not",
        ),
        (
            f"driver: command, command: [no-such-program-anywhere], interval: 1s, {_CSV}",
            "command",
            "there is no such program on the PATH",
        ),
        (f"driver: command, command: [./absent.sh], interval: 1s, {_CSV}", "command", "absent.sh: there is no such program"),
        (f"driver: command, command: [./plain.txt], interval: 1s, {_CSV}", "command", "plain.txt is no program that can be run"),
        (f"driver: command, command: ['/'], interval: 1s, {_CSV}", "command", "/ is a folder, not a program"),
        (f"driver: command, command: [sh], directory: ./absent, interval: 1s, {_CSV}", "directory", "there is no such folder"),
        (f"driver: command, command: [sh], directory: ./plain.txt, interval: 1s, {_CSV}", "directory", "is a file, not a folder"),
        ("driver: sysfs, files: {t: /sys/class/hwmon/hwmon999/temp1_input}", "files.t", "hwmon999/temp1_input is not there"),
        ("driver: sysfs, files: {t: {path: 'hwmon:nochip/temp1_input'}}", "files.t", "hwmon:nochip/temp1_input is not there"),
        ("driver: replay, file: ./absent.csv, channels: {v: {}}", "file", "absent.csv: there is no such file"),
        ("driver: replay, file: ., channels: {v: {}}", "file", "is a folder, not a file"),
    ],
)
def test_what_a_sensor_needs_and_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sensor: str, path: str, problem: str
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    (tmp_path / "plain.txt").touch(0o644)
    (found,) = sources.check(config(tmp_path, f"sensors: {{s: {{{sensor}}}}}"), ME)
    assert found.path == f"sensors.s.{path}"
    assert problem in found.problem
    assert list(sources.check(config(tmp_path, f"sensors: {{s: {{enabled: false, {sensor}}}}}"), ME)) == []


def test_what_a_sensor_needs_and_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that cannot be looked up just now may be right, and is not asked for where nobody should wait."""

    def later(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "no server answers")

    monkeypatch.setattr(socket, "getaddrinfo", later)
    (tmp_path / "run.sh").touch(0o755)
    (tmp_path / "1").write_text("5")
    text = f"""sensors:
  a: {{driver: command, command: [./run.sh], directory: ., interval: 1s, {_CSV}}}
  b: {{driver: command, command: [sh], {_CSV}}}
  c: {{driver: sysfs, files: {{t: '{tmp_path}/[0-9]'}}}}
  d: {{driver: replay, file: ./1, channels: {{v: {{}}}}}}
  e: {{driver: serial, port: 'socket://gateway.example:4001', {_CSV}}}
  f: {{driver: serial, port: 'loop://', {_CSV}}}
notify: {{mail: {{command: [sh, -c, "true"]}}}}"""
    assert list(sources.check(config(tmp_path, text), ME)) == []
    monkeypatch.setattr(socket, "getaddrinfo", pytest.fail)
    assert list(sources.check(config(tmp_path, text), ME, names=False)) == []


@pytest.fixture
def entered() -> Iterator[Path]:
    """A folder that every user may enter; the one for all tests is for their own user."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_folder_that_keeps_the_user_of_the_daemon_out(entered: Path) -> None:
    """As that of root, or a home: what is in it may be anybody's to use."""
    home = entered / "home"
    home.mkdir()
    (home / "run.sh").touch()
    (home / "run.sh").chmod(0o755)
    (home / "work").mkdir()
    (home / "work").chmod(0o755)
    (entered / "link.csv").symlink_to(home / "run.sh")
    text = f"""sensors:
  a: {{driver: command, command: [./home/run.sh], directory: ./home/work, {_CSV}}}
  b: {{driver: replay, file: ./link.csv, channels: {{v: {{}}}}}}"""
    home.chmod(0o755)
    assert list(sources.check(config(entered, text), NOBODY)) == []
    home.chmod(0o700)
    found = list(sources.check(config(entered, text), NOBODY))
    assert [finding.path for finding in found] == ["sensors.a.command", "sensors.a.directory", "sensors.b.file"]
    assert all(f"the user nobody may not enter {home}" in finding.problem for finding in found)
    assert list(sources.check(config(entered, text), ME)) == []


@pytest.mark.parametrize("command", ["./run.sh", "run.sh"])
def test_a_program_that_the_user_of_the_daemon_may_not_run(entered: Path, command: str) -> None:
    """Whoever checks may, be it as root."""
    program = entered / "run.sh"
    text = f"sensors: {{s: {{driver: command, command: [{command}], environment: {{PATH: '/absent:{entered}'}}, {_CSV}}}}}"
    for mode, may in ((0o755, True), (0o711, True), (0o700, False), (0o744, False)):
        program.touch()
        program.chmod(mode)
        found = [str(finding) for finding in sources.check(config(entered, text), NOBODY)]
        name = program if "/" in command else command
        assert found == ([] if may else [
            f"sensors.s.command: {name}: the user nobody may not run it; its owner and mode decide: ls -ld {program}"
        ]), oct(mode)  # fmt: skip
        assert list(sources.check(config(entered, text), ME)) == []


def test_a_program_of_a_notification_that_is_not_there(tmp_path: Path) -> None:
    wanted = config(tmp_path, "sensors: {}\nnotify: {mail: {command: [/absent/mail]}}")
    (found,) = sources.check(wanted, ME)
    assert found in machine.check(wanted, user=ME, now_us=NOW_US), "the check of all of it leaves it out"
    assert str(found).startswith("notify.mail.command: /absent/mail: there is no such program")


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """It is a finding, not an exception."""

    class Blind(User):
        def may(self, path: Path, access: int) -> bool:
            raise PermissionError(errno.EACCES, "Permission denied")

    (found,) = folders.folders(config(tmp_path), Blind("blind", 1, frozenset(), me=False))
    assert "cannot be looked at: Permission denied" in found.problem
