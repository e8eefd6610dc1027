"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from bench.app.progress import Progress
from bench.contract import Cell

CELLS = [Cell("count", algo, "srresnet", "x2", "x") for algo in ("alpha", "beta")]


@contextmanager
def terminal(rows: int, columns: int) -> Iterator[tuple[TextIO, Callable[[], str]]]:
    """A real terminal of a size: the stream to write to, and a function that closes it and gives what was shown."""
    shown: list[str] = []
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def drain() -> None:
        with suppress(OSError):  # the end of a closed terminal
            while data := os.read(master, 4096):
                shown.append(data.decode(errors="replace"))

    reader = threading.Thread(target=drain)
    reader.start()
    stream = open(slave, "w")  # noqa: SIM115

    def close() -> str:
        stream.close()
        reader.join()
        return "".join(shown).replace("\r\n", "\n")

    yield stream, close
    close()
    os.close(master)


def run(stream: TextIO) -> None:
    bar = Progress(len(CELLS), stream)
    for cell, (status, reason) in zip(CELLS, [("ok", ""), ("failed", "no memory")], strict=True):
        bar.begin(cell)
        bar.update("half way", 0.5)
        bar.update("beyond the end", 7.0)
        bar.end(status, reason)
    bar.close()


def test_lines_without_a_terminal() -> None:
    stream = io.StringIO()
    run(stream)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/2] count/alpha.srresnet.x2.x ..."
    assert lines[1].startswith("[1/2] count/alpha.srresnet.x2.x ok (")
    assert " left)" in lines[1]
    assert lines[3].startswith("[2/2] count/beta.srresnet.x2.x failed: no memory (")
    assert " left)" not in lines[3]
    assert len(lines) == 4


def test_a_bar_on_a_terminal() -> None:
    with terminal(40, 100) as (stream, close):
        run(stream)
        text = close()
    assert "100%" in text
    assert " left" in text
    assert "count/alpha.srresnet.x2.x half way" in text
    assert "count/beta.srresnet.x2.x failed: no memory\n" in text


def test_a_terminal_without_a_size_gets_lines() -> None:
    with terminal(0, 0) as (stream, close):
        run(stream)
        assert len(close().splitlines()) == 4


def test_a_bar_never_passes_its_ends() -> None:
    with terminal(40, 100) as (stream, _):
        bar = Progress(1, stream)
        assert bar.bar is not None
        bar.begin(CELLS[0])
        bar.update("", 9.0)
        assert bar.bar.n == 1
        bar.update("", -1.0)
        assert bar.bar.n == 0
        bar.close()


def test_a_long_cell_is_told_of_without_a_terminal_and_nothing_after_its_end() -> None:
    stream = io.StringIO()
    bar = Progress(1, stream, every=0.01)
    bar.begin(CELLS[0])
    bar.update("step 3", 0.25)
    deadline = time.monotonic() + 30
    while "25 %" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.005)
    bar.end("ok")
    bar.close()
    told = stream.getvalue().splitlines()
    assert "[1/1] count/alpha.srresnet.x2.x step 3: 25 % after 0 s" in told
    assert told[-1].startswith("[1/1] count/alpha.srresnet.x2.x ok (")
    time.sleep(0.05)
    assert stream.getvalue().splitlines() == told
