"""Large downloads that survive a cut connection: what has arrived is kept, and the same call goes on from there."""

import hashlib
import http.client
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from dcviz.errors import DataError
from dcviz.files import alone, sync_and_replace

PIECE = 1 << 20
HERE = ("127.0.0.1", "localhost", "::1")


def resume(url, path, check, most, attempts=3, progress=True):
    """The file of ``url`` at ``path``: there already, or fetched, going on where an earlier call was cut off.

    The one way by which dcviz fetches anything. most: bytes of the file at most; of a longer answer nothing is kept.

    check: function of the whole file, open for reading, that raises DataError unless it is the one that was promised;
    for example ``sha256_begins(digits)``. Bytes on their way lie in ``path`` + ".part" and get the final name only when
    they have passed it. A cut connection is tried again, up to ``attempts`` times. Only https, or http on this machine.
    progress: a bar on stderr where that is a terminal.

    DataError says what happened and what to do: no network, cut off, disk full, too long, an empty or senseless answer,
    not the file that was promised.
    """
    path = Path(path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path):  # who comes second waits, and finds the file
            if not path.exists():
                _fetch(url, path, check, most, attempts, progress)
    return path


def _fetch(url, path, check, most, attempts, progress):
    part = Path(f"{path}.part")
    for attempt in range(attempts):
        try:
            _go_on(url, part, most, progress)
            break
        except (http.client.HTTPException, OSError, ValueError) as error:  # a broken answer has many names
            if attempt + 1 == attempts or isinstance(error, urllib.error.HTTPError):
                arrived = part.stat().st_size if part.exists() else 0
                raise DataError(
                    f"{url}: could not be fetched ({error}); {arrived:,} bytes have arrived and are kept in "
                    f"{part}: with a network, the same call goes on from there"
                ) from error
    if not part.exists():
        raise DataError(f"{url}: the answer was empty")
    try:
        with open(part, "rb") as file:
            check(file)
    except DataError as error:
        part.unlink()
        raise DataError(f"{url}: not the file that was promised, so it was removed: {error}") from error
    sync_and_replace(part, path)


def sha256_begins(digits):
    """A check for ``resume``: the file's SHA-256 begins with these hexadecimal digits."""

    def check(file):
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(digits):
            raise DataError(f"SHA-256 {found}, not {digits}{'' if len(digits) == len(found) else '...'}")

    return check


def _go_on(url, part, most, progress):
    """Fetch what is missing of ``part``. Returns when the server has no more; DataError if that is over ``most``."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    _check_address(url)
    try:
        answer = urllib.request.build_opener(_SafeRedirects).open(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing after what we have: whole, or not the same file any more
            return
        raise
    with answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        arrived = have if goes_on else 0
        total = arrived + (answer.length or 0)  # what Content-Length says, if it is a number
        with _bar(part, total, arrived, progress) as bar:
            while total <= most and (piece := answer.read(PIECE)):
                if arrived + len(piece) > most:
                    total = arrived + len(piece)
                    break
                _append(part, piece, fresh=arrived == 0)
                arrived += len(piece)
                bar.update(len(piece))
    if total > most:
        part.unlink(missing_ok=True)
        raise DataError(f"{url}: the answer is longer than {most:,} bytes, the most that was promised; nothing is kept")
    if arrived < total:
        raise http.client.IncompleteRead(b"", total - arrived)


def _append(part, piece, fresh):
    try:
        with open(part, "wb" if fresh else "ab") as file:
            file.write(piece)
    except OSError as error:
        free = shutil.disk_usage(part.parent).free
        raise DataError(
            f"{part}: cannot be written ({error}); {free:,} bytes are free there. What has arrived is kept: make room, "
            "and the same call goes on"
        ) from error


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, message, headers, new_url):
        _check_address(new_url)
        return super().redirect_request(request, fp, code, message, headers, new_url)


def _check_address(url):
    address = urllib.parse.urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in HERE):
        raise DataError(f"{url}: only https is fetched")


def _bar(part, total, have, progress):
    from tqdm import tqdm

    return tqdm(
        total=total or None,
        initial=have,
        unit="B",
        unit_scale=True,
        desc=part.name.removesuffix(".part"),
        file=sys.stderr,
        disable=None if progress else True,
    )
