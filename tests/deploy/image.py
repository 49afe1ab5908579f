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

from deploy.engine import client_of, engine
from deploy.index import index
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
from testcontainers.core.image import DockerImage
from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
_OWN_BASE = "replenit-connector-tests-base:latest"
_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = "python3-minimal,python3-pip,ca-certificates"

# Type, mode, owner and name of each file; of what is no folder also its size and when it was changed.
_LISTING = r"find / -xdev \( -type d -printf '%y%m %u:%g %p\n' \) -o -printf '%y%m %u:%g %p %s %T@\n'"
_ENGINES_OWN = {"/.dockerenv", "/etc/hosts", "/etc/hostname", "/etc/mtab", "/etc/resolv.conf"}
_VERSIONS = """
import importlib.metadata, sys
for each in importlib.metadata.distributions(path=[path for path in sys.path if path.startswith("/opt/")]):
    print(each.name.lower().replace("_", "-") + "==" + each.version)
"""


class Built:
    """The image that was built, its base, the engine that has both, and who asked the package index."""

    def __init__(self, engine: str, image: str, base: str, asked: Counter[str]) -> None:
        self.engine = engine
        self.image = image
        self.base = base
        self.asked = asked

    def describe(self) -> dict[str, Any]:
        """Return what the engine knows of it, of its base, and the steps that were taken upon that."""
        with client_of(self.engine) as client:
            found: dict[str, Any] = client.images.get(self.image).attrs
            own = len(client.api.history(self.image)) - len(client.api.history(self.base))
            history = [each["CreatedBy"] for each in client.api.history(self.image)[:own]]
            return found | {"base": client.images.get(self.base).attrs, "history": "\n".join(history)}

    def prints(self, image: str, *command: str) -> str:
        """Return what a command prints in a container of its own, as root."""
        with client_of(self.engine) as client:
            options = {"network_mode": "none", "user": "0", "remove": True}
            return str(client.containers.run(image, command[1:], entrypoint=command[0], **options).decode())

    def files(self, image: str) -> set[str]:
        """Return a line for each file; the engine adds some to every container."""
        lines = self.prints(image, "sh", "-c", _LISTING).splitlines()
        return {line for line in lines if line.split()[2] not in _ENGINES_OWN}

    def versions(self) -> set[str]:
        """Return `name==version` of each Python package of the connector's."""
        return {*self.prints(self.image, "python", "-c", _VERSIONS).split()}


@contextmanager
def built_image() -> Iterator[Built]:
    """Build it as a user would, on a base and from a package index that can be had. Raise UnavailableError."""
    with engine() as address, _base(address) as base, index() as packages:
        arguments = {"BASE": base, "PIP_INDEX_URL": packages.url, "UV_DEFAULT_INDEX": packages.url}
        client = {"environment": {"DOCKER_HOST": address}, "timeout": 600}
        with DockerImage(ROOT, docker_client_kw=client, buildargs=arguments, network_mode="host") as image:
            yield Built(address, str(image.get_wrapped_image().id), base, packages.asked)


@contextmanager
def _base(engine: str) -> Iterator[str]:
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
