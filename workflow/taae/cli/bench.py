"""Measurements of speed: bench."""

from __future__ import annotations

from cyclopts import App

from taae.cli.shared import MEASURE, app

bench = App(name="bench", help="Measure speed, side by side; ends in a JSON line.", group=MEASURE)
app.command(bench)
for function, what in {
    "attention_speed:attention": "Sliding-window against full attention, over lengths.",
    "codec_speed:codec": "A codec with its window against full attention, over lengths of audio.",
    "codec_speed:stream": "The frames of a streaming codec.",
    "score_speed:score": "`taae score` against the packages of its metrics, one after another.",
    "train_speed:train": "Training steps against float32 with full attention.",
}.items():
    bench.command(f"taae.benchmark.{function}", name=function.partition(":")[2], help=what)
