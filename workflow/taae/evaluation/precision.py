"""Do the codes depend on the arithmetic? Codes that differ between float32 and bfloat16."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from taae.codec.codec import load_codec
from taae.codec.operating_points import NATIVE, stages_of
from taae.corpus.store import Split
from taae.utils.log import progress


def differing_codes(
    model: Path,
    corpus: Path,
    split: str = "test",
    point: str = NATIVE,
    threads: int = 1,
    device: str = "cpu",
) -> pd.DataFrame:
    """Encode a split in float32 and under bfloat16 autocast and count what differs.

    Returns:
        A row per utterance: utterance, frames, differing_frames (any column differs), codes,
        differing_codes, largest (difference in levels).
    """
    torch.set_num_threads(threads)
    codec = load_codec(model).with_bottleneck(stages_of(point)).to(device)
    data = Split.open(corpus, split)
    rows = []
    for index, record in enumerate(progress(data.utterances, len(data.utterances), "encoding")):
        wave = torch.from_numpy(data.audio(index))[None].to(device)
        exact = codec.encode(wave)[0]
        with torch.autocast(device, torch.bfloat16):
            rough = codec.encode(wave)[0]
        apart = (exact - rough).abs()
        rows.append(
            {
                "utterance": record.utterance,
                "frames": len(exact),
                "differing_frames": int(apart.any(1).sum()),
                "codes": exact.numel(),
                "differing_codes": int((apart > 0).sum()),
                "largest": int(apart.max()),
            }
        )
    return pd.DataFrame(rows)
