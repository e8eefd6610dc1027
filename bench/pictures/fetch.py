"""Fetching an archive of test pictures: resumable, verified, unpacked without trusting it."""

from __future__ import annotations

import logging
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO
from urllib.parse import urlparse

from bench.contract import UserError
from bench.pictures.catalog import SetInfo

MAX_UNPACKED = 8 * 2**30
"""Bytes that an archive may unpack to: Urban100 with all its low-resolution copies takes less than a tenth."""

MAX_MEMBERS = 100_000

_CHUNK = 1 << 16
_DOWNLOADS = ".downloads"


def fetch(info: SetInfo, url: str, sha256: str, root: Path) -> Path:
    """Download an archive (zip, tar, tar.gz, tar.bz2, tar.xz), verify it, and put the set's folder under ``root``.

    An interrupted download goes on where it stopped when the same call is made again.

    Returns:
        The set's folder.

    Raises:
        UserError: the set may not be fetched, is already there, the address or hash is malformed, the download fails
            or has another hash, the archive is unsafe or holds no folder of that name.
    """
    if not info.fetchable:
        raise UserError(f"{info.name} cannot be fetched. {info.how_to_get}")
    target = root / info.name
    if target.exists():
        raise UserError(f"{target} is there already. Run `data check`, or remove it to fetch it anew.")
    archive = download(url, sha256, root / _DOWNLOADS)
    with tempfile.TemporaryDirectory(dir=root, prefix=".unpack-") as folder:
        unpack(archive, Path(folder))
        _set_folder(Path(folder), info).rename(target)
    archive.unlink()
    return target


def download(url: str, sha256: str, folder: Path) -> Path:
    """Download ``url`` into ``folder`` through pooch; a partial file of an earlier call is continued."""
    import pooch
    import requests

    if urlparse(url).scheme not in ("http", "https"):
        raise UserError(f"address {url!r}: expected one that begins with https:// or http://.")
    if len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef"):
        raise UserError(
            f"hash {sha256!r}: expected the 64 hexadecimal digits of a SHA-256, as `sha256sum` prints them "
            "for a copy that you trust."
        )
    name = f"{sha256[:16].lower()}-{PurePosixPath(urlparse(url).path).name or 'archive'}"
    part = folder / f"{name}.part"
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        file = pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=folder, downloader=_resuming(part))
    except ValueError as error:
        raise UserError(
            f"{url} is not the expected file: its SHA-256 differs from {sha256}. Nothing was kept; check "
            "the address and the hash."
        ) from error
    except (requests.exceptions.RequestException, OSError) as error:
        kept = part.stat().st_size if part.is_file() else 0
        raise UserError(
            f"{url} could not be downloaded ({error}). {kept} bytes are kept; the same command continues from there."
        ) from error
    return Path(file)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack regular files and folders into ``folder``; anything else refuses the whole archive before writing.

    Raises `UserError` for members that lead out of the folder, links, devices, encrypted members, too many members or
    bytes, and archives that are damaged or of an unknown kind.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _write(archive, list(_zip_members(opened)), folder)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                _write(archive, list(_tar_members(opened)), folder)
        else:
            raise UserError(f"{archive}: neither a zip nor a tar archive. Check the address.")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, ValueError, OSError) as error:
        raise UserError(f"{archive} cannot be unpacked: {error}. Check the address and the hash.") from error


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    kind: str
    """``file``, ``folder``, or what it is instead"""
    open: Callable[[], IO[bytes] | None]


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        other = mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
        kind = "a link or device" if other else "folder" if info.is_dir() else "file"
        yield _Member(info.filename, info.file_size, kind, lambda info=info: archive.open(info))


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        kind = "file" if info.isreg() else "folder" if info.isdir() else "a link or device"
        yield _Member(info.name, info.size, kind, lambda info=info: archive.extractfile(info))
        if len(archive.members) > MAX_MEMBERS:
            raise ValueError(f"more than {MAX_MEMBERS} members")


def _write(archive: Path, members: list[_Member], folder: Path) -> None:
    for member in members:
        posix, windows = PurePosixPath(member.name), PureWindowsPath(member.name)
        climbs = posix.is_absolute() or windows.drive or windows.root or ".." in (*posix.parts, *windows.parts)
        if climbs or "\0" in member.name:
            raise UserError(
                f"{archive}: its member {member.name!r} leads out of the folder. The archive is refused "
                "and nothing was unpacked."
            )
        if member.kind not in ("file", "folder"):
            raise UserError(
                f"{archive}: its member {member.name!r} is {member.kind}. The archive is refused and "
                "nothing was unpacked."
            )
    if len(members) > MAX_MEMBERS or sum(member.size for member in members) > MAX_UNPACKED:
        raise UserError(
            f"{archive} would unpack to {len(members)} files or more bytes than the limit of "
            f"{MAX_UNPACKED}. It is refused."
        )
    for member in members:
        path = folder / member.name
        if member.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        if source is not None:
            with source, path.open("wb") as file:
                _copy(source, file, member)


def _copy(source: IO[bytes], file: IO[bytes], member: _Member) -> None:
    left = member.size
    while data := source.read(_CHUNK):
        left -= len(data)
        if left < 0:
            raise ValueError(f"{member.name!r} is larger than the archive says")
        file.write(data)


def _set_folder(unpacked: Path, info: SetInfo) -> Path:
    wanted = {name.lower() for name in (info.key, info.name, *info.aliases)}
    found = [path for path in sorted(unpacked.rglob("*")) if path.is_dir() and path.name.lower() in wanted]
    if found:
        return min(found, key=lambda path: len(path.parts))
    raise UserError(f"the archive holds no folder named {' or '.join((info.name, *info.aliases))}. Check the address.")


def _resuming(part: Path) -> Callable[[str, str, object], None]:
    """A downloader for pooch that collects into ``part`` and hands it over when complete."""

    def run(url: str, output_file: str, pooch: object) -> None:
        import requests
        from tqdm import tqdm

        part.parent.mkdir(parents=True, exist_ok=True)
        start = part.stat().st_size if part.is_file() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=(10, 60)) as answer:
            if answer.status_code != 416:  # 416: nothing is left to send, the part is complete
                answer.raise_for_status()
                goes_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(
                    f"bytes {start}-"
                )
                total = int(answer.headers.get("Content-Length", 0)) + (start if goes_on else 0)
                with (
                    part.open("ab" if goes_on else "wb") as file,
                    tqdm(
                        total=total or None,
                        initial=start if goes_on else 0,
                        unit="B",
                        unit_scale=True,
                        desc=part.stem,
                        disable=None,
                    ) as bar,
                ):
                    for data in answer.iter_content(_CHUNK):
                        file.write(data)
                        bar.update(len(data))
        shutil.move(part, output_file)

    return run
