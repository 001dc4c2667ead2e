"""Generated English sentences: a small grammar, endless, without repetition."""

from __future__ import annotations

import random
from collections.abc import Iterator

from taae.corpus.synthetic import lexicon

WORDS = (9, 17)  # of a sentence: about 2.5 to 7 s of speech


def sentences(seed: int) -> Iterator[str]:
    """Yield sentences for ever, no text twice; the same seed yields the same ones."""
    rng = random.Random(f"{seed}/sentences")
    grammar = Sentences(rng)
    kinds = [kind for name, kind in vars(Sentences).items() if not name.startswith("_")]
    seen: set[str] = set()
    while True:
        text = rng.choice(kinds)(grammar)
        text = text[0].upper() + text[1:] + ("" if text.endswith("?") else ".")
        if WORDS[0] <= len(text.replace("-", " ").split()) <= WORDS[1] and text not in seen:
            seen.add(text)
            yield text


def number(value: int) -> str:
    """Spell a number from 0 to 9999 in English words."""
    if value < 20:
        return lexicon.UNITS[value]
    if value < 100:
        return lexicon.TENS[value // 10] + (f"-{lexicon.UNITS[value % 10]}" if value % 10 else "")
    size, word = (100, "hundred") if value < 1000 else (1000, "thousand")
    rest = value % size
    joint = " and " if rest < 100 else " "
    return f"{number(value // size)} {word}" + (f"{joint}{number(rest)}" if rest else "")


def plural(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


class Phrases:
    """Phrases of words that are drawn from the lexicon."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def one(self, words: list[str]) -> str:
        """Return one of `words`."""
        return self.rng.choice(words)

    def chance(self, probability: float = 0.5) -> bool:
        """Return whether something that has this probability happens."""
        return self.rng.random() < probability

    def maybe(self, phrase: str, probability: float = 0.5) -> str:
        """Return the phrase or nothing."""
        return phrase if self.chance(probability) else ""

    def adjective(self) -> str:
        """Such as: rusty."""
        return self.one(lexicon.ADJECTIVES)

    def adverb(self) -> str:
        """Such as: quietly."""
        return self.one(lexicon.ADVERBS)

    def time(self) -> str:
        """Such as: last winter."""
        return self.one(lexicon.TIMES)

    def noun_phrase(self, nouns: list[str]) -> str:
        """Such as: the tiny chemist."""
        noun = join(self.maybe(self.adjective(), 0.6), self.one(nouns))
        determiner = self.one(
            ["the", "the", "a", "that", "this", "my", "our", "your", "her", "his"]
        )
        if determiner == "a" and noun[0] in "aeiou" and not noun.startswith(("uni", "use", "euro")):
            determiner = "an"
        return f"{determiner} {noun}"

    def person(self) -> str:
        """Such as: my uncle; Clara."""
        return self.one(lexicon.NAMES) if self.chance(0.3) else self.noun_phrase(lexicon.PEOPLE)

    def thing(self) -> str:
        """Such as: a rusty key."""
        return self.noun_phrase(lexicon.THINGS)

    def place(self) -> str:
        """Such as: behind the old mill."""
        preposition = self.one(["in", "near", "behind", "beside", "beyond", "outside", "opposite"])
        return f"{preposition} the {join(self.maybe(self.adjective()), self.one(lexicon.PLACES))}"

    def transitive(self, past: bool = True) -> str:
        """Such as: mended; with past=False: mend."""
        return self.rng.choice(lexicon.TRANSITIVE)[past]

    def predicate(self, past: bool = True) -> str:
        """Such as: mended the lamp in the hall; smiled near the gate."""
        if self.chance(0.3):
            verb = self.rng.choice(lexicon.INTRANSITIVE)[past]
            return join(verb, self.maybe(self.adverb(), 0.4), self.place())
        thing = join(self.thing(), self.maybe(self.place(), 0.4))
        return join(self.transitive(past), thing)

    def clause(self) -> str:
        """Such as: my uncle mended the lamp."""
        return f"{self.person()} {self.predicate()}"


class Sentences(Phrases):
    """A method for each kind of sentence; it returns one without capital and full stop.

    Their order and the order of the draws in them belong to what a seed stands for.
    """

    def statement(self) -> str:
        """At noon, Clara hid the key."""
        return join(f"{self.time()},", self.clause())

    def conjunction(self) -> str:
        """Clara hid the key, but my uncle found the box."""
        return f"{self.clause()}, {self.one(['and', 'but', 'so', 'yet'])} {self.clause()}"

    def subordinate(self) -> str:
        """Clara hid the key because the tide came in."""
        link = self.one(["although", "because", "when", "while", "until", "as soon as", "before"])
        reason = self.one(lexicon.WEATHER) if self.chance() else self.clause()
        if self.chance():
            return f"{link} {reason}, {self.clause()}"
        return f"{self.clause()} {link} {reason}"

    def relative(self) -> str:
        """The guest who smiled sold the boat."""
        who = f"{self.noun_phrase(lexicon.PEOPLE)} who {self.predicate()}"
        return join(who, self.maybe(self.adverb()), self.transitive(), self.thing())

    def passive(self) -> str:
        """The boat was sold by my uncle near the pier."""
        verb = self.transitive()
        agent = f"by {self.person()}"
        return join(self.thing(), "was", verb, agent, self.place(), self.maybe(self.time()))

    def speech(self) -> str:
        """Clara said that my uncle sold the boat."""
        said = self.one(["said", "explained", "insisted", "admitted", "believed", "swore", "knew"])
        return f"{self.person()} {said} that {self.clause()}"

    def count(self) -> str:
        """Clara sold ninety-one lamps for seven pounds."""
        first = number(self.rng.randint(2, 9999))
        second = number(self.rng.randint(2, 99))
        things = join(self.maybe(self.adjective()), plural(self.one(lexicon.THINGS)))
        verb = self.transitive()
        rest = f"for {second} {self.one(lexicon.MEASURES)}" if self.chance() else self.place()
        return f"{self.person()} {verb} {first} {things} {rest}"

    def date(self) -> str:
        """On the third of May, nineteen forty-two, Clara hid the key."""
        year = f"{number(self.rng.randint(13, 19))} {number(self.rng.randint(21, 99))}"
        day = f"{self.one(lexicon.ORDINALS)} of {self.one(lexicon.MONTHS)}"
        return f"on the {day}, {year}, {self.clause()}"

    def departure(self) -> str:
        """The old train from Leeds to York leaves quietly at ten past four on Monday."""
        vehicle = self.one(["train", "bus", "ferry", "flight", "coach", "boat"])
        minute = self.one(["five", "ten", "quarter", "twenty", "half", "twenty-five"])
        hour = number(self.rng.randint(1, 12))
        leaves = self.one(["leaves", "departs", "will leave", "arrives", "is expected"])
        time = f"{self.adverb()} at {minute} past {hour} on {self.one(lexicon.DAYS)}"
        start, end = self.rng.sample(lexicon.TOWNS, 2)
        return f"the {self.adjective()} {vehicle} from {start} to {end} {leaves} {time}"

    def shopping(self) -> str:
        """Clara bought eggs, milk and tea near the mill."""
        first, second, third = self.rng.sample(lexicon.FOOD, 3)
        verb = self.one(["bought", "cooked", "ordered", "packed", "served", "brought", "needed"])
        who = f"{self.person()} {verb} {self.maybe('some ')}{first}, {second} and {third}"
        return join(who, self.place(), self.maybe(self.time()))

    def comparison(self) -> str:
        """My boat behind the hall is less rusty than a key."""
        than = f"{self.one(['more', 'less'])} {self.adjective()} than {self.thing()}"
        return f"{self.thing()} {self.place()} is {self.maybe('much ')}{than}"

    def request(self) -> str:
        """Never wash the coat before Clara sells the boat."""
        please = self.one(["please", "never", "always", "do not", "remember to", "try to"])
        link = self.one(["before", "after", "unless", "because"])
        return f"{please} {self.predicate(past=False)} {link} {self.clause()}"

    def yes_no_question(self) -> str:
        """Will Clara hide the key at noon?"""
        auxiliary = self.one(["did", "will", "could", "should", "would", "can", "must"])
        action = self.predicate(past=False)
        return join(auxiliary, self.person(), action, self.maybe(self.time())) + "?"

    def wh_question(self) -> str:
        """Why did Clara hide the key?"""
        ask = self.one(["why", "when", "how", "how often", "with whom"])
        auxiliary = self.one(["did", "will", "could", "should", "would"])
        return join(ask, auxiliary, self.person(), self.predicate(past=False)) + "?"


def join(*phrases: str) -> str:
    """Join the phrases that are not empty."""
    return " ".join(phrase for phrase in phrases if phrase)
