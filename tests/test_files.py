"""Files are written as a whole or not at all; what is no regular file stays what it is."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sensorlogd import files
from tests.cli.conftest import log as log  # the same
from tests.cli.test_hostile import PROGRAM, start
from tests.cli.test_hostile import folder as folder  # a fixture


def put(target: Path, data: bytes = b"new") -> None:
    with files.written(target) as file:
        file.write(data)


def test_a_file_is_the_old_one_until_the_new_one_is_complete(tmp_path: Path) -> None:
    """Whatever ends the writing in the middle leaves the old one, and nothing beside it."""
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), files.written(target) as file:
        file.write(b"half")
        file.flush()
        assert target.read_text() == "old"
        raise RuntimeError
    assert target.read_text() == "old"
    put(target)
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.touch()
    target.chmod(0o640)
    put(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path: Path, there: bool) -> None:
    """Over several, relative ones too, to a file that is there or not yet."""
    (tmp_path / "deep").mkdir()
    real = tmp_path / "deep" / "real.csv"
    if there:
        real.write_text("old")
    (tmp_path / "deep" / "second").symlink_to("real.csv")
    (tmp_path / "first").symlink_to("deep/second")
    put(tmp_path / "first")
    assert real.read_text() == "new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "deep" / "second").is_symlink()


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as caught:
        put(tmp_path / "a")
    assert str(caught.value.filename) == str(tmp_path / "a")


def test_a_pipe_is_written(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    put(pipe, b"x" * 200_000)
    reader.join(30)
    assert pipe.is_fifo()
    assert got == [b"x" * 200_000]


def test_a_pipe_whose_reader_leaves_is_named(tmp_path: Path) -> None:
    """It is not the end of our own output, which would be quiet."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)))
    reader.start()
    with pytest.raises(ConnectionError, match="its reader left") as caught:
        put(pipe, b"x" * 2_000_000)
    reader.join(30)
    assert caught.value.filename == str(pipe)
    assert not isinstance(caught.value, BrokenPipeError)


def test_a_socket_is_written(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        put(tmp_path / "socket")
        with server.accept()[0] as peer:
            assert peer.recv(10) == b"new"
    assert (tmp_path / "socket").is_socket()


def test_a_device_is_written_as_it_is() -> None:
    put(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left") as caught:
        put(Path("/dev/full"))
    assert caught.value.filename == "/dev/full"


def test_standard_output_by_its_name(tmp_path: Path) -> None:
    """`>> file` and -o /dev/stdout: behind what is there, in the file that the shell opened."""
    target = tmp_path / "out"
    target.write_text("before ")
    program = (
        "from sensorlogd import files; from pathlib import Path\nwith files.written(Path('/dev/stdout')) as f: f.write(b'new')"
    )
    with target.open("ab") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, check=True)
    assert target.read_text() == "before new"


def test_a_folder_and_no_folder(tmp_path: Path) -> None:
    """The name that was given is the one that is told, not that of the file beside it."""
    for target, error in ((tmp_path, IsADirectoryError), (tmp_path / "no" / "a", FileNotFoundError)):
        with pytest.raises(error) as caught:
            put(target)
        assert caught.value.filename == str(target)


LINES = {
    "export": (["export", "lab.*", "-o"], "file.csv", b"time,"),
    "export, compressed": (["export", "lab.*", "-o"], "file.csv.gz", b"\x1f\x8b"),
    "plot": (["plot", "lab.t", "-o"], "file.png", b"\x89PNG"),
    "backup": (["backup", "--force"], "file.db", b"SQLite format 3\0"),
}


@pytest.mark.parametrize("verb", LINES)
def test_verbs_write_through_links_pipes_and_to_standard_output(folder: Path, verb: str) -> None:
    arguments, name, begins = LINES[verb]
    real, link, pipe = folder / f"real-{name}", folder / f"link-{name}", folder / f"pipe-{name}"
    real.write_bytes(b"old")
    link.symlink_to(real.name)
    os.mkfifo(pipe)
    code, _, error = start(folder, [*arguments, link.name])
    assert (code, link.is_symlink()) == (0, True), error
    assert real.read_bytes().startswith(begins)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    code, _, error = start(folder, [*arguments, pipe.name])
    assert reader.communicate(timeout=60)[0].startswith(begins)
    assert (code, pipe.is_fifo()) == (0, True), error
    if not name.endswith(".gz"):
        done = subprocess.run([*PROGRAM, *arguments, "-"], cwd=folder, capture_output=True, check=True)
        assert done.stdout.startswith(begins)
        assert not (folder / "-").exists()
    assert start(folder, [*arguments, "/dev/full"])[0] == 1
    assert Path("/dev/full").is_char_device()
    assert not list(folder.glob(".*.part"))


def test_a_recording_to_standard_output_is_alone_there(folder: Path) -> None:
    """What replay reads, and nothing between."""
    main, side = os.openpty()
    os.write(main, b"hello\r\n")
    os.set_blocking(main, False)
    process = subprocess.Popen(
        [*PROGRAM, "listen", os.ttyname(side), "--for", "3s", "--record", "-"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    done = threading.Event()

    def speak() -> None:
        while not done.wait(0.1):
            os.write(main, b"hello\r\n")

    speaker = threading.Thread(target=speak)
    speaker.start()
    out = process.communicate(timeout=60)[0]
    done.set()
    speaker.join()
    os.close(main)
    os.close(side)
    assert out
    assert all(line.startswith(b"{") for line in out.splitlines()), out
