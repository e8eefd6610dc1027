"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

from bench.nouns import Cell
from bench.progress import Progress

CELLS = [Cell("count", algo, "srresnet", 2, "x") for algo in ("alpha", "beta")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stream: io.StringIO) -> str:
    bar = Progress(len(CELLS), stream)
    for cell, (status, reason) in zip(CELLS, [("ok", ""), ("failed", "no memory")], strict=True):
        bar.begin(cell)
        bar.update("half way", 0.5)
        bar.update("beyond the end", 7.0)
        bar.end(status, reason)
    bar.close()
    return stream.getvalue()


def test_lines_without_a_terminal() -> None:
    lines = run(io.StringIO()).splitlines()
    assert lines[0] == "[1/2] count/alpha.srresnet.x2.x ..."
    assert lines[1].startswith("[1/2] count/alpha.srresnet.x2.x ok (")
    assert " left)" in lines[1]
    assert lines[3].startswith("[2/2] count/beta.srresnet.x2.x failed: no memory (")
    assert " left)" not in lines[3]
    assert len(lines) == 4


def test_a_bar_on_a_terminal() -> None:
    text = run(Terminal())
    assert "100%" in text
    assert " left" in text
    assert "count/beta.srresnet.x2.x failed: no memory\n" in text


def test_a_bar_never_passes_its_end() -> None:
    bar = Progress(1, Terminal())
    bar.begin(CELLS[0])
    bar.update("", 9.0)
    assert bar.bar is not None
    assert bar.bar.n == 1
    bar.update("", -1.0)
    assert bar.bar.n == 0
    bar.close()


def test_nothing_to_do_is_no_error() -> None:
    stream = Terminal()
    Progress(0, stream).close()
    assert "Error" not in stream.getvalue()
