"""The synthetic speakers: eSpeak NG variants that sound like people, dealt to the splits."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taae.corpus.synthetic.espeak import Voice
from taae.corpus.synthetic.lexicon import alternatives
from taae.corpus.utterance import SPLITS
from taae.utils.errors import TaaeError

ACCENTS = (
    "en-us",
    "en-us-nyc",
    "en",  # Great Britain
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",  # Caribbean
)

# Variants with nearly the same formants are one family, joined by slashes: no family serves two
# splits. Left out: robots, whispers, croaks (grandpa too), strong echoes, and Klatt variants of
# extreme crest factor.
FEMALE = alternatives("""
    f1 f2/f5 f3 f4/aunty linda/belinda Annie Alicia Andrea grandma shelby steph/steph2/steph3
""")
MALE = alternatives("""
    Alex Andy Denis Gene/Gene2 Lee Mario/Michael/marcelo/gustave Mike/m3 Nguyen/m7/m8 Reed Storm
    adam/benjamin/edward2 antonio boris david ed ian iven3/iven4 john/pedro kaukovalta m1 m2 m4 m5
    m6 max michel/miguel/Henrique/Diogo mike2 norbert pablo paul quincy/rob/robert sandro travis
    victor
""")
SHARES = {"test": 0.25, "validation": 0.1}  # of the families; train has the others

PITCH = (35, 65)
RANGE = (30, 80)
RATE = (140, 185)  # words per minute


@dataclass(frozen=True)
class Speaker:
    """A voice with a name and a split."""

    name: str
    split: str
    voice: Voice


def draw_speakers(counts: dict[str, int], seed: int, unseen: str = "families") -> list[Speaker]:
    """Draw `counts[split]` speakers per split.

    Within a split, women and men come in turn until the women's variants, which are fewer, are
    used; a variant returns only after all others, and with another accent. Pitch, its range and
    the rate are uniform within the limits above.

    Args:
        counts: of speakers, by split.
        seed: of all that is drawn.
        unseen: what the training has not heard of the other splits' voices:
            "families": their family of variants, which no two splits share;
            "accents": the accent of their variant, which it has heard with others.

    Raises:
        TaaeError: "accents", and the variants of the training have too few.
    """
    rng = random.Random(f"{seed}/voices")
    women, men = _deal(FEMALE, rng), _deal(MALE, rng)
    if unseen == "accents":
        everyone = _by_turns([_by_turns(list(dealt.values())) for dealt in (women, men)])
        heard = everyone[: counts["train"]]
        asked, most = sum(counts.values()), len(heard) * len(ACCENTS)
        if asked > most:
            raise TaaeError(
                f"corpus.synthetic: {asked} voices asked for, but with unseen: accents there are"
                f" {most} ({len(heard)} variants in training, {len(ACCENTS)} accents); ask for"
                " fewer, or for unseen: families"
            )
        pairs = dict.fromkeys(SPLITS, _pairs(heard, rng))  # each goes on where the last one ended
    else:
        pairs = {split: _pairs(_by_turns([women[split], men[split]]), rng) for split in SPLITS}
    speakers = []
    for split in SPLITS:
        for index in range(1, counts[split] + 1):
            accent, variant = next(pairs[split])  # draws, the first time
            voice = Voice(accent, variant, *(rng.randint(*each) for each in (PITCH, RANGE, RATE)))
            speakers.append(Speaker(f"{split}{index:03d}", split, voice))
    return speakers


def _deal(all_families: Sequence[Sequence[str]], rng: random.Random) -> dict[str, list[str]]:
    """Return the variants of each split; each family's first variants come first."""
    families = rng.sample(all_families, len(all_families))
    dealt, start = {}, 0
    for split, share in SHARES.items():
        end = start + max(1, round(share * len(families)))
        dealt[split] = families[start:end]
        start = end
    dealt["train"] = families[start:]
    return {split: _by_turns(chosen) for split, chosen in dealt.items()}


def _by_turns(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return the first of each list, then the second of each that has one, and so on."""
    longest = max(map(len, lists))
    return [items[turn] for turn in range(longest) for items in lists if turn < len(items)]


def _pairs(variants: list[str], rng: random.Random) -> Iterator[tuple[str, str]]:
    accents = {variant: rng.sample(ACCENTS, len(ACCENTS)) for variant in variants}
    turn = 0
    while True:
        for variant in variants:
            yield accents[variant][turn % len(ACCENTS)], variant
        turn += 1
