"""The archives of LibriSpeech as published: their sizes and MD5 sums (openslr.org, resource 12)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """`<subset>.tar.gz`: its size in bytes and its MD5 in hexadecimal digits."""

    subset: str
    size: int
    md5: str

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.subset}.tar.gz"


ARCHIVES = {
    archive.subset: archive
    for archive in (
        Archive("dev-clean", 337_926_286, "42e2234ba48799c1f50f24a7926300a1"),
        Archive("dev-other", 314_305_928, "c8d0bcc9cca99d4f8b62fcc847357931"),
        Archive("test-clean", 346_663_984, "32fa31d27d2e1cad72775fee3f4849a9"),
        Archive("test-other", 328_757_843, "fb5a50374b501bb3bac4815ee91d3135"),
        Archive("train-clean-100", 6_387_309_499, "2a93770f6d5c6c964bc36631d331a522"),
        Archive("train-clean-360", 23_049_477_885, "c0e676e450a7ff2f54aeade5171606fa"),
        Archive("train-other-500", 30_593_501_606, "d1a0fd59409feb2c614ce4d30c387708"),
    )
}
