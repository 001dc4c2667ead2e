"""What there is to hear: the recording, every arm at its operating points, other codecs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taae.codec.operating_points import NATIVE, point_label
from taae.study.checks import changed_keys, value_at
from taae.study.config import Ablation
from taae.study.study import Study
from taae.training.config import BASELINE, Variant

RECORDING = "reference"  # key of the undecoded speech


@dataclass(frozen=True)
class Arm:
    """Something that speaks the test utterances: `audio` is its folder of FLAC files.

    `key` names its files on the page, `about` says what it is, and `scores` is its CSV; the
    recording has none. Heard are the decoded files of the study's first seed.
    """

    key: str
    name: str
    about: str
    audio: Path
    scores: Path | None


@dataclass(frozen=True)
class Group:
    """Arms that are heard together, the recording first; scores are compared with arm `base`."""

    title: str
    ablation: str
    base: str
    arms: list[str]


def arms(study: Study, results: Path) -> list[Arm]:
    """Return all arms in the order of the study; codecs that are not installed are left out.

    Nor is there what `page.leave_out` names. Controls change nothing: they are heard at the native
    point alone.
    """
    controls = {name for each in study.ablations.values() for name in each.controls}
    silent = study.page.leave_out
    found = [Arm(RECORDING, "Recording", "not coded", results / "reference" / "audio", None)]
    for name in [name for name in study.variants if name not in silent]:
        run = Path(name) / f"seed{study.seeds[0]}"
        points = study.points(name) if name not in controls else [NATIVE]
        for point in [point for point in points if point not in silent]:
            audio = results / "decoded" / run / point / "audio"
            scores = results / "scores" / run / f"{point}.csv"
            found.append(Arm(key(name, point), name, about(study, name), audio, scores))
    for name in study.codecs:
        audio = results / "codecs" / name / "audio"
        scores = results / "scores" / "codecs" / f"{name}.csv"
        if name not in silent and any(audio.rglob("*.flac")):
            found.append(Arm(name, name, "another codec", audio, scores))
    return found


def key(variant: str, point: str) -> str:
    """Return the name of an arm's files."""
    return variant if point == NATIVE else f"{variant}_{point}"


def groups(study: Study, known: list[Arm]) -> list[Group]:
    """Return the arms of each ablation, then at other operating points, other codecs, and all."""
    found, heard = [], {arm.key for arm in known}
    for name, ablation in in_order(study).items():
        points = study.points(ablation.reference)
        for point in points if name in study.bitrates.ablations else [NATIVE]:
            base = key(ablation.reference, point)
            if base not in heard:  # a control at another point, or a point that is left out
                continue
            keys = [key(arm, point) for arm in ablation.arms if key(arm, point) in heard]
            title = (
                ablation.title
                if point == NATIVE
                else f"{ablation.title}, decoded at {point_label(point)}"
            )
            found.append(Group(title, name, base, [RECORDING, *keys]))
    codecs = [arm.key for arm in known if arm.name in study.codecs]
    if codecs:
        found.append(Group("Other codecs", "", BASELINE, [RECORDING, BASELINE, *codecs]))
    everything = [arm.key for arm in known if "_" not in arm.key]
    return [*found, Group("All arms", "", BASELINE, everything)]


def in_order(study: Study) -> dict[str, Ablation]:
    """Return the ablations, last those that change nothing."""
    nothing = {
        name: set(each.variants) == set(each.controls) for name, each in study.ablations.items()
    }
    return {
        name: study.ablations[name] for name in sorted(study.ablations, key=nothing.__getitem__)
    }


def about(study: Study, name: str) -> str:
    """Return what a variant changes in the baseline, in words of the config."""
    variant, baseline = study.variants[name], study.variants[BASELINE]
    if variant.pretrained:
        return "pretrained"
    changes = [f"{key}: {_value(variant, key)}" for key in changed_keys(baseline, variant)]
    told = [study.labels[name]] if name in study.labels else []
    return "; ".join(
        [*told, ", ".join(changes) or "as the paper has it, at the size of this study"]
    )


def _value(variant: Variant, key: str) -> str:
    value = value_at(variant, key)
    return str(value).lower() if isinstance(value, bool) else str(value)
