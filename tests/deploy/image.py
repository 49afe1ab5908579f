"""The image, built as a user would build it; and a base for it where none can be pulled."""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.engine import client_of
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
from testcontainers.core.image import DockerImage
from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
_OWN_BASE = "replenit-connector-tests-base:latest"
_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = "python3-minimal,python3-pip,ca-certificates"


@contextmanager
def image(engine: str, base: str, index: str) -> Iterator[str]:
    """Build the image on a base, from a package index, and give its id."""
    arguments = {"BASE": base, "PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}
    client = {"environment": {"DOCKER_HOST": engine}, "timeout": 600}
    with DockerImage(ROOT, docker_client_kw=client, buildargs=arguments, network_mode="host") as built:
        yield str(built.get_wrapped_image().id)


@contextmanager
def base(engine: str) -> Iterator[str]:
    """Give a base's tag: the one that the Dockerfile names, else one that is made here. Raise UnavailableError."""
    (named,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    with client_of(engine) as client:
        if why := _lacking(client, named):
            _make(client, why)
            try:
                yield _OWN_BASE
            finally:
                client.images.remove(_OWN_BASE)
        else:
            yield str(named)


def _lacking(client: Any, tag: str) -> str:  # noqa: ANN401 (the Docker package has no types)
    """Say why an image can't be had, or nothing."""
    try:
        client.images.get(tag)
    except ImageNotFound:
        try:
            client.images.pull(*tag.rsplit(":", 1))
        except (DockerException, OSError) as error:
            return f"{tag} can't be pulled ({error})"
    return ""


def _make(client: Any, why: str) -> None:  # noqa: ANN401
    """Make a base of this machine's distribution, which trusts what this machine trusts."""
    if os.geteuid() or shutil.which("mmdebstrap") is None:
        raise UnavailableError(f"{why}, and only root with Debian's mmdebstrap can make one")
    trusted = ssl.get_default_verify_paths().cafile
    hooks = [f"--customize-hook=upload {trusted} /etc/ssl/certs/ca-certificates.crt"] if trusted else []
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "base.tar"
        options = ("--quiet", "--variant=essential", f"--include={_PACKAGES}", *hooks)
        done = subprocess.run(["mmdebstrap", *options, suite, packed], check=False, capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(f"{why}, nor made: mmdebstrap: {done.stderr.strip().rpartition(chr(10))[2]}")
        repository, _, tag = _OWN_BASE.partition(":")
        client.api.import_image_from_file(str(packed), repository=repository, tag=tag, changes=[_PATH])
