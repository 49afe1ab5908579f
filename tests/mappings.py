"""Mappings for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core.mapping import Mapping, Options
from connector.core.mapping_text import read
from connector.mapping_setting import default_mapping

if TYPE_CHECKING:
    from connector.core.events import Entity


def mapping_of(entity: Entity, options: Options | None = None, text: str = "") -> Mapping:
    """The mapping of a file's text, or the default one."""
    specs = read(text) if text else default_mapping()
    assert isinstance(specs, dict), specs
    return Mapping(entity, specs[entity], options or Options())
