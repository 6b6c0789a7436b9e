"""Data that stands in a page for its script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def data_block(data: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element, whatever its texts say."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
