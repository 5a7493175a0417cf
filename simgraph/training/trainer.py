"""The training run: epochs of batches, evaluations and checkpoints that it resumes from."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from simgraph._progress import Track, no_progress
from simgraph.config import Config
from simgraph.datasets import Samples, find_dataset
from simgraph.datasets.images import ImageSet, require_images
from simgraph.training.checkpoint import (
    BEST,
    LAST,
    Progress,
    restore,
    save_checkpoint,
    split_folder,
)
from simgraph.training.data import TrainImages, batches, ignore_interrupts
from simgraph.training.distributed import agree, launch
from simgraph.training.extraction import extract_test_set
from simgraph.training.learner import Learner
from simgraph.training.pace import Pace
from simgraph.training.run_log import cut_log, read_log, write_log, write_settings
from simgraph.training.sampler import CrossModalitySampler
from simgraph.training.validation import check_evaluation, score_features
from simgraph.trials import load_test_set, load_train_set

logger = logging.getLogger(__name__)


def train(
    config: Config,
    output: str | Path,
    resume: bool = False,
    track: Track = no_progress,
) -> None:
    """Train a network into a folder; for a dataset with a network per trial, one per split.

    The folder then contains `last.safetensors`, `best.safetensors` (by SIM's mAP), `log.csv`,
    `config.yaml` and TensorBoard events. With a network per trial, each has a folder `trial_{t}`
    with these files.

    Args:
        config: dataset, model, train, and sim for the evaluations.
        output: folder of the run.
        resume: continue from the last checkpoint, to the weights of an uninterrupted run.
        track: shows progress over the batches of an epoch.

    Raises:
        FileExistsError: for a folder with a run in it, without resume.
        FileNotFoundError: for missing files.
        ValueError: for bad data or settings, before training begins.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
    """
    for split in find_dataset(config.dataset.name).splits(config.dataset):
        folder = split_folder(Path(output), config, split)
        started = (folder / LAST).exists()
        if started and not resume:
            raise FileExistsError(
                f"{folder}: holds a training run; go on with --resume, or choose another folder"
            )
        Run(config, folder, split).train(started, track)


class Run:
    """The training of one network: its data, its parts and its position.

    Args:
        config: of the run.
        folder: to write to.
        split: of the dataset.
    """

    def __init__(self, config: Config, folder: Path, split: int = 1) -> None:
        self.config, self.folder = config, folder
        self.fabric = launch(config.train.precision)
        self.test_set = load_test_set(config.dataset, split, images=True)
        check_evaluation(config, self.test_set)
        visible, infrared = load_train_set(config.dataset, split)
        settings = config.train
        self.sampler = CrossModalitySampler(
            visible.pids, infrared.pids, settings.num_ids, settings.visible_per_id,
            settings.infrared_per_id, settings.seed, self.fabric.global_rank,
            self.fabric.world_size,
        )  # fmt: skip
        self._check_images(visible, infrared)
        self.loader = self._loader(visible, infrared)
        self.num_classes = len(self.sampler.identities)
        self.learner = Learner(config, self.num_classes, self.fabric)
        self.progress = Progress()
        self.stopped = self.evaluating = False

    def _check_images(self, visible: Samples, infrared: Samples) -> None:
        """Check all images, test images too: a bad one would stop the run at an evaluation."""
        if self.fabric.global_rank == 0:
            for samples in (visible, infrared, self.test_set.query, self.test_set.gallery):
                thermal_range = self.config.images.thermal_range
                require_images(samples, self.test_set.root, thermal_range)
        self.fabric.barrier()

    def _loader(self, visible: Samples, infrared: Samples) -> Any:
        size = (self.config.model.height, self.config.model.width)
        cache, thermal_range = self.config.train.cache, self.config.images.thermal_range
        sets = [
            ImageSet(samples, self.test_set.root, size, cache, thermal_range)
            for samples in (visible, infrared)
        ]
        self.images = images = TrainImages(sets[0], sets[1], self.sampler.identities)
        workers = self.config.train.workers
        # Each new iterator draws a number from its generator. The global generator would then
        # have another state after an epoch that was resumed, that is, iterated twice.
        generator = torch.Generator()
        return DataLoader(
            images, batch_sampler=self.sampler, num_workers=workers, generator=generator,
            worker_init_fn=ignore_interrupts,
            pin_memory=self.config.train.pin_memory and self.fabric.device.type == "cuda",
        )  # fmt: skip

    def train(self, resume: bool, track: Track) -> None:
        """Train to the last epoch; see `train`."""
        if resume:
            learner = self.learner
            self.progress, scale = restore(
                self.folder / LAST, learner.model.module, self.config,
                learner.optimizer, learner.schedule,
            )  # fmt: skip
            self.fabric.strategy.precision.load_state_dict(scale)
        if self.fabric.global_rank == 0:
            write_settings(self.config, self.folder)
            cut_log(self.folder / "log.csv", self.progress.epoch)
            logger.info("%s", self._plan(resume))
        self.pace = Pace(self._batch_size(), self._remaining())
        with _stop_after_batch(self), self._event_writer() as board:
            while self.progress.epoch < self.config.train.epochs:
                self._epoch(track, board)
        self.fabric.barrier()

    def _batch_size(self) -> int:
        settings = self.config.train
        return settings.num_ids * (settings.visible_per_id + settings.infrared_per_id)

    def _steps_done(self) -> int:
        return self.progress.epoch * len(self.sampler) + self.progress.step

    def _remaining(self) -> int:
        return self.config.train.epochs * len(self.sampler) - self._steps_done()

    def _plan(self, resume: bool) -> str:
        """What is trained on what, in a line."""
        model, settings = self.config.model, self.config.train
        visible, infrared = self.images.visible, self.images.infrared
        weights = sum(p.numel() for p in self.learner.model.parameters()) / 1e6
        return (
            f"{'resuming' if resume else 'training'} {model.arch} ({weights:.1f} million weights, "
            f"from {model.weights}) on {self.config.dataset.name}: {self.num_classes} identities, "
            f"{len(visible)} visible and {len(infrared)} infrared images at {model.height} x "
            f"{model.width}; {settings.epochs} epochs of {len(self.sampler)} batches of "
            f"{self._batch_size()} images, on {self.fabric.device}, {settings.precision}"
        )

    def _event_writer(self) -> AbstractContextManager[Any]:
        """TensorBoard's writer, on the first process of a run that is not finished."""
        unfinished = self.progress.epoch < self.config.train.epochs
        first = self.fabric.global_rank == 0
        return (
            SummaryWriter(str(self.folder), purge_step=self._steps_done() + 1)
            if first and unfinished
            else nullcontext()
        )

    def _epoch(self, track: Track, board: SummaryWriter | None) -> None:
        epoch, began = self.progress.epoch, time.monotonic()
        self._train_batches(track, board)
        row = {
            "epoch": epoch + 1,
            "loss": self.progress.loss / len(self.sampler),
            "lr": self.learner.optimizer.param_groups[0]["lr"],
            "seconds": time.monotonic() - began,
        }
        self._report(row)
        if (epoch + 1) % self.config.train.evaluate_every == 0 or self._is_last(epoch):
            row |= self._evaluate()
        self.learner.schedule.step()
        self.progress = Progress(epoch + 1, best=self.progress.best)
        self._log(row, board)
        self._save(LAST)

    def _report(self, row: dict[str, float]) -> None:
        if self.fabric.global_rank == 0:
            logger.info(
                "epoch %d/%d loss %.3g lr %s %s",
                row["epoch"], self.config.train.epochs, row["loss"], _short(row["lr"]),
                self.pace.words(),
            )  # fmt: skip

    def _is_last(self, epoch: int) -> bool:
        return epoch + 1 == self.config.train.epochs

    def _train_batches(self, track: Track, board: SummaryWriter | None) -> None:
        """Train on the rest of the epoch, from the position of the run."""
        position = {"epoch": self.progress.epoch, "position": self.progress.step}
        self.sampler.load_state_dict(position)
        self.learner.model.train()
        remaining = len(self.sampler) - self.progress.step
        self.pace.start_epoch()
        for pixels, labels, infrared in track(batches(self.loader), remaining, self._status):
            loss, stop = agree(self._step(pixels, labels, infrared), self.stopped, self.fabric)
            self.progress.loss += loss
            self.progress.step += 1
            self.pace.step()
            self._log_step(loss, board)
            every = self.config.train.save_every
            if stop or (every and self.progress.step % every == 0):
                self._save(LAST)
            if stop:
                # torchrun stops all processes when one ends: wait until the first one has saved.
                self.fabric.barrier()
                raise KeyboardInterrupt(self.resume_hint())

    def _status(self) -> str:
        """Words of the bar: epoch, mean loss, rate, and the time left for the whole run."""
        at = self.progress
        loss = f"loss {at.loss / at.step:.3g}, " if at.step else ""
        epochs = self.config.train.epochs
        return f"epoch {at.epoch + 1}/{epochs}, {loss}{self.pace.words()}, batch"

    def _log_step(self, loss: float, board: SummaryWriter | None) -> None:
        """Add a step's losses by name; their sum is the mean over the processes."""
        if board is None:
            return
        values = {name: float(value) for name, value in self.learner.losses.items()}
        for name, value in ({"sum": loss} | values).items():
            board.add_scalar(f"step/loss_{name}", value, self._steps_done())
        rate = self.learner.optimizer.param_groups[0]["lr"]
        board.add_scalar("step/lr", rate, self._steps_done())

    def resume_hint(self) -> str:
        """The message after the run was stopped."""
        return f"stopped; go on with --resume from {self.folder}"

    def _step(self, pixels: Tensor, labels: Tensor, infrared: Tensor) -> Tensor:
        at = self.progress
        # The augmentation's seed follows from the position: a resumed run draws the same numbers.
        position = (self.config.train.seed, at.epoch, at.step, self.fabric.global_rank)
        draw = int(np.random.SeedSequence(position).generate_state(1)[0])
        try:
            return self.learner.step(pixels, labels, infrared, draw)
        except ValueError as error:
            raise ValueError(f"epoch {at.epoch + 1}, batch {at.step + 1}: {error}") from error

    def _evaluate(self) -> dict[str, float]:
        """Save, then score the network; Ctrl-C stops an evaluation at once, as all is saved."""
        self._save(LAST)
        self.evaluating = True
        if self.stopped:
            raise KeyboardInterrupt(self.resume_hint())
        scores = self._scores()
        self.evaluating = False
        return scores

    def _scores(self) -> dict[str, float]:
        """Score baseline and SIM under the protocol; keep the best network by SIM's mAP."""
        features = extract_test_set(self.learner.model, self.test_set, self.config, self.fabric)
        if self.fabric.global_rank != 0:
            return {}
        scores = score_features(self.config, features)
        if scores["sim_mAP"] > self.progress.best:
            self.progress.best = scores["sim_mAP"]
            self._save(BEST)
        logger.info(
            "epoch %d: baseline mAP %.4f, SIM mAP %.4f",
            self.progress.epoch + 1, scores["baseline_mAP"], scores["sim_mAP"],
        )  # fmt: skip
        return scores

    def _save(self, name: str) -> None:
        if self.fabric.global_rank != 0:
            return
        scale = self.fabric.strategy.precision.state_dict()
        state = (self.learner.optimizer, self.learner.schedule, scale) if name == LAST else ()
        save_checkpoint(
            self.folder / name, self.learner.model.module, self.num_classes, self.config,
            self.progress, *state,
        )  # fmt: skip

    def _log(self, row: dict[str, float], board: SummaryWriter | None) -> None:
        if board is None:
            return
        rows = [*read_log(self.folder / "log.csv"), {k: str(v) for k, v in row.items()}]
        write_log(self.folder / "log.csv", rows)
        for key, value in row.items():
            if key != "epoch":
                board.add_scalar(key, value, int(row["epoch"]))
        board.flush()


def _short(rate: float) -> str:
    """A learning rate as in "3.5e-4"."""
    digits, _, power = f"{rate:.1e}".partition("e")
    return f"{digits}e{int(power)}"


@contextmanager
def _stop_after_batch(run: Run) -> Iterator[None]:
    """Let Ctrl-C stop the run after the current batch, and a second Ctrl-C stop it at once."""

    def stop(number: int, frame: Any) -> None:
        if run.evaluating:
            raise KeyboardInterrupt(run.resume_hint())
        run.stopped = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
