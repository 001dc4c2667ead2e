"""Models by name, from and to a hub on this machine; its address is read when Python starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taae.codec.hub import model_folder
from taae.codec.pretrained import model_name
from taae.utils.errors import TaaeError
from taae.utils.files import write_json
from tests.unit.codec.codecs import codec
from tests.unit.codec.fake_hub import COMMIT, Hub, hub

pytest.importorskip("huggingface_hub", reason="needs the extra hub")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    codec().save_pretrained(folder)
    write_json({"pretrained": "elsewhere"}, folder / "provenance.json")
    (folder / "entropy-models" / "native").mkdir(parents=True)
    (folder / "entropy-models" / "native" / "order1.npz").write_bytes(b"tables")
    (folder / "history.csv").write_text("step\n")
    (folder / "model.pt").write_bytes(b"pickle")
    return folder


def python(code: str, server: Hub, home: Path) -> subprocess.CompletedProcess[str]:
    """Run Python lines that know the hub, the token and a cache of their own."""
    about = {"HF_ENDPOINT": server.address, "HF_TOKEN": "hf_secret", "HF_HOME": str(home)}
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "")
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **about, **proxies, "HF_HUB_DISABLE_TELEMETRY": "1"},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_model_goes_to_the_hub_and_comes_back(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.sin(np.arange(16_000) / 9) / 5, 16_000)
    (model / "entropy-models" / "native" / "order1.npz").unlink()  # else used by encode
    code = f"""
from taae.cli import main
assert main(["push", "--model", "{model}", "--repo", "me/codec", "--licence", "mit"]) == 0
assert main(["encode", "in.wav", "a.taae", "--model", "me/codec"]) == 0
assert main(["encode", "in.wav", "b.taae", "--model", "{model}"]) == 0
from taae.codec.codec import Codec
codec = Codec.from_pretrained("me/codec")
print(codec.push_to_hub("me/other", "# Other"), len(list(codec.parameters())))
from taae.study.load import resolve
print(resolve({{"variants": {{"theirs": {{"pretrained": "me/codec@main"}}}}}}).variants["theirs"])
"""
    with hub() as server:
        done = python(code, server, tmp_path / "home")
        assert done.returncode == 0, done.stderr
        sent, other = server.files["me/codec"], server.files["me/other"]
    names = ["README.md", "config.json", "model.safetensors", "provenance.json"]
    assert sorted(sent) == names
    for name in names[1:]:
        assert sent[name] == (model / name).read_bytes()
    assert sent["README.md"].startswith(b"---\nlicense: mit\n")
    assert other["model.safetensors"] == sent["model.safetensors"]
    assert other["README.md"] == b"# Other"
    assert server.tokens == {"Bearer hf_secret"}
    assert (tmp_path / "a.taae").read_bytes() == (tmp_path / "b.taae").read_bytes()
    assert "window=8" in done.stdout
    assert f"snapshots/{COMMIT}" in done.stdout
    assert f"/me/codec/commit/{COMMIT}" in done.stdout


def test_only_files_of_a_model_are_taken_and_only_once(model: Path, tmp_path: Path) -> None:
    code = """
from pathlib import Path
from taae.codec.hub import model_folder
from taae.codec.pretrained import copy_model
folder = model_folder(Path("me/codec"))
print(*sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))
copy_model(folder, Path("copy"))
"""
    with hub() as server:
        server.files["me/codec"] = {
            path.relative_to(model).as_posix(): path.read_bytes()
            for path in model.rglob("*")
            if path.is_file()
        }
        first = python(code, server, tmp_path / "home")
        asked = len(server.asked)
        second = python(code, server, tmp_path / "home")
        assert len(server.asked) == asked > 0
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    taken = "config.json entropy-models/native/order1.npz model.safetensors provenance.json"
    assert first.stdout.strip() == second.stdout.strip() == taken
    about = json.loads((tmp_path / "copy" / "provenance.json").read_text())
    assert about["pretrained"] == f"me/codec@{COMMIT}"


def test_what_another_program_took_in_part_is_completed(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "home" / "hub" / "models--me--codec"
    (cache / "snapshots" / COMMIT).mkdir(parents=True)
    shutil.copy(model / "config.json", cache / "snapshots" / COMMIT)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    code = "from taae.codec.hub import model_folder; print(model_folder('me/codec'))"
    with hub() as server:
        names = ("config.json", "model.safetensors")
        server.files["me/codec"] = {name: (model / name).read_bytes() for name in names}
        done = python(code, server, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    weights = Path(done.stdout.strip()) / "model.safetensors"
    assert weights.read_bytes() == (model / "model.safetensors").read_bytes()


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    code = """
from taae.cli import main
raise SystemExit(main(["encode", "in.wav", "a.taae", "--model", "me/nothing"]))
"""
    with hub() as server:
        done = python(code, server, tmp_path / "home")
    assert done.returncode == 1
    assert done.stderr.startswith("error: me/nothing: no such folder, and no model of the hub")
    assert "Traceback" not in done.stderr


def test_what_is_no_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me" / "codec").mkdir(parents=True)
    for path in ("/models/mine", "./mine", "results/models/baseline/seed1", "mine", "me/codec"):
        assert model_folder(path) == Path(path)
    assert model_name(Path("/a/models--me--my-codec/snapshots/abc")) == "me/my-codec@abc"
    assert model_name(Path("/a/models/mine")) == "/a/models/mine"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(TaaeError, match=r"taae\[hub\]"):
        model_folder("someone/something")
