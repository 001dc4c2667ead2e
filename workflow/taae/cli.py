"""`python -m taae STAGE ...`: one subcommand per stage; the workflow's rules call the same.

Each stage imports what it needs when it runs, so that tables and figures need no torch.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from taae.devices import compute
from taae.errors import TaaeError
from taae.links import links, parameters
from taae.metrics import METRICS
from taae.presets import PRESETS as MODELS
from taae.stages import NATIVE, PRESETS
from taae.study import BASELINE, Study

FIGURES = [
    *["metrics", "forest", "training", "coverage", "spectrograms"],
    *["rate-distortion", "codebook", "lengths", "scatter", "distributions", "cost"],
]
INTERRUPTED = 130  # exit status after Ctrl-C, as in a shell
RESUMABLE = 75  # exit status of a training that saved its state: run it again (EX_TEMPFAIL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = options.call(options)
    except TaaeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, no permission: the system's words, without a traceback
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taae", description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")

    stage = stages.add_parser("check", help="resolve a study and list its variants")
    _study(stage)
    stage.set_defaults(call=_check)

    stage = stages.add_parser("download", help="bring subsets of LibriSpeech to the study's folder")
    _study(stage)
    stage.add_argument("--subset", nargs="+", metavar="NAME", help="default: all of the study")
    _path(stage, "--output", "folder for SUBSET.json, what was brought")
    stage.set_defaults(call=_download)

    stage = stages.add_parser("plan", help="predict time, memory and disk of a study, by arm")
    _study(stage, "--configfile")
    stage.add_argument("--cores", type=int, help="that the jobs share; default this machine's")
    stage.add_argument("--gpus", type=int, help="that they share; default what one job takes")
    stage.add_argument(
        "--gpu-tflops",
        type=float,
        default=0.0,
        metavar="T",
        help="that a GPU reaches in training, where this machine has none: about a third of what"
        " its maker promises for large models, far less for small ones",
    )
    stage.add_argument("--results", type=Path, help="of a run, to compare the prediction with")
    stage.add_argument("--output", type=Path, help="CSV, one row per job")
    stage.set_defaults(call=_plan)

    stage = stages.add_parser("corpus", help="prepare the corpus: 16 kHz, mono, one loudness")
    _study(stage)
    _path(stage, "--output", "folder of the corpus")
    stage.add_argument("--state", type=Path, help="folder that an interrupted one goes on from")
    _checkpoints(stage)
    _jobs(stage)
    stage.set_defaults(call=_corpus)

    stage = stages.add_parser("reference", help="write the test utterances as FLAC files")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder; the files are in its audio/")
    stage.set_defaults(call=_reference)

    stage = stages.add_parser("train", help="train one variant with one seed")
    _study(stage)
    stage.add_argument("--variant", required=True)
    stage.add_argument("--seed", type=int, required=True)
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder of the model")
    _path(stage, "--state", "folder of the state that an interrupted training goes on from")
    _checkpoints(stage)
    stage.add_argument(
        "--time-budget",
        type=float,
        default=math.inf,
        metavar="S",
        help=f"seconds after which to save and exit with status {RESUMABLE}; default none",
    )
    stage.set_defaults(call=_train)

    stage = stages.add_parser(
        "import-stable-codec", help="a checkpoint of stable-audio-tools -> a model folder"
    )
    _path(stage, "--config", "its model_config.json")
    _path(stage, "--checkpoint", ".ckpt or .safetensors")
    stage.add_argument("output", type=Path, metavar="OUT", help="folder that is not there yet")
    stage.set_defaults(call=_import_stable_codec)

    stage = stages.add_parser("copy-model", help="a model from elsewhere -> a model of the study")
    stage.add_argument("model", type=Path, help="folder of the model")
    stage.add_argument("output", type=Path, help="folder to copy it to")
    stage.set_defaults(call=_copy_model)

    stage = stages.add_parser("encode", help="a recording -> a .taae file")
    stage.add_argument("recording", type=Path, help="any rate and number of channels")
    stage.add_argument("coded", type=Path, metavar="FILE.taae")
    _path(stage, "--model", "folder of the model")
    _point(stage)
    stage.add_argument("--tokens", type=Path, help="token model; default that of the model, if any")
    stage.set_defaults(call=_encode)

    stage = stages.add_parser(
        "decode",
        help="a .taae file -> a recording, or encode and decode the test utterances",
        usage="%(prog)s FILE.taae RECORDING --model MODEL [--tokens TOKENS]\n"
        "       %(prog)s --corpus CORPUS --output OUTPUT --model MODEL [--study STUDY ...]"
        " [--bitrate POINT] [--threads N]",
    )
    stage.add_argument("coded", type=Path, nargs="?", metavar="FILE.taae")
    stage.add_argument("recording", type=Path, nargs="?", help=".wav or .flac")
    _path(stage, "--model", "folder of the model")
    stage.add_argument("--tokens", type=Path, help="token model; default that of the model, if any")
    stage.add_argument("--corpus", type=Path, help="folder of the corpus")
    stage.add_argument("--output", type=Path, help="folder for audio/, codes.npz, utterances.csv")
    _study(stage)
    _point(stage)
    _hardware(stage)
    stage.set_defaults(call=_decode)

    stage = stages.add_parser("tokens", help="fit token models to the training utterances")
    _path(stage, "--model", "folder of the model")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder for POINT/order0.npz and order1.npz; usually MODEL/tokens")
    stage.add_argument("--bitrates", nargs="+", metavar="POINT", default=[NATIVE])
    stage.add_argument("--minutes", type=float, default=0.0, help="of speech to use; 0: all")
    _hardware(stage)
    stage.set_defaults(call=_tokens)

    stage = stages.add_parser("rates", help="codes of decode -> .taae files, bitrates, codebook")
    _path(stage, "--decoded", "folder of codes.npz and utterances.csv")
    _path(stage, "--model", "folder of the model")
    _path(stage, "--tokens", "folder of POINT/order0.npz and order1.npz")
    _point(stage)
    _path(stage, "--output", "folder for coded/, rates.csv, codebook.csv and histogram.csv")
    stage.set_defaults(call=_rates)

    stage = stages.add_parser("precision", help="codes that differ between float32 and bfloat16")
    _path(stage, "--model", "folder of the model")
    _path(stage, "--corpus", "folder of the corpus")
    _point(stage)
    _path(stage, "--output", "CSV, one row per test utterance")
    _hardware(stage)
    stage.set_defaults(call=_precision)

    stage = stages.add_parser("stream", help="16-bit PCM on stdin -> decoded on stdout, live")
    _path(stage, "--model", "folder of a causal model")
    stage.add_argument(
        "--chunk", type=_frames, default=1, metavar="FRAMES", help="latent frames; default 1"
    )
    stage.add_argument("--rate", type=int, help="of the input in Hz; must be the model's")
    stage.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")
    stage.set_defaults(call=_stream)

    stage = stages.add_parser("peer", help="the test utterances through another codec")
    _study(stage)
    stage.add_argument("--codec", required=True, help="its name under codecs: of the study")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "folder for audio/, utterances.csv and peer.json")
    stage.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")
    stage.set_defaults(call=_peer)

    stage = stages.add_parser("mosnet", help="fetch MOSNet's published weights and check them")
    stage.add_argument("--weights", required=True, help="path or https URL of cnn_blstm.h5")
    _path(stage, "--output", "file")
    stage.set_defaults(call=_mosnet)

    stage = stages.add_parser("score", help="score decoded audio against its reference")
    _path(stage, "--reference", "folder of reference audio")
    _path(stage, "--decoded", "folder of decoded audio; files pair by name without extension")
    _path(stage, "--output", "CSV, one row per utterance and metric")
    stage.add_argument("--metrics", nargs="+", choices=list(METRICS), default=list(METRICS))
    stage.add_argument("--max-failed", type=float, default=0.1, help="share of a metric's values")
    stage.add_argument("--max-seconds", type=float, default=30.0, help="longest for PESQ")
    stage.add_argument("--manifest", type=Path, help="CSV with the columns utterance and speaker")
    for label in ("--run", "--variant"):
        stage.add_argument(label, default="", help="of every row; default: name of DECODED")
    stage.add_argument("--split", default="", help="written to every row")
    stage.add_argument("--seed", type=int, default=0, help="written to every row; default 0")
    stage.add_argument("--bitrate", type=float, help="bit/s, written to every row")
    stage.add_argument("--peer", type=Path, help="peer.json: bitrate, or that it is not installed")
    stage.add_argument("--mosnet-weights", type=Path, help="cnn_blstm.h5; else mosnet is left out")
    stage.add_argument("--cache", type=Path, metavar="FILE", help="keeps values for the next call")
    _jobs(stage)
    stage.set_defaults(call=_score)

    stage = stages.add_parser("bench", help="measure speed, side by side; ends in a JSON line")
    stage.add_argument("what", choices=["attention", "codec", "score", "stream", "train"])
    stage.add_argument("--quick", action="store_true", help="shorter inputs")
    stage.add_argument("--model", type=Path, help="trained codec for codec and stream")
    stage.add_argument(
        "--corpus", type=Path, help="for codec, score and train; default built-in speech"
    )
    stage.add_argument("--device", choices=["cpu", "cuda"], help="for attention, codec and train")
    stage.add_argument("--jobs", type=int, default=2, metavar="N", help="processes of score; 2")
    stage.add_argument("--threads", type=int, help="CPU threads; default all, stream: 1")
    trained = stage.add_argument_group("train", "by itself the preset small, 4 x 5.12 s, AdamW")
    trained.add_argument("--study", type=Path, nargs="+", help="config files of a study, and")
    trained.add_argument("--variant", default=BASELINE, help="its variant; default baseline")
    trained.add_argument("--preset", choices=list(MODELS), help="shape of the codec instead")
    trained.add_argument("--batch", type=int, help="segments per step")
    trained.add_argument("--segment", type=float, metavar="S", help="seconds of each")
    trained.add_argument("--precision", choices=["bfloat16", "float32"])
    trained.add_argument("--compile", action="store_true", help="compile it, and show both")
    trained.add_argument("--discriminator", action="store_true", help="let it play")
    trained.add_argument("--steps", type=int, default=20, help="of each that count; default 20")
    stage.set_defaults(call=_bench)

    stage = stages.add_parser("summarise", help="scores of all runs -> tables of the study")
    _study(stage)
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    stage.add_argument("--codecs", type=Path, nargs="+", help="peer.json of each other codec")
    _path(stage, "--output", "folder of the tables")
    stage.set_defaults(call=_summarise)

    stage = stages.add_parser("compare", help="compare variants with a reference, paired")
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of score")
    against = stage.add_mutually_exclusive_group(required=True)
    against.add_argument("--study", type=Path, nargs="+", help="every ablation of a study")
    against.add_argument("--baseline", help="every other variant with this one")
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_compare)

    stage = stages.add_parser("lengths", help="score the test speech recut to other lengths")
    _study(stage)
    stage.add_argument("--variant", required=True)
    stage.add_argument("--seed", type=int, required=True)
    _path(stage, "--model", "folder of the model")
    _path(stage, "--corpus", "folder of the corpus")
    _path(stage, "--output", "CSV, one row per length, speaker and metric")
    _hardware(stage)
    stage.set_defaults(call=_lengths)

    stage = stages.add_parser("length-table", help="scores at all lengths -> one table")
    _study(stage)
    stage.add_argument("--scores", type=Path, nargs="+", required=True, help="CSVs of lengths")
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_length_table)

    stage = stages.add_parser("cost", help="latency, time and memory of a model")
    _path(stage, "--model", "folder of the model")
    _path(stage, "--output", "JSON")
    stage.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")
    stage.set_defaults(call=_cost)

    stage = stages.add_parser("cost-table", help="costs of all models -> one table")
    _study(stage)
    _path(stage, "--costs", "folder that holds VARIANT.json")
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_cost_table)

    stage = stages.add_parser("bitrate-tables", help="operating points of all runs -> tables")
    _study(stage)
    _path(stage, "--scores", "folder that holds VARIANT/seedSEED/POINT.csv")
    _path(stage, "--probes", "folder that holds VARIANT/seedSEED/POINT, of rates")
    _path(stage, "--output", "folder of the tables")
    stage.set_defaults(call=_bitrate_tables)

    stage = stages.add_parser("histories", help="training histories of all runs -> one table")
    _path(stage, "--models", "folder that holds VARIANT/seedSEED/history.csv")
    _study(stage)
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_histories)

    stage = stages.add_parser("provenance", help="where all models come from -> one table")
    _path(stage, "--models", "folder that holds VARIANT/seedSEED/provenance.json")
    _study(stage)
    _path(stage, "--output", "CSV")
    stage.set_defaults(call=_provenance)

    stage = stages.add_parser("spectra", help="spectrograms of one utterance -> one table")
    _path(stage, "--reference", "folder of reference audio")
    _path(stage, "--decoded", "folder that holds VARIANT/seedSEED/native/audio")
    _study(stage)
    _path(stage, "--output", "NPZ")
    stage.set_defaults(call=_spectra)

    stage = stages.add_parser("plot", help="tables -> figures, PNG and PDF")
    stage.add_argument("figure", choices=FIGURES)
    stage.add_argument("--ablation", help="which one, for metrics, forest and scatter")
    _study(stage)
    _path(stage, "--tables", "folder of the tables")
    _path(stage, "--output", "path of the figure without .png")
    stage.set_defaults(call=_plot)
    return parser


def _study(stage: argparse.ArgumentParser, *aliases: str) -> None:
    stage.add_argument(
        "--study",
        *aliases,
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        help="config files, laid over each other; default config.yaml",
    )


def _path(stage: argparse.ArgumentParser, name: str, help: str) -> None:
    stage.add_argument(name, type=Path, required=True, help=help)


def _point(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--bitrate",
        default=NATIVE,
        metavar="POINT",
        help=f"{NATIVE}, {', '.join(PRESETS)}, or stages LEVELS@SCALE+...; default {NATIVE}",
    )


def _hardware(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--threads", type=int, default=1, help="CPU threads; default 1")
    stage.add_argument("--gpus", type=int, default=0, choices=[0, 1], help="default 0: the CPU")


def _jobs(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--jobs", type=int, default=1, metavar="N", help="processes; default 1")


def _checkpoints(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--checkpoint-every",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds between saved states; default 60",
    )


def _frames(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number of frames, 1 or more")
    return int(text)


def _check(options: argparse.Namespace) -> None:
    study = Study.load(options.study)
    for warning in study.warnings:
        print(f"warning: {warning}")
    for note in study.notes:
        print(f"note: {note}")
    for name, variant in study.variants.items():
        size = parameters(links(variant.model, variant.attention, variant.bottleneck)) / 1e6
        conv = variant.model.kind == "conv"
        what = "convolutional" if conv else f"window {variant.attention.window}"
        print(
            f"{name}: {variant.bitrate:.0f} bit/s, {what}, {size:.1f}M parameters"
            f"{', causal' if variant.attention.causal else ''}"
            f"{', pretrained' if variant.pretrained else ''}"
        )


def _download(options: argparse.Namespace) -> None:
    from taae.corpus.archives import ARCHIVES
    from taae.corpus.download import download
    from taae.files import write_json

    wanted = Study.load(options.study).download
    if not wanted.subsets:
        raise TaaeError("config: the study downloads nothing: see corpus.librispeech.download")
    for subset in options.subset or wanted.subsets:
        if subset not in ARCHIVES:
            raise TaaeError(f"no subset '{subset}' is published; there are {', '.join(ARCHIVES)}")
        receipt = download(ARCHIVES[subset], wanted.url, Path(wanted.path))
        write_json(receipt, options.output / f"{subset}.json")


def _plan(options: argparse.Namespace) -> None:
    from taae.planning.plan import plan

    plan(
        Study.load(options.study),
        options.cores or os.cpu_count() or 1,
        options.gpus,
        rate=1e12 * options.gpu_tflops,
        results=options.results,
        output=options.output,
    )


def _corpus(options: argparse.Namespace) -> None:
    from taae.corpus.prepare import prepare

    prepare(
        Study.load(options.study).corpus,
        options.output,
        options.jobs,
        options.state,
        options.checkpoint_every,
    )


def _reference(options: argparse.Namespace) -> None:
    from taae.decoded import write_reference

    write_reference(options.corpus, options.output)


def _train(options: argparse.Namespace) -> int:
    from taae.training.launch import launch
    from taae.training.loop import Interrupted

    variant = Study.load(options.study).variant(options.variant)
    try:
        launch(
            variant,
            options.seed,
            options.corpus,
            options.output,
            options.state,
            options.checkpoint_every,
            options.time_budget,
        )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return RESUMABLE
    return 0


def _import_stable_codec(options: argparse.Namespace) -> None:
    from taae.stable_codec import import_model

    import_model(options.config, options.checkpoint, options.output)


def _copy_model(options: argparse.Namespace) -> None:
    from taae.pretrained import copy_model

    copy_model(options.model, options.output)


def _encode(options: argparse.Namespace) -> None:
    from taae.coding.recordings import encode_file

    encode_file(
        options.recording, options.coded, options.model, options.bitrate, tokens=options.tokens
    )


def _decode(options: argparse.Namespace) -> None:
    file, split = [options.coded, options.recording], [options.corpus, options.output]
    if all(file) and not any(split):
        if options.bitrate != NATIVE:
            raise TaaeError("decode: --bitrate is for --corpus; a .taae file has its own")
        from taae.coding.recordings import decode_file

        decode_file(options.coded, options.recording, options.model, options.tokens)
    elif all(split) and not any(file):
        if options.tokens:
            raise TaaeError("decode: --tokens is for a .taae file")
        _decode_split(options)
    else:
        raise TaaeError(
            "decode: give either FILE.taae and RECORDING, or --corpus and --output;"
            " see `taae decode --help`"
        )


def _decode_split(options: argparse.Namespace) -> None:
    from taae.decoding import decode_split

    precision = Study.load(options.study).decoding["precision"]
    with compute(options.gpus) as device:
        decode_split(
            options.model,
            options.corpus,
            options.output,
            precision=precision,
            threads=options.threads,
            point=options.bitrate,
            device=device,
        )


def _tokens(options: argparse.Namespace) -> None:
    from taae.coding.fitting import fit_tokens

    with compute(options.gpus) as device:
        fit_tokens(
            options.model,
            options.corpus,
            options.output,
            options.bitrates,
            minutes=options.minutes,
            threads=options.threads,
            device=device,
        )


def _rates(options: argparse.Namespace) -> None:
    from taae.probes.files import probe_codes

    probe_codes(options.decoded, options.model, options.tokens, options.bitrate, options.output)


def _precision(options: argparse.Namespace) -> None:
    from taae.files import write_csv
    from taae.probes.precision import differing_codes

    with compute(options.gpus) as device:
        table = differing_codes(
            options.model,
            options.corpus,
            point=options.bitrate,
            threads=options.threads,
            device=device,
        )
    write_csv(table, options.output)


def _stream(options: argparse.Namespace) -> int:
    import torch

    from taae.codec import Codec
    from taae.pcm import PcmStream

    torch.set_num_threads(options.threads)
    codec = Codec.from_pretrained(options.model)
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


def _peer(options: argparse.Namespace) -> None:
    import torch

    from taae.peers.run import run_peer

    codecs = Study.load(options.study).codecs
    if options.codec not in codecs:
        raise TaaeError(
            f"no codec '{options.codec}'; the study has {', '.join(codecs) or 'none'} (codecs:)"
        )
    torch.set_num_threads(options.threads)
    run_peer(options.codec, codecs[options.codec], options.corpus, options.output)


def _mosnet(options: argparse.Namespace) -> None:
    from taae.scoring.mosnet_weights import fetch_weights

    fetch_weights(options.weights, options.output)


def _score(options: argparse.Namespace) -> None:
    from taae.files import read_csv
    from taae.peers.about import NOT_INSTALLED, read_about
    from taae.scoring.score import score_absent, score_folders

    speakers = None
    if options.manifest:
        text = ["utterance", "speaker"]
        manifest = read_csv(options.manifest, text, text)
        speakers = dict(zip(manifest["utterance"], manifest["speaker"], strict=True))
    given = {
        name: getattr(options, name) for name in ("run", "variant", "seed", "bitrate", "split")
    }
    labels = {name: value for name, value in given.items() if value not in ("", None)}
    common = {
        "names": options.metrics,
        "speakers": speakers,
        "mosnet_weights": options.mosnet_weights,
    }
    if options.peer:
        about = read_about(options.peer)
        if about["status"] == NOT_INSTALLED:
            score_absent(
                options.reference,
                options.decoded,
                options.output,
                message=about["message"],
                labels=labels,
                **common,
            )
            return
        labels["bitrate"] = about["bitrate"]
    score_folders(
        options.reference,
        options.decoded,
        options.output,
        max_failed=options.max_failed,
        max_seconds=options.max_seconds,
        workers=options.jobs,
        labels=labels,
        cache=options.cache,
        **common,
    )


def _bench(options: argparse.Namespace) -> None:
    import torch

    if options.threads or options.what == "stream":
        torch.set_num_threads(options.threads or 1)
    if options.what == "attention":
        from taae.bench.attention import attention

        attention(quick=options.quick, device=options.device)
    elif options.what == "codec":
        from taae.bench.codec import codec

        codec(options.model, options.corpus, quick=options.quick, device=options.device)
    elif options.what == "score":
        from taae.bench.score import score

        score(options.corpus, options.jobs, rounds=1 if options.quick else 3)
    elif options.what == "train":
        _bench_train(options)
    else:
        from taae.bench.stream import stream

        stream(options.model, quick=options.quick)


def _bench_train(options: argparse.Namespace) -> None:
    from taae.bench.train import chosen, train

    variant = Study.load(options.study).variant(options.variant) if options.study else None
    changes = {"precision": options.precision, "batch": options.batch, "segment": options.segment}
    train(
        chosen(variant, options.preset, compile=options.compile or None, **changes),
        steps=options.steps,
        discriminator=options.discriminator,
        corpus=options.corpus,
        device=options.device,
    )


def _summarise(options: argparse.Namespace) -> None:
    from taae.analysis import publish, tables
    from taae.files import write_csv
    from taae.peers.about import codec_table

    study = Study.load(options.study)
    scores = tables.collect(options.scores)
    summary = tables.summary(scores, study)
    write_csv(scores, options.output / "scores.csv")
    write_csv(tables.coverage(study), options.output / "coverage.csv")
    write_csv(tables.failures(scores), options.output / "failures.csv")
    publish.write_summary(summary, options.output, study.notes)
    if options.codecs:
        write_csv(codec_table(options.codecs), options.output / "codecs.csv")


def _compare(options: argparse.Namespace) -> None:
    from taae.analysis import tables
    from taae.files import write_csv
    from taae.study import default_statistics

    scores = tables.collect(options.scores)
    if options.study:
        table = tables.comparisons(scores, Study.load(options.study))
    else:
        table = tables.compare_against(scores, options.baseline, default_statistics())
    write_csv(table, options.output)


def _cost(options: argparse.Namespace) -> None:
    from taae.files import write_json
    from taae.probes.cost import measure

    write_json(measure(options.model, options.threads), options.output)


def _cost_table(options: argparse.Namespace) -> None:
    from taae.analysis.cost import cost_table
    from taae.files import write_csv

    write_csv(cost_table(options.costs, Study.load(options.study)), options.output)


def _bitrate_tables(options: argparse.Namespace) -> None:
    from taae.analysis import bitrates
    from taae.files import write_csv

    study, output = Study.load(options.study), options.output
    write_csv(bitrates.rate_distortion(options.scores, study), output / "rate-distortion.csv")
    write_csv(bitrates.bitrates(options.probes, study), output / "bitrates.csv")
    write_csv(bitrates.precision(options.probes, study), output / "precision.csv")
    for name in ("codebook", "histogram"):
        write_csv(bitrates.probes(options.probes, name, study), output / f"{name}.csv")


def _lengths(options: argparse.Namespace) -> None:
    from taae.probes.lengths import score_lengths

    study = Study.load(options.study)
    with compute(options.gpus) as device:
        score_lengths(
            options.model,
            options.corpus,
            study.lengths.seconds,
            options.output,
            names=study.lengths.metrics,
            max_seconds=study.metrics.max_seconds,
            labels={
                "run": f"{options.variant}/seed{options.seed}",
                "variant": options.variant,
                "seed": options.seed,
                "bitrate": study.variant(options.variant).bitrate,
                "split": "test",
            },
            precision=study.decoding["precision"],
            threads=options.threads,
            device=device,
        )


def _length_table(options: argparse.Namespace) -> None:
    from taae.analysis.lengths import length_summary
    from taae.files import write_csv

    write_csv(length_summary(options.scores, Study.load(options.study)), options.output)


def _histories(options: argparse.Namespace) -> None:
    from taae.analysis.histories import histories
    from taae.files import write_csv

    write_csv(histories(options.models, Study.load(options.study)), options.output)


def _provenance(options: argparse.Namespace) -> None:
    from taae.analysis.origins import provenance_table
    from taae.files import write_csv

    write_csv(provenance_table(options.models, Study.load(options.study)), options.output)


def _spectra(options: argparse.Namespace) -> None:
    from taae.analysis.spectra import write_spectra

    write_spectra(options.reference, options.decoded, Study.load(options.study), options.output)


def _plot(options: argparse.Namespace) -> None:
    from taae.analysis.plot import plot

    plot(
        options.figure,
        Study.load(options.study),
        options.tables,
        options.output,
        ablation=options.ablation,
    )
