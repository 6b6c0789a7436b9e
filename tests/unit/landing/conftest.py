from pathlib import Path

import pytest
from landing_extract import Extract


@pytest.fixture
def extract(tmp_path: Path) -> Extract:
    return Extract(tmp_path)
