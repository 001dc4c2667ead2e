"""Speech through a codec: encode, decode, entropy-models, rates, precision, stream, other-codec."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from taae.cli.shared import (
    INTERRUPTED,
    Stages,
    add_hardware,
    add_path,
    add_point,
    add_study,
    add_threads,
)
from taae.codec.operating_points import NATIVE
from taae.study.load import load_study
from taae.utils.errors import TaaeError
from taae.utils.gpus import compute


def add_stages(stages: Stages) -> None:
    """Add the stages of this group, in the order of `--help`."""
    _add_encode(stages)
    _add_decode(stages)
    _add_entropy_models(stages)
    _add_rates(stages)
    _add_precision(stages)
    _add_stream(stages)
    _add_other_codec(stages)


def _add_encode(stages: Stages) -> None:
    stage = stages.add_parser("encode", help="a recording -> a .taae file")
    stage.add_argument("recording", type=Path, help="any rate and number of channels")
    stage.add_argument("coded", type=Path, metavar="FILE.taae")
    add_path(stage, "--model", "folder of the model")
    add_point(stage)
    stage.add_argument(
        "--entropy-model", type=Path, help="entropy model; default that of the model, if any"
    )
    stage.set_defaults(call=_encode)


def _encode(options: argparse.Namespace) -> None:
    from taae.codec.bitstream.taae_files import encode_file

    encode_file(
        options.recording,
        options.coded,
        options.model,
        options.point,
        entropy_model=options.entropy_model,
    )


def _add_decode(stages: Stages) -> None:
    stage = stages.add_parser(
        "decode",
        help="a .taae file -> a recording, or encode and decode the test utterances",
        usage="%(prog)s FILE.taae RECORDING --model MODEL [--entropy-model TOKENS]\n"
        "       %(prog)s --corpus CORPUS --output OUTPUT --model MODEL [--study STUDY ...]"
        " [--point POINT] [--threads N]",
    )
    stage.add_argument("coded", type=Path, nargs="?", metavar="FILE.taae")
    stage.add_argument("recording", type=Path, nargs="?", help=".wav or .flac")
    add_path(stage, "--model", "folder of the model")
    stage.add_argument(
        "--entropy-model", type=Path, help="entropy model; default that of the model, if any"
    )
    stage.add_argument("--corpus", type=Path, help="folder of the corpus")
    stage.add_argument("--output", type=Path, help="folder for audio/, codes.npz, utterances.csv")
    add_study(stage)
    add_point(stage)
    add_hardware(stage)
    stage.set_defaults(call=_decode)


def _decode(options: argparse.Namespace) -> None:
    file, split = [options.coded, options.recording], [options.corpus, options.output]
    if all(file) and not any(split):
        if options.point != NATIVE:
            raise TaaeError("decode: --point is for --corpus; a .taae file has its own")
        from taae.codec.bitstream.taae_files import decode_file

        decode_file(options.coded, options.recording, options.model, options.entropy_model)
    elif all(split) and not any(file):
        if options.entropy_model:
            raise TaaeError("decode: --entropy-model is for a .taae file")
        _decode_split(options)
    else:
        raise TaaeError(
            "decode: give either FILE.taae and RECORDING, or --corpus and --output;"
            " see `taae decode --help`"
        )


def _decode_split(options: argparse.Namespace) -> None:
    from taae.evaluation.decode import decode_split

    precision = load_study(options.study).decoding["precision"]
    with compute(options.gpus) as device:
        decode_split(
            options.model,
            options.corpus,
            options.output,
            precision=precision,
            threads=options.threads,
            point=options.point,
            device=device,
        )


def _add_entropy_models(stages: Stages) -> None:
    stage = stages.add_parser(
        "entropy-models", help="fit entropy models to the training utterances"
    )
    add_path(stage, "--model", "folder of the model")
    add_path(stage, "--corpus", "folder of the corpus")
    add_path(
        stage,
        "--output",
        "folder for POINT/order0.npz and order1.npz; usually MODEL/entropy-models",
    )
    stage.add_argument("--points", nargs="+", metavar="POINT", default=[NATIVE])
    stage.add_argument("--minutes", type=float, default=0.0, help="of speech to use; 0: all")
    add_hardware(stage)
    stage.set_defaults(call=_entropy_models)


def _entropy_models(options: argparse.Namespace) -> None:
    from taae.evaluation.entropy_fit import fit_entropy_models

    with compute(options.gpus) as device:
        fit_entropy_models(
            options.model,
            options.corpus,
            options.output,
            options.points,
            minutes=options.minutes,
            threads=options.threads,
            device=device,
        )


def _add_rates(stages: Stages) -> None:
    stage = stages.add_parser("rates", help="codes of decode -> .taae files, bitrates, codebook")
    add_path(stage, "--decoded", "folder of codes.npz and utterances.csv")
    add_path(stage, "--model", "folder of the model")
    add_path(stage, "--entropy-models", "folder of POINT/order0.npz and order1.npz")
    add_point(stage)
    add_path(stage, "--output", "folder for coded/, rates.csv, codebook.csv and histogram.csv")
    stage.set_defaults(call=_rates)


def _rates(options: argparse.Namespace) -> None:
    from taae.evaluation.bitrates import probe_codes

    probe_codes(
        options.decoded, options.model, options.entropy_models, options.point, options.output
    )


def _add_precision(stages: Stages) -> None:
    stage = stages.add_parser("precision", help="codes that differ between float32 and bfloat16")
    add_path(stage, "--model", "folder of the model")
    add_path(stage, "--corpus", "folder of the corpus")
    add_point(stage)
    add_path(stage, "--output", "CSV, one row per test utterance")
    add_hardware(stage)
    stage.set_defaults(call=_precision)


def _precision(options: argparse.Namespace) -> None:
    from taae.evaluation.precision import differing_codes
    from taae.utils.files import write_csv

    with compute(options.gpus) as device:
        table = differing_codes(
            options.model,
            options.corpus,
            point=options.point,
            threads=options.threads,
            device=device,
        )
    write_csv(table, options.output)


def _add_stream(stages: Stages) -> None:
    stage = stages.add_parser("stream", help="16-bit PCM on stdin -> decoded on stdout, live")
    add_path(stage, "--model", "folder of a causal model")
    stage.add_argument(
        "--chunk", type=_frames, default=1, metavar="FRAMES", help="latent frames; default 1"
    )
    stage.add_argument("--rate", type=int, help="of the input in Hz; must be the model's")
    add_threads(stage)
    stage.set_defaults(call=_stream)


def _frames(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of frames, 1 or more")
    return int(text)


def _stream(options: argparse.Namespace) -> int:
    import torch

    from taae.codec.load import load_codec
    from taae.codec.pcm_stream import PcmStream

    torch.set_num_threads(options.threads)
    codec = load_codec(options.model)
    rate = codec.config.sample_rate
    if options.rate not in (None, rate):
        raise TaaeError(
            f"--rate: {options.rate} Hz, but {options.model} works at {rate} Hz; resample the input"
        )
    if sys.stdin is None or sys.stdout is None:  # `<&-` of a shell
        raise TaaeError("stream: stdin or stdout is closed; PCM comes in there and goes out here")
    stream = PcmStream(codec, options.chunk)
    try:
        stream.run(sys.stdin.buffer, sys.stdout.buffer)
    except KeyboardInterrupt:
        return INTERRUPTED  # how a person ends a live stream
    except BrokenPipeError:
        # What is still buffered has no reader, and would be an exception again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise TaaeError(f"stdout was closed after {stream.read} samples were read") from None
    finally:
        print(json.dumps(stream.report()), file=sys.stderr)
    return 0


def _add_other_codec(stages: Stages) -> None:
    stage = stages.add_parser("other-codec", help="the test utterances through another codec")
    add_study(stage)
    stage.add_argument("--codec", required=True, help="its name under codecs: of the study")
    add_path(stage, "--corpus", "folder of the corpus")
    add_path(stage, "--output", "folder for audio/, utterances.csv and codec.json")
    add_threads(stage)
    stage.set_defaults(call=_other_codec)


def _other_codec(options: argparse.Namespace) -> None:
    import torch

    from taae.evaluation.other_codecs.run import run_other_codec

    codecs = load_study(options.study).codecs
    if options.codec not in codecs:
        raise TaaeError(
            f"no codec '{options.codec}'; the study has {', '.join(codecs) or 'none'} (codecs:)"
        )
    torch.set_num_threads(options.threads)
    run_other_codec(options.codec, codecs[options.codec], options.corpus, options.output)
