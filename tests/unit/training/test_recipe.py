"""The recipe: parts of a batch, activations computed again, compiling, guards, charts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from taae.training import train as loop
from taae.training import trainer as training_step
from taae.training.config import Variant
from taae.training.losses import Terms
from taae.training.trainer import Trainer
from taae.utils.errors import TaaeError
from tests.unit.training.trainings import ADVERSARIAL, noise_corpus, tiny, weights

CPU = torch.device("cpu")
ROUNDED = {"training": "ste"}  # a bottleneck that draws nothing


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return noise_corpus(tmp_path / "corpus", monkeypatch)


def stepped(variant: Variant, corpus: Path, steps: int = 1) -> Trainer:
    """Return a trainer after some steps; it keeps the gradients of the last one."""
    torch.manual_seed(1)
    trainer = Trainer(variant, 1, corpus, CPU)
    playing = [trainer.optimisation]
    if trainer.adversary:
        playing.append(trainer.adversary.optimisation)
    for optimisation in playing:
        optimisation.clear = lambda: None  # type: ignore[method-assign]
    for _ in range(steps):
        trainer.codec.zero_grad()
        trainer.step()
    return trainer


def gradients(network: torch.nn.Module) -> dict[str, Tensor | None]:
    return {name: weight.grad for name, weight in network.named_parameters()}


def flat(network: torch.nn.Module) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in network.parameters()])


def test_a_batch_in_parts_has_the_gradients_of_the_whole(corpus: Path) -> None:
    changes = {
        **ADVERSARIAL,
        "discriminator": {**ADVERSARIAL["discriminator"], "share": 1.0},
        "precision": "float32",
        "batch": 4,
    }
    whole, parts = (
        stepped(tiny({**changes, "accumulate": count}, bottleneck=ROUNDED), corpus)
        for count in (1, 4)
    )
    assert whole.adversary
    assert parts.adversary
    # What real and decoded segments ask of the discriminator all but cancels at first, so that
    # float32 leaves fewer digits of its gradient.
    for one, other, tolerance in (
        (whole.codec, parts.codec, 1e-5),
        (whole.adversary.network, parts.adversary.network, 1e-4),
    ):
        expected, found = flat(one), flat(other)
        assert (found - expected).norm() < tolerance * expected.norm()
    for name, term in whole.progress.losses[0].items():
        torch.testing.assert_close(parts.progress.losses[0][name], term, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["taae", "conv"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_activations_computed_again_give_the_same_gradients(
    corpus: Path, kind: str, precision: str
) -> None:
    model = {"kind": kind}  # with the hybrid bottleneck, which draws noise
    kept, again = (
        stepped(tiny({"precision": precision, "checkpointing": on}, model=model), corpus)
        for on in (False, True)
    )
    expected, found = gradients(kept.codec), gradients(again.codec)
    assert list(expected) == list(found)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_checkpointing_keeps_less(corpus: Path) -> None:
    sizes = {}
    for on in (False, True):
        trainer = Trainer(tiny({"checkpointing": on}), 1, corpus, CPU)
        kept: list[int] = []

        def pack(x: Tensor, kept: list[int] = kept) -> Tensor:
            kept.append(x.untyped_storage().nbytes())
            return x

        wave = torch.randn(1, trainer.variant.segment_samples)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            trainer.codec(wave)
        sizes[on] = sum(kept)
    assert sizes[True] < sizes[False] / 3


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_compiled_codec_has_the_same_gradients(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, checkpointing: bool
) -> None:
    # The graphs are those of any backend; generating code for them would take minutes.
    graphs: list[torch.fx.GraphModule] = []

    def run(graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=run))
    changes = {"precision": "float32", "compile": True, "checkpointing": checkpointing}
    plain = stepped(tiny({"precision": "float32"}, bottleneck=ROUNDED), corpus)
    compiled = stepped(tiny(changes, bottleneck=ROUNDED), corpus)
    assert graphs
    expected, found = gradients(plain.codec), gradients(compiled.codec)
    assert list(expected) == list(found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)


def break_steps(monkeypatch: pytest.MonkeyPatch, *broken: int) -> None:
    """Make the gradients of some steps not finite."""
    losses = Trainer._losses

    def broken_losses(trainer: Trainer, decoded: Tensor, target: Tensor) -> Terms:
        terms = losses(trainer, decoded, target)
        if trainer.progress.step in broken:
            assert decoded.grad is not None
            decoded.grad[0, 0] = torch.nan
        return terms

    monkeypatch.setattr(Trainer, "_losses", broken_losses)


def test_a_step_that_is_not_finite_changes_no_weight(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_steps(monkeypatch, 5)
    trainer = stepped(tiny(ADVERSARIAL), corpus, steps=5)
    assert trainer.adversary
    networks = [trainer.codec, trainer.average, trainer.adversary.network]
    before = [{k: v.clone() for k, v in network.state_dict().items()} for network in networks]
    trainer.step()
    assert (trainer.progress.skipped, trainer.progress.streak) == (1, 1)
    for network, old in zip(networks, before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in network.state_dict().items())
    trainer.codec.zero_grad()
    trainer.step()
    assert (trainer.progress.skipped, trainer.progress.streak) == (1, 0)
    assert any(
        not torch.equal(value, before[0][name])
        for name, value in trainer.codec.state_dict().items()
    )


def test_skipped_steps_are_counted(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_steps(monkeypatch, 3, 4, 30)
    loop.train(tiny({"steps": 40}), 1, corpus, tmp_path / "a", tmp_path / "state")
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    assert history[history["split"] == "train"]["skipped"].tolist() == [2, 1]
    assert history["loss"].notna().all()


def test_steps_that_are_never_finite_stop_the_training(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_steps(monkeypatch, *range(2, 100))
    variant = tiny({"steps": 40, "max_skipped": 5})
    with pytest.raises(TaaeError, match=r"last 5 steps, up to step 7, .* weights are in .*state"):
        loop.train(variant, 1, corpus, tmp_path / "a", tmp_path / "state")
    assert not (tmp_path / "a").exists()
    (kept,) = (tmp_path / "state").rglob("*.pt")
    good = stepped(tiny({"steps": 40}), corpus, steps=2).codec.state_dict()
    saved = torch.load(kept, weights_only=True)["codec"]
    assert all(torch.equal(saved[name], value) for name, value in good.items())
    with pytest.raises(TaaeError, match="last 6 steps, up to step 8"):  # resumed, still broken
        loop.train(variant, 1, corpus, tmp_path / "a", tmp_path / "state")


@pytest.mark.parametrize("lack", ["torch", "python", "cuda", "cublas"])
def test_a_batch_that_does_not_fit(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    step = Trainer.step

    def fails(trainer: Trainer) -> None:
        if trainer.progress.step < 3:
            return step(trainer)
        if lack == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 EiB.")
        if lack == "cublas":
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `create`")
        if lack == "python":
            bytearray(2**62)
        torch.empty(2**60)  # the allocator's own error
        return None

    monkeypatch.setattr(Trainer, "step", fails)
    expected = r"2 segments of 0\.64 s in 1 part.* GiB were in use .*training\.accumulate larger"
    with pytest.raises(TaaeError, match=expected):
        loop.train(tiny(), 1, corpus, tmp_path / "a", tmp_path / "state", checkpoint_every=0)
    assert list((tmp_path / "state").rglob("*.pt"))
    monkeypatch.setattr(Trainer, "step", step)
    loop.train(tiny(), 1, corpus, tmp_path / "a", tmp_path / "state")
    loop.train(tiny(), 1, corpus, tmp_path / "b", tmp_path / "other")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


@pytest.mark.parametrize("place", ["averaged", "torch.load"])
def test_a_model_that_does_not_fit(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Neither when it is made nor when its state is read, which is not taken for a damaged one."""
    break_steps(monkeypatch, *range(3, 100))
    arguments = (tiny({"steps": 40, "max_skipped": 2}), 1, corpus, tmp_path / "a", tmp_path / "s")
    with pytest.raises(TaaeError, match="diverged"):
        loop.train(*arguments)
    (kept,) = (tmp_path / "s").rglob("*.pt")
    content = kept.read_bytes()

    def lacks(*_: object, **__: object) -> None:
        torch.empty(2**60)

    target = torch if place == "torch.load" else training_step
    monkeypatch.setattr(target, place.split(".")[-1], lacks)
    expected = r"model: 0\.\dM parameters, .* do not fit .* GiB were in use .* smaller model"
    with pytest.raises(TaaeError, match=expected):
        loop.train(*arguments)
    assert kept.read_bytes() == content


