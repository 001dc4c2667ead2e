from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from taae.corpus.synthetic.espeak import Voice, espeak
from taae.corpus.synthetic.voices import ACCENTS, FEMALE, MALE, PITCH, RANGE, draw_speakers
from taae.corpus.utterance import SPLITS
from taae.utils.errors import TaaeError
from taae.utils.processes import ordered_map

DEFAULT = {"train": 40, "validation": 4, "test": 12}
FAMILY = {variant: family for family in (*FEMALE, *MALE) for variant in family}


@pytest.mark.parametrize("seed", range(20))
def test_splits_share_no_family_of_variants(seed: int) -> None:
    families = {split: set() for split in SPLITS}
    for speaker in draw_speakers(DEFAULT, seed):
        families[speaker.split].add(FAMILY[speaker.voice.variant])
    assert sum(map(len, families.values())) == len(set.union(*families.values()))


@pytest.mark.parametrize("seed", range(5))
def test_the_default_study_has_56_different_voices_of_both_sexes(seed: int) -> None:
    speakers = draw_speakers(DEFAULT, seed)
    assert len({str(speaker.voice) for speaker in speakers}) == 56
    assert len({speaker.name for speaker in speakers}) == 56
    women = {variant for family in FEMALE for variant in family}
    for split, count in DEFAULT.items():
        chosen = [speaker.voice.variant for speaker in speakers if speaker.split == split]
        assert len(chosen) == count
        assert 0.15 < sum(variant in women for variant in chosen) / count < 0.6
        if split != "train":
            assert len(set(chosen)) == count  # no vocal tract twice


def test_a_variant_returns_with_another_accent() -> None:
    speakers = draw_speakers({"train": 1, "validation": 40, "test": 1}, seed=4)
    voices = [speaker.voice for speaker in speakers if speaker.split == "validation"]
    assert len({voice.variant for voice in voices}) < 20
    assert len({(voice.variant, voice.accent) for voice in voices}) == 40


@pytest.mark.parametrize("counts", [DEFAULT, {"train": 320, "validation": 4, "test": 71}])
def test_unseen_accents_are_those_of_variants_that_training_has(counts: dict[str, int]) -> None:
    heard: dict[str, set[str]] = {}
    speakers = draw_speakers(counts, 3, "accents")
    assert len(speakers) == sum(counts.values())
    for speaker in speakers:
        if speaker.split == "train":
            heard.setdefault(speaker.voice.variant, set()).add(speaker.voice.accent)
    assert len(heard) == min(counts["train"], len(FAMILY))
    others = [speaker.voice for speaker in speakers if speaker.split != "train"]
    assert len({(voice.variant, voice.accent) for voice in others}) == len(others)
    assert all(voice.accent not in heard[voice.variant] for voice in others)


def test_more_voices_than_accents_can_make() -> None:
    with pytest.raises(TaaeError, match=r"17 voices asked for, .* there are 16 \(2 variants"):
        draw_speakers({"train": 2, "validation": 3, "test": 12}, 1, "accents")


def test_voices_follow_from_the_seed() -> None:
    assert draw_speakers(DEFAULT, 7) == draw_speakers(DEFAULT, 7)
    assert draw_speakers(DEFAULT, 7) != draw_speakers(DEFAULT, 8)


def test_no_variant_is_in_two_families() -> None:
    assert len(FAMILY) == sum(map(len, (*FEMALE, *MALE)))


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_accent_speaks(accent: str) -> None:
    with espeak(Voice(accent, "f3", 50, 50, 175)) as library:
        samples = library.speak("Thirteen white birds flew over the river.")
    assert library.sample_rate == 22050
    assert 1.5 < len(samples) / library.sample_rate < 4


def test_no_variant_reaches_the_limiter() -> None:
    peaks = {}
    for variant in FAMILY:
        with espeak(Voice("en-029", variant, PITCH[1], RANGE[1], 175)) as library:
            peaks[variant] = int(np.abs(library.speak("All our oars are over there.")).max())
    assert max(peaks.values()) < 25_000, peaks
    assert min(peaks.values()) > 1000, peaks


def speak_breathily(seed: int) -> np.ndarray:
    with espeak(Voice("en-us", "f5", 50, 50, 175), seed) as library:
        return library.speak("Thirteen white birds.")


def test_noise_follows_from_the_seed() -> None:
    """By itself eSpeak seeds its noise from the clock; each item has a process of its own."""
    one, again, other = ordered_map(
        speak_breathily, [1, 1, 2], 1, preload=["taae.corpus.synthetic.espeak"]
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_voices_that_do_not_exist() -> None:
    with pytest.raises(TaaeError, match="no voice variant 'nobody'"):
        espeak(Voice("en-us", "nobody", 50, 50, 175)).__enter__()
    with pytest.raises(TaaeError, match=r"no voice 'xx-nowhere\+f1'"):
        espeak(Voice("xx-nowhere", "f1", 50, 50, 175)).__enter__()


def test_an_environment_with_a_long_odd_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "an é 'odd' dir" / ("x" * 200)
    odd.mkdir(parents=True)
    (odd / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(odd / "espeak-ng-data"))
    with espeak(Voice("en-us", "m1", 50, 50, 175)) as library:
        assert len(library.speak("Hello.")) > 1000
