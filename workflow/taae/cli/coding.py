"""Speech through a codec: encode, decode, entropy-models, rates, precision, stream, other-codec."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from taae.cli.shared import (
    AUDIO,
    INTERRUPTED,
    Commands,
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


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    encode = commands.add("encode", _encode, "a recording -> a .taae file", AUDIO)
    encode.add_argument("recording", type=Path, help="any rate and number of channels")
    encode.add_argument("coded", type=Path, metavar="FILE.taae")
    add_path(encode, "--model", "folder of the model")
    add_point(encode)
    encode.add_argument(
        "--entropy-model", type=Path, help="entropy model; default that of the model, if any"
    )

    decode = commands.add(
        "decode",
        _decode,
        "a .taae file -> a recording, or encode and decode the test utterances",
        AUDIO,
        usage="%(prog)s FILE.taae RECORDING --model MODEL [--entropy-model FILE]\n"
        "       %(prog)s --corpus CORPUS --output OUTPUT --model MODEL [--study STUDY ...]"
        " [--point POINT] [--threads N]",
    )
    decode.add_argument("coded", type=Path, nargs="?", metavar="FILE.taae")
    decode.add_argument("recording", type=Path, nargs="?", help=".wav or .flac")
    add_path(decode, "--model", "folder of the model")
    decode.add_argument(
        "--entropy-model", type=Path, help="entropy model; default that of the model, if any"
    )
    decode.add_argument("--corpus", type=Path, help="folder of the corpus")
    decode.add_argument("--output", type=Path, help="folder for audio/, codes.npz, utterances.csv")
    add_study(decode)
    add_point(decode)
    add_hardware(decode)

    entropy_models = commands.add(
        "entropy-models", _entropy_models, "fit entropy models to the training utterances"
    )
    add_path(entropy_models, "--model", "folder of the model")
    add_path(entropy_models, "--corpus", "folder of the corpus")
    add_path(
        entropy_models,
        "--output",
        "folder for POINT/order0.npz and order1.npz; usually MODEL/entropy-models",
    )
    entropy_models.add_argument("--points", nargs="+", metavar="POINT", default=[NATIVE])
    entropy_models.add_argument(
        "--minutes", type=float, default=0.0, help="of speech to use; 0: all"
    )
    add_hardware(entropy_models)

    rates = commands.add("rates", _rates, "codes of decode -> .taae files, bitrates, codebook")
    add_path(rates, "--decoded", "folder of codes.npz and utterances.csv")
    add_path(rates, "--model", "folder of the model")
    add_path(rates, "--entropy-models", "folder of POINT/order0.npz and order1.npz")
    add_point(rates)
    add_path(rates, "--output", "folder for coded/, rates.csv, codebook.csv and histogram.csv")

    precision = commands.add(
        "precision", _precision, "codes that differ between float32 and bfloat16"
    )
    add_path(precision, "--model", "folder of the model")
    add_path(precision, "--corpus", "folder of the corpus")
    add_point(precision)
    add_path(precision, "--output", "CSV, one row per test utterance")
    add_hardware(precision)

    stream = commands.add(
        "stream", _stream, "16-bit PCM on stdin -> decoded on stdout, live", AUDIO
    )
    add_path(stream, "--model", "folder of a causal model")
    stream.add_argument(
        "--chunk", type=_frames, default=1, metavar="FRAMES", help="latent frames; default 1"
    )
    stream.add_argument("--rate", type=int, help="of the input in Hz; must be the model's")
    add_threads(stream)

    other_codec = commands.add(
        "other-codec", _other_codec, "the test utterances through another codec"
    )
    add_study(other_codec)
    other_codec.add_argument("--codec", required=True, help="its name under codecs: of the study")
    add_path(other_codec, "--corpus", "folder of the corpus")
    add_path(other_codec, "--output", "folder for audio/, utterances.csv and codec.json")
    add_threads(other_codec)


def _encode(options: argparse.Namespace) -> None:
    from taae.codec.bitstream.taae_files import encode_file

    encode_file(
        options.recording,
        options.coded,
        options.model,
        options.point,
        entropy_model=options.entropy_model,
    )


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

    precision = load_study(options.study).decoding.precision
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


def _rates(options: argparse.Namespace) -> None:
    from taae.evaluation.bitrates import probe_codes

    probe_codes(
        options.decoded, options.model, options.entropy_models, options.point, options.output
    )


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
