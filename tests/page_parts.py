"""What a page holds, taken apart for tests: its tags, its scripts, its compressed data."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """Tags and attributes of a page, and the text of its scripts: first the data, then the program."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, text: str) -> None:
        if self._inside:
            self.scripts.append(text)


def data_of(text: str) -> dict[str, Any]:
    """The data that a page's program reads."""
    return json.loads(zlib.decompress(base64.b64decode(Page(text).scripts[0], validate=True)))
