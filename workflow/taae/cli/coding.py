"""Speech through a codec: encode, decode, entropy-models, rates, precision, stream, other-codec."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from taae.cli.shared import (
    AUDIO,
    INTERRUPTED,
    Corpus,
    EntropyModel,
    Gpus,
    Model,
    Point,
    Study,
    Threads,
    command,
)
from taae.codec.operating_points import NATIVE
from taae.corpus.config import MAIN
from taae.study.load import DEMO, load_study
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute
from taae.utils.options import Count, Whole


@command(AUDIO)
def encode(
    recording: Path,
    coded: Path,
    /,
    *,
    model: Model,
    point: Point = NATIVE,
    entropy_model: EntropyModel = None,
) -> None:
    """Code a recording as a .taae file.

    Args:
        recording: any rate and number of channels.
        coded: .taae file.
    """
    from taae.codec.bitstream.taae_files import encode_file

    encode_file(recording, coded, model, point, entropy_model=entropy_model)


@command(
    AUDIO,
    usage="Usage: taae decode FILE.taae RECORDING --model MODEL [--entropy-model FILE]\n"
    "       taae decode --corpus CORPUS --output OUTPUT --model MODEL [--study STUDY ...]"
    " [--point POINT | --points POINT ...] [--threads N]",
)
def decode(
    coded: Path | None = None,
    recording: Path | None = None,
    /,
    *,
    model: Model,
    entropy_model: EntropyModel = None,
    corpus: Corpus | None = None,
    output: Path | None = None,
    study: Study = DEMO,
    point: Point = NATIVE,
    points: list[str] | None = None,
    threads: Threads = 1,
    gpus: Gpus = 0,
) -> None:
    """Decode a .taae file to a recording, or encode and decode the test utterances.

    Args:
        coded: .taae file.
        recording: .wav or .flac.
        output: folder for audio/, codes.npz, utterances.csv.
        points: several operating points, each into a folder of OUTPUT with its name.
    """
    if points and point != NATIVE:
        raise TaaeError("decode: give either --point or --points")
    if coded and recording and not corpus and not output:
        if points or point != NATIVE:
            raise TaaeError("decode: --point is for --corpus; a .taae file has its own")
        from taae.codec.bitstream.taae_files import decode_file

        decode_file(coded, recording, model, entropy_model)
    elif corpus and output and not coded and not recording:
        if entropy_model:
            raise TaaeError("decode: --entropy-model is for a .taae file")
        from taae.evaluation.decode import decode_split

        outputs = {each: output / each for each in points} if points else {point: output}
        precision = load_study(study).decoding.precision
        with compute(gpus) as device:
            decode_split(model, corpus, outputs, precision, threads, device)
    else:
        raise TaaeError(
            "decode: give either FILE.taae and RECORDING, or --corpus and --output;"
            " see `taae decode --help`"
        )


@command()
def entropy_models(
    *,
    model: Model,
    corpus: Corpus,
    output: Path,
    points: list[str] | None = None,
    minutes: float = 0.0,
    threads: Threads = 1,
    gpus: Gpus = 0,
) -> None:
    """Fit entropy models to the training utterances.

    Args:
        output: folder for POINT/order0.npz and order1.npz; usually MODEL/entropy-models.
        points: operating points; by itself the native one.
        minutes: of speech to use; 0: all.
    """
    from taae.evaluation.decode import fit_entropy_models

    with compute(gpus) as device:
        fit_entropy_models(
            model,
            corpus,
            output,
            points or [NATIVE],
            minutes=minutes,
            threads=threads,
            device=device,
        )


@command()
def rates(
    *,
    model: Model,
    decoded: Path,
    entropy_models: Path,
    output: Path,
    points: list[str] | None = None,
) -> None:
    """Measure what the codes of a model cost in real files, and how they use the levels.

    Args:
        decoded: folder that `taae decode --points` wrote.
        entropy_models: folder that `taae entropy-models` wrote.
        output: folder for POINT/coded/, rates.csv, codebook.csv and histogram.csv.
        points: operating points; by itself the native one.
    """
    from taae.evaluation.bitrates import probe_codes

    for point in points or [NATIVE]:
        probe_codes(decoded / point, model, entropy_models, output / point, point)


@command()
def precision(
    *, model: Model, corpus: Corpus, output: Path, threads: Threads = 1, gpus: Gpus = 0
) -> None:
    """Count the codes that differ between float32 and bfloat16.

    Args:
        output: CSV, one row for the first test utterance of each speaker.
    """
    from taae.evaluation.decode import differing_codes
    from taae.utils.files import write_csv

    with compute(gpus) as device:
        table = differing_codes(model, corpus, threads, device)
    write_csv(table, output)


@command(AUDIO)
def stream(
    *,
    model: Model,
    chunk: Count = 1,
    rate: Whole | None = None,
    threads: Threads = 1,
) -> int:
    """Decode 16-bit PCM from stdin to stdout, live.

    Args:
        model: folder of a causal model.
        chunk: latent frames.
        rate: of the input in Hz; must be the model's.
    """
    import torch

    from taae.codec.codec import load_codec
    from taae.codec.pcm_stream import PcmStream

    torch.set_num_threads(threads)
    codec = load_codec(model)
    works_at = codec.config.sample_rate
    if rate not in (None, works_at):
        raise TaaeError(
            f"--rate: {rate} Hz, but {model} works at {works_at} Hz; resample the input"
        )
    if sys.stdin is None or sys.stdout is None:  # `<&-` of a shell
        raise TaaeError("stream: stdin or stdout is closed; PCM comes in there and goes out here")
    pcm = PcmStream(codec, chunk)
    try:
        pcm.run(sys.stdin.buffer, sys.stdout.buffer)
    except KeyboardInterrupt:
        return INTERRUPTED  # how a person ends a live stream
    except BrokenPipeError:
        # What is still buffered has no reader, and would be an exception again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise TaaeError(f"stdout was closed after {pcm.read} samples were read") from None
    finally:
        print(json.dumps(pcm.report()), file=sys.stderr)
    return 0


@command(AUDIO)
def other_codec(
    *,
    codec: str,
    corpus: Corpus,
    output: Path,
    study: Study = DEMO,
    test: str = MAIN,
    threads: Threads = 1,
) -> None:
    """Encode and decode the test utterances by another codec.

    Args:
        codec: its name under `codecs:` of the study.
        output: folder for audio/, utterances.csv and codec.json.
        test: the test set that CORPUS is, for a folder of audio decoded elsewhere.
    """
    import torch

    from taae.evaluation.other_codecs.run import run_other_codec

    codecs = load_study(study).codecs
    if codec not in codecs:
        known = ", ".join(codecs) or "none"
        raise TaaeError(f"no codec '{codec}'; the study has {known} (codecs:)")
    torch.set_num_threads(threads)
    run_other_codec(codec, codecs[codec].of(test), corpus, output)
