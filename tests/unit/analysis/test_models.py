"""The table of where models come from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from taae.analysis.tables.runs import provenance_table
from taae.utils.errors import TaaeError
from taae.utils.files import write_csv, write_json

TRAINED = {
    "config_sha256": "a" * 64,
    "corpus": "b" * 64,
    "start": "e" * 64,
    "parameters": 1234,
    "device": "a processor",
    "precision": "float32",
    "gpus": 2,
    "threads": 8,
    "seconds": 7200.0,
    "cpu_seconds": 36_000.0,
    "gpu_hours": 4.0,
    "resumptions": 3,
    "git": {"revision": "c" * 40, "dirty": True},
    "code": "0.1.0",
    "python": "3",
    "torch": "2",
    "numpy": "1",
}
PRETRAINED = {"pretrained": "a model", "sha256": {"config.json": "d" * 64}}


def test_trained_and_pretrained_models_in_one_table(tmp_path: Path) -> None:
    study = SimpleNamespace(
        variants=["ours", "theirs"], seeds_of=lambda variant: [1, 2] if variant == "ours" else [1]
    )
    for run in ("ours/seed1", "ours/seed2"):
        write_json(TRAINED, tmp_path / run / "provenance.json")
    with pytest.raises(TaaeError, match=r"theirs/seed1/provenance\.json: .*No such file"):
        provenance_table(tmp_path, study)  # type: ignore[arg-type]
    write_json(PRETRAINED, tmp_path / "theirs/seed1/provenance.json")
    write_csv(provenance_table(tmp_path, study), tmp_path / "t.csv")  # type: ignore[arg-type]
    lines = (tmp_path / "t.csv").read_text().splitlines()
    ours = "aaaaaaaaaaaa,bbbbbbbbbbbb,eeeeeeeeeeee,1234,a processor,float32,2,8,2,10,4,3"
    assert lines[1] == f"ours,1,{ours},cccccccccccc,True,0.1.0,3,2,1,"
    assert lines[2].startswith("ours,2,")
    assert lines[3] == "theirs,1,dddddddddddd,,,,,,,,,,,,,,,,,,a model"
