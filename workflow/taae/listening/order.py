"""In which order a listener hears the trials, and the signals of each: the same again at any time.

listen.js computes the same orders from the same hash.
"""

from __future__ import annotations

from collections.abc import Iterable

_MASK = (1 << 64) - 1


def hash64(text: str) -> int:
    """Return FNV-1a of the UTF-8 bytes, its 64 bits mixed as in MurmurHash3."""
    value = 0xCBF29CE484222325
    for byte in text.encode(errors="surrogatepass"):
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = ((value ^ (value >> 33)) * factor) & _MASK
    return value ^ (value >> 33)


def shuffled(names: Iterable[str], *seed: str) -> list[str]:
    """Return the names in an order that every seed (such as test, listener, trial) changes."""
    return sorted(names, key=lambda name: hash64("/".join([name, *seed])))


def checksum(text: str) -> str:
    """Return 16 hexadecimal digits that any change of the text changes."""
    return f"{hash64(text):016x}"
