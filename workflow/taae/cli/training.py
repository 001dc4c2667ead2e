"""Models, trained here or brought: train, import-stable-codec, copy-model."""

from __future__ import annotations

import math
import sys
import time
from functools import partial
from pathlib import Path

from taae.cli.shared import (
    CODEC,
    RESUMABLE,
    Corpus,
    Study,
    app,
    command,
)
from taae.study.load import DEMO, load_study
from taae.utils.options import Whole


@command(CODEC)
def train(
    *,
    variant: str,
    seed: Whole,
    corpus: Corpus,
    output: Path,
    state: Path,
    study: Study = DEMO,
    trunk: Path | None = None,
    kept: Path | None = None,
    state_storage: str | None = None,
    kept_storage: str | None = None,
    checkpoint_every: float = 60.0,
    time_budget: float = math.inf,
) -> int:
    """Train one variant with one seed.

    Args:
        variant: its name in the study, or trunk.
        output: folder of the model.
        state: folder of the state that an interrupted training continues from.
        trunk: folder of the model that it begins with where its training.start is trunk; by itself
            the finished one that the study names.
        kept: folder that keeps finished models for a rerun.
        state_storage: URL of a folder of object storage (s3://...) for the state too, so that
            another machine can continue.
        kept_storage: the same for the finished models.
        checkpoint_every: seconds between saved states.
        time_budget: seconds after which to save and exit with status 75.
    """
    from taae.training import train as training
    from taae.training.distributed import Interrupted
    from taae.training.launch import launch

    # The budget includes the time in which a training waits for a GPU or for its processes.
    deadline = time.monotonic() + time_budget
    resolved = load_study(study)
    chosen = resolved.variant(variant)
    if trunk is None and resolved.trunk and resolved.trunk.pretrained:
        trunk = Path(resolved.trunk.pretrained)
    paths = (corpus, output, state)
    work = partial(
        training.train,
        chosen,
        seed,
        *paths,
        checkpoint_every,
        deadline=deadline,
        kept=kept,
        trunk=trunk,
        state_storage=state_storage,
        kept_storage=kept_storage,
    )
    try:
        launch(chosen.training, work)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return RESUMABLE
    return 0


@command(CODEC)
def import_stable_codec(output: Path, /, *, config: Path, checkpoint: Path) -> None:
    """Import a checkpoint of stable-audio-tools as a model.

    Args:
        output: folder of the model, which must not exist yet.
        config: its model_config.json.
        checkpoint: .ckpt or .safetensors.
    """
    from taae.codec.import_stable_codec import import_model

    import_model(config, checkpoint, output)


app.command("taae.codec.pretrained:copy_model", show=False)
