"""The codes of one run and operating point -> its tables of bitrates and of codebook use."""

from __future__ import annotations

from pathlib import Path

from taae.codec.bitstream.container import model_fingerprint
from taae.codec.bitstream.entropy_model import ORDERS, EntropyModel, entropy_model_path
from taae.codec.load import load_codec
from taae.codec.operating_points import alphabet, stages_of
from taae.evaluation import codebook
from taae.evaluation.decoded import CODES, TABLE
from taae.utils.files import atomic, read_csv, write_csv


def probe_codes(decoded: Path, model: Path, entropy_models: Path, point: str, output: Path) -> None:
    """Code every utterance for real and measure how the codes are used.

    Writes to `output`: coded/<utterance>.taae, rates.csv, codebook.csv and histogram.csv, whose
    columns are those of `taae.evaluation.codebook`.

    Args:
        decoded: folder that the decode stage wrote at this point.
        model: folder of the model.
        entropy_models: folder that `taae entropy-models` wrote.
        point: operating point, see `taae.codec.operating_points`.
    """
    codes = codebook.load_codes(decoded / CODES)
    lengths = read_csv(decoded / TABLE, ["utterance", "samples"], ["utterance"])
    config = load_codec(model).config
    dimensions, stages = config.bottleneck.dimensions, stages_of(point)
    values = alphabet(config.bottleneck.levels, dimensions, stages)
    with atomic(output / "coded") as folder:
        rates = codebook.rates(
            codes,
            dict(zip(lengths["utterance"], lengths["samples"].tolist(), strict=True)),
            values,
            config.sample_rate / config.model.hop,
            {
                order: EntropyModel.load(entropy_model_path(entropy_models, point, order))
                for order in ORDERS
            },
            model=model_fingerprint(model),
            stages=stages,
            folder=folder,
        )
    write_csv(codebook.health(codes, values, dimensions), output / "codebook.csv")
    write_csv(codebook.histogram(codes, values, dimensions), output / "histogram.csv")
    write_csv(rates, output / "rates.csv")
