import itertools
import string

from hypothesis import given
from hypothesis import strategies as st

from taae.corpus.synthetic import lexicon
from taae.corpus.synthetic.sentences import WORDS, number, plural, sentences


def read_number(words: str) -> int:
    """The inverse of `number`, written independently: words to value."""
    small = dict(zip(lexicon.UNITS, range(20), strict=True))
    small |= dict(zip(lexicon.TENS[1:], range(10, 100, 10), strict=True))
    total = group = 0
    for word in words.replace("-", " ").split():
        if word == "hundred":
            group *= 100
        elif word == "thousand":
            total, group = total + group * 1000, 0
        elif word != "and":
            group += small[word]
    return total + group


@given(st.integers(0, 9999))
def test_number_words_read_back_as_the_number(value: int) -> None:
    assert read_number(number(value)) == value


def test_number_words() -> None:
    assert number(1942) == "one thousand nine hundred and forty-two"
    assert number(5007) == "five thousand and seven"
    assert number(300) == "three hundred"
    assert number(80) == "eighty"


def test_plural() -> None:
    nouns = ["box", "torch", "key", "diary", "lamp", "compass", "brush"]
    plurals = ["boxes", "torches", "keys", "diaries", "lamps", "compasses", "brushes"]
    assert [plural(noun) for noun in nouns] == plurals


def test_no_sentence_occurs_twice() -> None:
    texts = list(itertools.islice(sentences(3), 20_000))
    assert len(set(texts)) == len(texts)


def test_sentences_follow_from_the_seed() -> None:
    first, again, other = (list(itertools.islice(sentences(seed), 200)) for seed in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)


def test_sentences_are_well_formed_and_varied() -> None:
    texts = list(itertools.islice(sentences(1), 5000))
    letters = set(string.ascii_letters + " ,-")
    for text in texts:
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert set(text[:-1]) <= letters
        assert "  " not in text
        assert WORDS[0] <= len(text.replace("-", " ").split()) <= WORDS[1]
        assert " a a" not in text
        assert " a e" not in text
        assert " a i" not in text
        assert " a o" not in text
    vocabulary = {word for text in texts for word in text.lower().strip(".?").split()}
    assert len(vocabulary) > 600
    questions = sum(text.endswith("?") for text in texts)
    assert 0.05 < questions / len(texts) < 0.3


def test_no_word_is_listed_twice() -> None:
    for name in ("PEOPLE", "NAMES", "THINGS", "PLACES", "TOWNS", "ADJECTIVES", "FOOD", "TIMES"):
        words = getattr(lexicon, name)
        assert len(set(words)) == len(words), name
