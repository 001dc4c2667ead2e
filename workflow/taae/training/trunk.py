"""What a training begins with: a trunk, which the arms of a study have in common.

A training of minutes that begins with random weights spends them on learning what speech is, and
its noise hides what an ablation asks. A trunk has learnt it before: a codec of the arms' shape,
never quantised (`bottleneck.training: continuous`) and trained with a window drawn for each step
(`attention.random_windows`). docs/experiment.md says what it can hide.
"""

from __future__ import annotations

from pathlib import Path

from taae.codec.codec import Codec, load_codec
from taae.codec.config import CodecConfig
from taae.codec.pretrained import WEIGHTS, read_config
from taae.training.config import Variant, trunk_misfit
from taae.training.kept import CHECKSUMS, is_whole
from taae.utils.errors import TaaeError
from taae.utils.files import file_sha256


def weights_of(trunk: Path | None, variant: Variant) -> str:
    """Return the SHA-256 of the weights that a training begins with; empty from scratch.

    Raises:
        TaaeError: the variant asks for a trunk, and there is none.
    """
    if variant.training.start == "scratch":
        return ""
    if trunk is None:
        raise TaaeError("training.start: trunk, but no trunk is given (--trunk)")
    path = trunk / WEIGHTS
    if not path.is_file():
        raise TaaeError(f"{path}: no such file; is {trunk} a model?")
    return file_sha256(path)


def load_trunk(folder: Path, codec: CodecConfig) -> Codec:
    """Return the codec in `folder`, which a training of `codec` begins with.

    Raises:
        TaaeError: it is no model, or its weights do not fit, or favour another direction of time.
            Or it has checksums beside it, and a file is another.
    """
    if (folder / CHECKSUMS).is_file() and not is_whole(folder):
        raise TaaeError(
            f"{folder}: a file is damaged, or not the one that {CHECKSUMS} is of; restore it"
        )
    misfit = trunk_misfit(read_config(folder), codec)
    if misfit:
        raise TaaeError(f"{folder}: not a trunk of this codec: {misfit}")
    return load_codec(folder)
