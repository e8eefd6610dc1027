"""Fetching from a server on loopback: verified, resumed, and archives that are not trusted."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.app.data import main
from bench.contract import UserError
from bench.pictures import fetch as fetch_module
from bench.pictures.catalog import SETS
from bench.pictures.fetch import download, fetch, unpack


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {f"benchmark/Set5/HR/{n}.png": png(i) for i, n in enumerate(("baby", "bird", "butterfly", "head", "woman"))}


def as_zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def as_tar(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content`, with or without ranges; `break_after` bytes it hangs up once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.ranges = True
        self.break_after: int | None = None
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_response(416)
            self.end_headers()
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.server.content) - 1}/*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.break_after is not None:
            body, self.server.break_after = body[: self.server.break_after], None
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("pack", [as_zip, as_tar])
def test_a_set_is_fetched_verified_and_unpacked(pack, server: Server, tmp_path: Path) -> None:
    server.content = pack(FILES)
    folder = fetch(SETS["set5"], server.url, sha(server.content), tmp_path)
    assert folder == tmp_path / "Set5"
    assert {f"benchmark/Set5/HR/{p.name}": p.read_bytes() for p in (folder / "HR").iterdir()} == FILES
    assert [p.name for p in (tmp_path / ".downloads").iterdir()] == []
    with pytest.raises(UserError, match="there already"):
        fetch(SETS["set5"], server.url, sha(server.content), tmp_path)


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_continued(ranges: bool, server: Server, tmp_path: Path) -> None:
    server.content = np.random.default_rng(0).bytes(300_000)
    server.ranges, server.break_after = ranges, 200_000
    with pytest.raises(UserError, match="the same command continues"):
        download(server.url, sha(server.content), tmp_path)
    kept = next(tmp_path.glob("*.part")).stat().st_size
    assert 0 < kept <= 200_000
    file = download(server.url, sha(server.content), tmp_path)
    assert file.read_bytes() == server.content
    assert server.asked == [None, f"bytes={kept}-"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_part_that_is_already_complete_needs_no_byte(server: Server, tmp_path: Path) -> None:
    server.content = b"x" * 5000
    (tmp_path / f"{sha(server.content)[:16]}-set.zip.part").write_bytes(server.content)
    assert download(server.url, sha(server.content), tmp_path).read_bytes() == server.content


def test_another_hash_keeps_nothing(server: Server, tmp_path: Path) -> None:
    server.content = as_zip(FILES)
    with pytest.raises(UserError, match="SHA-256 differs"):
        fetch(SETS["set5"], server.url, "0" * 64, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def tar_link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return as_tar({"Set5/HR/a.png": b"a"}, info)


def zip_link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("Set5/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc")
    return buffer.getvalue()


UNSAFE = {
    "zip_parent": (as_zip({"Set5/HR/ok.png": b"a", "../evil.txt": b"x"}), "leads out"),
    "zip_inner_parent": (as_zip({"Set5/../../evil.txt": b"x"}), "leads out"),
    "zip_absolute": (as_zip({"/tmp/evil.txt": b"x"}), "leads out"),
    "zip_backslash": (as_zip({"..\\evil.txt": b"x"}), "leads out"),
    "zip_drive": (as_zip({"C:/evil.txt": b"x"}), "leads out"),
    "zip_link": (zip_link(), "link or device"),
    "tar_parent": (as_tar({"Set5/HR/ok.png": b"a", "../evil.txt": b"x"}), "leads out"),
    "tar_symlink": (tar_link("Set5/out", "/etc"), "link or device"),
    "tar_hardlink": (tar_link("Set5/out", "../../etc/passwd", tarfile.LNKTYPE), "link or device"),
    "tar_device": (tar_link("Set5/dev", "", tarfile.CHRTYPE), "link or device"),
    "cut": (as_zip(FILES)[:-30], "neither a zip|cannot be unpacked"),
    "cut_tar": (as_tar(FILES)[:-3000], "cannot be unpacked|neither a zip"),
    "no_archive": (b"just text", "neither a zip nor a tar"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_unsafe_and_damaged_archives_are_refused_whole(case: str, tmp_path: Path) -> None:
    content, says = UNSAFE[case]
    archive, target = tmp_path / "a", tmp_path / "in" / "target"
    archive.write_bytes(content)
    target.mkdir(parents=True)
    with pytest.raises(UserError, match=says):
        unpack(archive, target)
    if not case.startswith("cut"):
        assert not list(target.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"a", "in"}


def test_archive_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "MAX_UNPACKED", 1000)
    (tmp_path / "a").write_bytes(as_zip({"Set5/big.png": b"\0" * 2000}))
    (tmp_path / "target").mkdir()
    with pytest.raises(UserError, match="limit of 1000"):
        unpack(tmp_path / "a", tmp_path / "target")


def test_refusals_before_anything_is_sent(server: Server, tmp_path: Path) -> None:
    for url, digest, says in (
        ("ftp://x/a.zip", "0" * 64, "https://"),
        ("file:///etc/passwd", "0" * 64, "https://"),
        (server.url, "abc", "64 hexadecimal"),
        (server.url, "g" * 64, "64 hexadecimal"),
    ):
        with pytest.raises(UserError, match=says):
            download(url, digest, tmp_path)
    assert server.asked == []


def test_the_subcommand_checks_what_it_fetched(server: Server, tmp_path: Path, capsys) -> None:
    """The pictures are not the published ones, and the check that follows says so."""
    server.content = as_zip(FILES)
    arguments = ["--url", server.url, "--sha256", sha(server.content), "--data-root", str(tmp_path / "new")]
    assert main(["fetch", "set5", *arguments]) == 1
    out = capsys.readouterr().out
    assert "Set5 is in" in out and "cropped or resized" in out
    with pytest.raises(UserError, match="expected one"):
        main(["fetch", "set5", "set14", *arguments])


def test_an_archive_without_the_set_is_named(server: Server, tmp_path: Path) -> None:
    server.content = as_zip({"Other/a.png": b"x"})
    with pytest.raises(UserError, match="holds no folder named Set5"):
        fetch(SETS["set5"], server.url, sha(server.content), tmp_path)