def test_other_errors_of_a_step_are_not_about_memory(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(trainer: Trainer) -> None:
        torch.ones(2) @ torch.ones(3)

    monkeypatch.setattr(Trainer, "step", fails)
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        loop.train(tiny(), 1, corpus, tmp_path / "a", tmp_path / "state")


def test_tensorboard_shows_what_the_history_has(corpus: Path, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for _ in range(2):  # a training that is done again leaves no second set of curves
        loop.train(tiny({"steps": 40}), 1, corpus, tmp_path / "a", tmp_path / "state")
    charts = accumulator.EventAccumulator(str(tmp_path / "state" / "tensorboard"))
    charts.Reload()
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    for split, rows in history.groupby("split"):
        events = charts.Scalars(f"loss/{split}")
        assert [event.step for event in events] == rows["step"].tolist()
        assert [event.value for event in events] == pytest.approx(rows["loss"].tolist())


def test_validation_takes_segments_as_training_does_and_gives_the_mean_of_all(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_step, "VALIDATION_SEGMENTS", 3)
    found = Trainer(tiny({"batch": 2}), 1, corpus, CPU)
    assert len(found.validation) == 3
    sizes = []
    found.average.module.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    terms = found.validate()
    assert sizes == [2, 1]
    with torch.inference_mode(), found._autocast():
        decoded = found.average(found.validation)
    whole = found.reconstruction(decoded.float(), found.validation)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(
        {name: float(term) for name, term in whole.items()}, rel=1e-4
    )
