import numpy as np
import pytest
import soundfile

from taae.evaluation.metrics import Status
from taae.evaluation.scoring.pairing import Pair, find_pairs, is_silent, read_pair, read_speakers
from taae.utils.errors import TaaeError
from tests.unit.evaluation.speechlike import RATE, speech


def write(path, signal, subtype="FLOAT", rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, signal, rate, subtype=subtype)
    return path


def read(tmp_path, reference, degraded, max_trim=320, subtype="FLOAT"):
    one = write(tmp_path / "ref.wav", reference)
    return read_pair(Pair("u", "s", one, write(tmp_path / "deg.wav", degraded, subtype)), max_trim)


@pytest.fixture
def folders(tmp_path):
    """Two trees that share a/one.1 and two; `three` lacks its decoded file, `four` its source."""
    click = np.ones(10) / 2
    for name in ("reference/a/one.1.flac", "reference/two.wav", "reference/three.flac"):
        write(tmp_path / name, click, "PCM_16")
    for name in ("decoded/a/one.1.wav", "decoded/two.WAV", "decoded/four.flac"):
        write(tmp_path / name, click, "PCM_16")
    (tmp_path / "reference/notes.txt").write_text("no audio")
    write(tmp_path / "reference/.two.flac.scratch/two.flac", click, "PCM_16")
    return tmp_path / "reference", tmp_path / "decoded"


def test_pairs_by_relative_name(folders, capsys):
    reference, decoded = folders
    pairs = find_pairs(reference, decoded, {"two": "Ann"})
    assert pairs == [
        Pair("a/one.1", "a", reference / "a/one.1.flac", decoded / "a/one.1.wav"),
        Pair("three", "unknown", reference / "three.flac", None),
        Pair("two", "Ann", reference / "two.wav", decoded / "two.WAV"),
    ]
    assert "1 files without a reference, not scored: four" in capsys.readouterr().err


def test_folders_that_do_not_pair(folders):
    reference, decoded = folders
    with pytest.raises(TaaeError, match="none of its 1 audio files has the name"):
        find_pairs(reference, decoded / "a", {})
    with pytest.raises(TaaeError, match="no such folder"):
        find_pairs(reference, decoded / "b", {})
    write(decoded / "two.flac", np.ones(10) / 2, "PCM_16")
    with pytest.raises(TaaeError, match="'two' is there twice"):
        find_pairs(reference, decoded, {})


def test_one_name_in_two_spellings_of_unicode_is_one_name(tmp_path):
    composed, apart = "\u00e9t\u00e9", "e\u0301te\u0301"
    one = write(tmp_path / "reference" / f"{composed}.wav", speech(0.1))
    other = write(tmp_path / "decoded" / f"{apart}.wav", speech(0.1))
    (tmp_path / "m.csv").write_text(f"speaker,utterance\nAnn,{apart}\n")
    speakers = read_speakers(tmp_path / "m.csv")
    pairs = find_pairs(tmp_path / "reference", tmp_path / "decoded", speakers)
    assert pairs == [Pair(composed, "Ann", one, other)]


def test_names_that_are_there_in_both_spellings_are_two(tmp_path):
    names = ["e\u0301te\u0301", "\u00e9t\u00e9"]
    for name in names:
        write(tmp_path / "reference" / f"{name}.wav", speech(0.1))
    other = write(tmp_path / "decoded" / f"{names[1]}.wav", speech(0.1))
    (tmp_path / "m.csv").write_text(f"speaker,utterance\nAnn,{names[0]}\nBen,{names[1]}\n")
    speakers = read_speakers(tmp_path / "m.csv")
    pairs = find_pairs(tmp_path / "reference", tmp_path / "decoded", speakers)
    found = [(pair.utterance, pair.speaker, pair.decoded) for pair in pairs]
    assert found == [(names[0], "Ann", None), (names[1], "Ben", other)]


def test_speakers_of_a_manifest(folders, tmp_path, capsys):
    path = tmp_path / "m.csv"
    path.write_text("utterance,speaker\ntwo,NA\nthree,007\ntwo,NA\n")
    assert read_speakers(path) == {"two": "NA", "three": "007"}
    find_pairs(*folders, read_speakers(path))
    assert "1 of 3 utterances have no speaker in the manifest, for instance 'a/one.1'" in (
        capsys.readouterr().err
    )
    path.write_text("utterance,speaker\none,Ann\ntwo,\n")
    with pytest.raises(TaaeError, match="line 3: no utterance or no speaker"):
        read_speakers(path)
    path.write_text("utterance,speaker\none,Ann\none,Ben\n")
    with pytest.raises(TaaeError, match="utterance 'one' has two speakers"):
        read_speakers(path)
    path.write_text("name,speaker\none,Ann\n")
    with pytest.raises(TaaeError, match="no column utterance"):
        read_speakers(path)


@pytest.mark.parametrize("excess", [-320, -1, 0, 1, 320])
def test_up_to_a_hop_is_trimmed_and_counted(tmp_path, excess):
    signal = speech(1.0)
    longer = np.concatenate([signal, signal])[: signal.size + excess]
    signals = read(tmp_path, signal, longer)
    assert signals.problem is None
    assert (signals.counts["n_ref"], signals.counts["n_deg"]) == (signal.size, signal.size + excess)
    assert signals.counts["n_trimmed"] == abs(excess)
    assert signals.reference.size == signals.degraded.size == signal.size + min(excess, 0)
    np.testing.assert_array_equal(signals.reference, signals.degraded)
    assert signals.counts["lag_samples"] == 0


@pytest.mark.parametrize("excess", [-321, 321])
def test_more_than_a_hop_is_a_mismatch(tmp_path, excess):
    signal = speech(1.0)
    signals = read(tmp_path, signal, np.resize(signal, signal.size + excess))
    assert signals.problem is not None
    assert signals.problem.status is Status.LEN_MISMATCH
    assert signals.counts == {"n_ref": signal.size, "n_deg": signal.size + excess}


def test_a_delay_is_reported_and_left(tmp_path):
    signal = speech(1.0)
    late = np.concatenate([np.zeros(40), signal[:-40]])
    signals = read(tmp_path, signal, late)
    assert signals.counts["lag_samples"] == 40
    np.testing.assert_allclose(signals.degraded, late, atol=1e-7)


def test_samples_beyond_full_scale_are_clipped_and_counted(tmp_path):
    signal = speech(0.2)
    loud = signal.copy()
    loud[100:107] = [1.5, -2, 1.0, -1.0, 1.01, 0.99, -1.2]
    signals = read(tmp_path, signal, loud)
    assert signals.counts["n_clipped"] == 4
    assert np.abs(signals.degraded).max() == 1
    signals = read(tmp_path, signal, loud, subtype="PCM_16")  # the file clips: six at full scale
    assert signals.counts["n_clipped"] == 6


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_clipping_does_not_hide_an_infinity(tmp_path, value):
    signal = speech(0.2)
    broken = signal.copy()
    broken[5] = value
    signals = read(tmp_path, signal, broken)
    np.testing.assert_equal(signals.degraded[5], value)
    assert "lag_samples" not in signals.counts


def test_silence():
    offset = np.full(100, 0.3)
    assert is_silent(np.zeros(0))
    assert is_silent(offset)
    assert is_silent(offset + np.resize([1, -1], 100) * 2.0**-16)
    assert not is_silent(offset + np.resize([1, -1], 100) * 2.0**-14)
