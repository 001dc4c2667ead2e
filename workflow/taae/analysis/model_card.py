"""The model card of a trained codec: README.md of its repository on the Hugging Face hub.

It says what the model's own files say, and with the results of a study what that study measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from taae.codec.config import CodecConfig
from taae.codec.layer_geometry import parameter_count
from taae.codec.operating_points import NATIVE, nominal_bitrate, stages_of
from taae.codec.pretrained import PROVENANCE, read_config
from taae.evaluation.metrics import METRICS
from taae.utils.errors import TaaeError
from taae.utils.files import read_csv

SUMMARY = ["variant", "metric", "n_utterances", "n_speakers", "n_seeds", "mean", "low", "high"]
USE = """```python
from taae.codec.codec import Codec

codec = Codec.from_pretrained("{repository}")
# wave: (batch, samples) at {rate} Hz, speech at about {loudness}
codes = codec.encode(wave)  # (batch, frames, {columns})
wave = codec.decode(codes, wave.shape[1])
```

or as files: `taae encode in.wav out.taae --model {repository}`, and back by `taae decode`."""
SOURCES = {"synthetic": "eSpeak NG (synthetic)", "librispeech": "LibriSpeech"}


def model_card(model: Path, repository: str, results: Path | None = None, licence: str = "") -> str:
    """Return the card of a model folder in Markdown, with the hub's metadata on top.

    Args:
        model: folder of the model.
        repository: user/name that it gets.
        results: folder of the study that trained it: bitrates and scores come from its tables.
        licence: of the weights, as the hub writes it (mit, cc-by-4.0, ...).

    Raises:
        TaaeError: a file is missing, or the study has no such model.
    """
    config, about = read_config(model), _read_json(model / PROVENANCE)
    metadata = {
        **({"license": licence} if licence else {}),
        "library_name": "taae",
        "pipeline_tag": "audio-to-audio",
        "tags": ["audio", "speech", "neural-codec"],
    }
    run = _run(model, results) if results else None
    parts = [
        f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---",
        f"# {repository.rpartition('/')[2]}",
        _what(config),
        "## Use",
        USE.format(
            repository=repository,
            rate=config.sample_rate,
            columns=config.bottleneck.dimensions,
            loudness=_loudness(about, results),
        ),
        "## Training",
        _table(["", ""], _training(about, results)) or "Not known.",
        "## Bitrates",
        _table(
            ["operating point", "nominal, bit/s", "in files, bit/s"], _bitrates(config, model, run)
        ),
        *(["## Scores", *_scores(*run)] if run else []),
        "## Licence",
        f"Weights: {licence}." if licence else "The licence of the weights is not stated here.",
    ]
    return "\n\n".join(parts) + "\n"


def _what(config: CodecConfig) -> str:
    model, levels = config.model, config.bottleneck.levels
    kind = {
        "taae": "transformer codec ([TAAE](https://arxiv.org/abs/2411.19842))",
        "conv": "convolutional codec ([SEANet](https://arxiv.org/abs/2210.13438))",
    }[model.kind]
    sight = "causal, so that it can stream" if config.attention.causal else "not causal"
    return (
        f"A speech codec at {config.sample_rate} Hz: a {kind} of {parameter_count(config):,}"
        f" parameters, {sight}. {model.hop} samples become {config.bottleneck.dimensions} codes of"
        f" {levels} levels (finite scalar quantization)."
    )


def _training(about: dict[str, Any], results: Path | None) -> list[tuple[str, str]]:
    """Return what is known of a training: the provenance of a model that a study trained."""
    if "pretrained" in about:
        return [("copy of", f"`{about['pretrained']}`"), *_training(about.get("source", {}), None)]
    if "checkpoint" in about.get("source", {}):
        return [("imported from", f"`{about['source']['checkpoint']['file']}`")]
    if "variant" not in about:
        return []
    training = about["variant"]["training"]
    seconds = training["steps"] * training["batch"] * training["accumulate"] * training["segment"]
    rows = [
        ("speech", _speech(about["corpus"], results)),
        ("steps", f"{training['steps']}, {seconds / 3600:.2g} hours of segments"),
        ("begins", "from scratch" if about["start"] == "scratch" else "with a trained codec"),
        ("seed", str(about["seed"])),
        (
            "computed in",
            f"{about['precision']}, {about['seconds'] / 3600:.2g} h on {about['device']}",
        ),
        ("code", f"taae {about['code']}, revision {about['git'].get('revision', 'unknown')[:12]}"),
    ]
    if about["git"].get("dirty"):
        rows[-1] = ("code", rows[-1][1] + ", edited since")
    return rows


def _speech(sha256: str, results: Path | None) -> str:
    """Describe the training speech, where the results hold the corpus with this hash."""
    corpus = _corpus(sha256, results)
    if not corpus:
        return f"corpus {sha256[:12]}"
    train, kind = corpus["splits"]["train"], corpus["settings"]["kind"]
    source = SOURCES.get(kind, "recordings")
    return f"{train['seconds'] / 3600:.3g} h of {train['speakers']} speakers, {source}"


def _loudness(about: dict[str, Any], results: Path | None) -> str:
    """Say how loud the training speech was, where the results hold its corpus."""
    corpus = _corpus(about.get("corpus", ""), results)
    if not corpus:
        return "the loudness of its training speech"
    return f"{corpus['settings']['loudness']:g} LUFS"


def _corpus(sha256: str, results: Path | None) -> dict[str, Any]:
    """Return the corpus.json of the results; nothing where it is of another hash."""
    corpus = _read_json(results / "corpus" / "corpus.json") if results else {}
    return corpus if corpus.get("sha256") == sha256 else {}


def _run(model: Path, results: Path) -> tuple[Path, str, int]:
    """Return the results, and variant and seed of the model in them that `model` is."""
    own = _provenance(model)
    for path in sorted((results / "models").glob(f"*/seed*/{PROVENANCE}")):
        if _provenance(path.parent) == own:
            return results, path.parent.parent.name, int(path.parent.name.removeprefix("seed"))
    raise TaaeError(f"{results}: has no model with the {PROVENANCE} of {model}; give its own study")


def _provenance(model: Path) -> bytes:
    path = model / PROVENANCE
    try:
        return path.read_bytes()
    except OSError as error:
        raise TaaeError(
            f"{path}: cannot be read ({error.strerror}); without it no study's scores are the"
            " model's: leave out --results"
        ) from error


def _bitrates(
    config: CodecConfig, model: Path, run: tuple[Path, str, int] | None
) -> list[tuple[str, str, str]]:
    """Return the nominal bitrate at every point with an entropy model, and the measured one."""
    measured: dict[str, float] = {}
    path = run[0] / "tables" / "bitrates.csv" if run else None
    if run and path and path.is_file():  # a study need not have operating points
        _, variant, seed = run
        table = read_csv(path, ["variant", "seed", "point", "coded_bps"], ["variant", "point"])
        rows = table[(table["variant"] == variant) & (table["seed"] == seed)]
        measured = dict(zip(rows["point"], rows["coded_bps"], strict=True))
    points = [path.parent.name for path in sorted(model.glob("entropy-models/*/order1.npz"))]

    def nominal(point: str) -> float:
        alphabet = config.bottleneck.alphabet(stages_of(point))
        return nominal_bitrate(alphabet, config.sample_rate / config.model.hop)

    return [
        (point, f"{nominal(point):.0f}", f"{measured[point]:.0f}" if point in measured else "–")
        for point in sorted({NATIVE, *points, *measured}, key=nominal)
    ]


def _scores(results: Path, variant: str, _seed: int) -> Iterator[str]:
    """Yield the means of a study's summary with their intervals, and what they are."""
    table = read_csv(results / "tables" / "summary.csv", [*SUMMARY, "confidence"], ["variant"])
    rows = table[(table["variant"] == variant) & table["mean"].notna()]
    if not len(rows):
        raise TaaeError(f"{results / 'tables' / 'summary.csv'}: has no scores of {variant}")
    first = rows.iloc[0]
    seeds = f" and {first['n_seeds']} trainings (seeds)" if first["n_seeds"] > 1 else ""
    yield (
        f"Means over {first['n_utterances']} utterances of {first['n_speakers']} test speakers"
        f"{seeds}, at the native operating point, with"
        f" {first['confidence']:.0%} confidence intervals over speakers:"
    )
    yield _table(["metric", "mean", "interval"], [_score(row) for _, row in rows.iterrows()])


def _score(row: pd.Series[Any]) -> tuple[str, str, str]:
    metric = METRICS[str(row["metric"])]
    digits = 2 if metric.unit else 3
    mean, low, high = (f"{row[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return metric.heading, mean, f"{low} to {high}" if pd.notna(row["low"]) else "–"


def _table(header: list[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; nothing where there are no rows."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TaaeError(f"{path}: not JSON ({error})") from error
