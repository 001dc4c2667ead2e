"""The codes of one run and operating point -> its tables of bitrates and of codebook use."""

from __future__ import annotations

from pathlib import Path

from taae.codec import Codec
from taae.coding.container import model_fingerprint
from taae.coding.fitting import ORDERS, tokens_path
from taae.coding.tokens import TokenModel
from taae.decoded import CODES, TABLE
from taae.files import atomic, read_csv, write_csv
from taae.probes import codebook
from taae.stages import alphabet, stages_of


def probe_codes(decoded: Path, model: Path, tokens: Path, point: str, output: Path) -> None:
    """Code every utterance for real and measure how the codes are used.

    Writes to `output`: coded/<utterance>.taae, rates.csv, codebook.csv and histogram.csv, whose
    columns are those of `taae.probes.codebook`.

    Args:
        decoded: folder that the decode stage wrote at this point.
        model: folder of the model.
        tokens: folder that the tokens stage wrote.
        point: operating point, see `taae.stages`.
    """
    codes = codebook.load_codes(decoded / CODES)
    lengths = read_csv(decoded / TABLE, ["utterance", "samples"], ["utterance"])
    config = Codec.from_pretrained(model).config
    dimensions, stages = config.bottleneck.dimensions, stages_of(point)
    values = alphabet(config.bottleneck.levels, dimensions, stages)
    with atomic(output / "coded") as folder:
        rates = codebook.rates(
            codes,
            dict(zip(lengths["utterance"], lengths["samples"].tolist(), strict=True)),
            values,
            config.sample_rate / config.model.hop,
            {order: TokenModel.load(tokens_path(tokens, point, order)) for order in ORDERS},
            model=model_fingerprint(model),
            stages=stages,
            folder=folder,
        )
    write_csv(codebook.health(codes, values, dimensions), output / "codebook.csv")
    write_csv(codebook.histogram(codes, values, dimensions), output / "histogram.csv")
    write_csv(rates, output / "rates.csv")
