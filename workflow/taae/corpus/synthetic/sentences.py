"""Generated English sentences: a small grammar, endless, without repetition."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from taae.corpus.synthetic.lexicon import (
    ADJECTIVES,
    ADVERBS,
    DAYS,
    FOOD,
    INTRANSITIVE,
    MEASURES,
    MONTHS,
    NAMES,
    ORDINALS,
    PEOPLE,
    PLACES,
    TENS,
    THINGS,
    TIMES,
    TOWNS,
    TRANSITIVE,
    UNITS,
    WEATHER,
)

WORDS = (9, 17)  # of a sentence: about 2.5 to 7 s of speech


def sentences(seed: int) -> Iterator[str]:
    """Yield sentences for ever, no text twice; the same seed yields the same ones."""
    grammar = Grammar(random.Random(f"{seed}/sentences"))
    seen: set[str] = set()
    while True:
        text = grammar.sentence()
        if WORDS[0] <= len(text.replace("-", " ").split()) <= WORDS[1] and text not in seen:
            seen.add(text)
            yield text


def number(value: int) -> str:
    """Spell a number from 0 to 9999 in English words."""
    if value < 20:
        return UNITS[value]
    if value < 100:
        return TENS[value // 10] + (f"-{UNITS[value % 10]}" if value % 10 else "")
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


class Grammar:
    """Rules that draw words from the lexicon; a rule returns a phrase without final stop."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from `rng`."""
        self.rng = rng
        self.rules: tuple[Callable[[], str], ...] = (
            self.statement,
            self.conjunction,
            self.subordinate,
            self.relative,
            self.passive,
            self.speech,
            self.count,
            self.date,
            self.departure,
            self.shopping,
            self.comparison,
            self.request,
            self.yes_no_question,
            self.wh_question,
        )

    def sentence(self) -> str:
        """Return a sentence of any kind."""
        text = self.rng.choice(self.rules)()
        stop = "" if text.endswith("?") else "."
        return text[0].upper() + text[1:] + stop

    # Phrases

    def one(self, words: list[str]) -> str:
        """Return one of `words`."""
        return self.rng.choice(words)

    def maybe(self, phrase: str, probability: float = 0.5) -> str:
        """Return the phrase or nothing."""
        return phrase if self.rng.random() < probability else ""

    def noun_phrase(self, nouns: list[str]) -> str:
        """Such as: the tiny chemist."""
        noun = join(self.maybe(self.one(ADJECTIVES), 0.6), self.one(nouns))
        determiner = self.one(
            ["the", "the", "a", "that", "this", "my", "our", "your", "her", "his"]
        )
        if determiner == "a" and noun[0] in "aeiou" and not noun.startswith(("uni", "use", "euro")):
            determiner = "an"
        return f"{determiner} {noun}"

    def person(self) -> str:
        """Such as: my uncle; Clara."""
        return self.one(NAMES) if self.rng.random() < 0.3 else self.noun_phrase(PEOPLE)

    def thing(self) -> str:
        """Such as: a rusty key."""
        return self.noun_phrase(THINGS)

    def place(self) -> str:
        """Such as: behind the old mill."""
        preposition = self.one(["in", "near", "behind", "beside", "beyond", "outside", "opposite"])
        return f"{preposition} the {join(self.maybe(self.one(ADJECTIVES)), self.one(PLACES))}"

    def verb(self, verbs: tuple[tuple[str, ...], ...], past: bool) -> str:
        """Return the base form or the past tense of one of `verbs`."""
        return self.rng.choice(verbs)[past]

    def predicate(self, past: bool = True) -> str:
        """Such as: mended the lamp in the hall; smiled near the gate."""
        if self.rng.random() < 0.3:
            verb = self.verb(INTRANSITIVE, past)
            return join(verb, self.maybe(self.one(ADVERBS), 0.4), self.place())
        thing = join(self.thing(), self.maybe(self.place(), 0.4))
        return join(self.verb(TRANSITIVE, past), thing)

    def clause(self) -> str:
        """Such as: my uncle mended the lamp."""
        return f"{self.person()} {self.predicate()}"

    # Sentences

    def statement(self) -> str:
        """At noon, Clara hid the key."""
        return join(f"{self.one(TIMES)},", self.clause())

    def conjunction(self) -> str:
        """Clara hid the key, but my uncle found the box."""
        return f"{self.clause()}, {self.one(['and', 'but', 'so', 'yet'])} {self.clause()}"

    def subordinate(self) -> str:
        """Clara hid the key because the tide came in."""
        link = self.one(["although", "because", "when", "while", "until", "as soon as", "before"])
        reason = self.one(WEATHER) if self.rng.random() < 0.5 else self.clause()
        if self.rng.random() < 0.5:
            return f"{link} {reason}, {self.clause()}"
        return f"{self.clause()} {link} {reason}"

    def relative(self) -> str:
        """The guest who smiled sold the boat."""
        who = f"{self.noun_phrase(PEOPLE)} who {self.predicate()}"
        return join(who, self.maybe(self.one(ADVERBS)), self.verb(TRANSITIVE, True), self.thing())

    def passive(self) -> str:
        """The boat was sold by my uncle near the pier."""
        verb = self.verb(TRANSITIVE, True)
        agent = f"by {self.person()}"
        return join(self.thing(), "was", verb, agent, self.place(), self.maybe(self.one(TIMES)))

    def speech(self) -> str:
        """Clara said that my uncle sold the boat."""
        said = self.one(["said", "explained", "insisted", "admitted", "believed", "swore", "knew"])
        return f"{self.person()} {said} that {self.clause()}"

    def count(self) -> str:
        """Clara sold ninety-one lamps for seven pounds."""
        first = number(self.rng.randint(2, 9999))
        second = number(self.rng.randint(2, 99))
        things = join(self.maybe(self.one(ADJECTIVES)), plural(self.one(THINGS)))
        verb = self.verb(TRANSITIVE, True)
        rest = f"for {second} {self.one(MEASURES)}" if self.rng.random() < 0.5 else self.place()
        return f"{self.person()} {verb} {first} {things} {rest}"

    def date(self) -> str:
        """On the third of May, nineteen forty-two, Clara hid the key."""
        year = f"{number(self.rng.randint(13, 19))} {number(self.rng.randint(21, 99))}"
        return f"on the {self.one(ORDINALS)} of {self.one(MONTHS)}, {year}, {self.clause()}"

    def departure(self) -> str:
        """The old train from Leeds to York leaves quietly at ten past four on Monday."""
        vehicle = self.one(["train", "bus", "ferry", "flight", "coach", "boat"])
        minute = self.one(["five", "ten", "quarter", "twenty", "half", "twenty-five"])
        hour = number(self.rng.randint(1, 12))
        leaves = self.one(["leaves", "departs", "will leave", "arrives", "is expected"])
        time = f"{self.one(ADVERBS)} at {minute} past {hour} on {self.one(DAYS)}"
        start, end = self.rng.sample(TOWNS, 2)
        return f"the {self.one(ADJECTIVES)} {vehicle} from {start} to {end} {leaves} {time}"

    def shopping(self) -> str:
        """Clara bought eggs, milk and tea near the mill."""
        first, second, third = self.rng.sample(FOOD, 3)
        verb = self.one(["bought", "cooked", "ordered", "packed", "served", "brought", "needed"])
        who = f"{self.person()} {verb} {self.maybe('some ')}{first}, {second} and {third}"
        return join(who, self.place(), self.maybe(self.one(TIMES)))

    def comparison(self) -> str:
        """My boat behind the hall is less rusty than a key."""
        than = f"{self.one(['more', 'less'])} {self.one(ADJECTIVES)} than {self.thing()}"
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
        return join(auxiliary, self.person(), action, self.maybe(self.one(TIMES))) + "?"

    def wh_question(self) -> str:
        """Why did Clara hide the key?"""
        ask = self.one(["why", "when", "how", "how often", "with whom"])
        auxiliary = self.one(["did", "will", "could", "should", "would"])
        return join(ask, auxiliary, self.person(), self.predicate(past=False)) + "?"


def join(*phrases: str) -> str:
    """Join the phrases that are not empty."""
    return " ".join(phrase for phrase in phrases if phrase)
