"""Files of results are replaced whole."""

from __future__ import annotations

import json

import pytest

from anodice.reporting.run_files import write_json


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "metrics.json"
    write_json(path, {"f1": 0.5})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"f1": float("nan")})
    assert json.loads(path.read_text()) == {"f1": 0.5}
