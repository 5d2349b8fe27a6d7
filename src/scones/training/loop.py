"""The training loop of fine-tuning, one step at a time, and its checkpoint. Needs the ``train`` extra (torch)."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from scones.errors import TrainingError
from scones.store import disk_error
from scones.training.augmentation import augment
from scones.training.averaging import follow
from scones.training.head import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.training.finetuning import FineTuning, Pictures
    from scones.training.trainable import Trainable

__all__ = ["Run"]

_WARM_UP = 0.1
_KEEP = 0.95  # of the averaged weights, a step
_AT_ONCE = 64  # pictures that are only looked at
_UNREADABLE = (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError)


class Run:
    """A network that learns, and everything that a checkpoint holds of it.

    All randomness comes from the seed, the epoch and the step, so that no generator has to be kept.

    Attributes:
        epoch: the one that is going on, from 1; 0 before :meth:`end_epoch` was called once.
        step: steps that were taken in it.
        best: the epoch with the lowest validation loss.
        rows: the learning curve.
    """

    def __init__(
        self,
        trainable: Trainable,
        classes: int,
        how: FineTuning,
        seed: int,
        folder: Path,
        about: dict[str, Any],
        *,
        device: str | None,
        clock: Callable[[], float],
    ) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.trainable, self.how, self.seed, self.folder, self.about = trainable, how, seed, folder, about
        blank = np.zeros((1, trainable.size, trainable.size, 3), np.uint8)
        trainable.network.to(self.device)
        self.answer = trainable.averaged()
        head = nn.Linear(self.embed(blank).shape[1], classes).to(self.device)
        self.average = nn.Sequential(trainable.network, head)
        self.net = copy.deepcopy(self.average)
        self.optimizer = torch.optim.AdamW(
            [{"params": [p for p in part.parameters() if (p.ndim > 1) == decays], "lr": rate,
              "weight_decay": how.weight_decay if decays else 0.0}
             for part, rate in zip(self.net, (how.rate, how.head_rate), strict=True)
             for decays in (True, False)]
        )  # fmt: skip
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.best_weights: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.epoch = self.step = self.best = 0
        self.total = 0.0
        self.clock, self.started = clock, clock()
        self.mark = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's file: named by what it is of, so that another training never takes its place."""
        return self.folder / f"checkpoint-{self.mark}.pt"

    def embed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings, float32 (N, D), of pictures, uint8 (N, size, size, 3)."""
        self.trainable.network.eval()
        with torch.no_grad():
            parts = [
                self.answer(torch.from_numpy(images[start : start + _AT_ONCE]).to(self.device)).cpu()
                for start in range(0, len(images), _AT_ONCE)
            ]
        return np.asarray(torch.cat(parts).numpy())

    def begin(self, head: Head) -> None:
        """Start with a fitted head."""
        with torch.no_grad():
            for net in (self.net, self.average):
                net[1].weight.copy_(torch.from_numpy(head.weights.T))
                net[1].bias.copy_(torch.from_numpy(head.bias))

    def steps(self, pictures: Pictures) -> int:
        """Steps of an epoch; pictures that fill no batch have their turn in another one."""
        return max(1, len(pictures.train) // self.how.batch)

    def take_step(self, pictures: Pictures) -> None:
        """Learn from the next batch.

        Raises:
            TrainingError: the loss is no number.
        """
        steps = self.steps(pictures)
        rng = np.random.default_rng((self.seed, self.epoch, self.step))
        torch.manual_seed(int(rng.integers(2**62)))  # for dropout
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(pictures.train))
        rows = order[self.step * self.how.batch : (self.step + 1) * self.how.batch]
        done = (self.epoch - 1 + self.step / steps) / self.how.epochs
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * min(1.0, (done + 1e-3) / _WARM_UP) * (1 - done)
        images = torch.from_numpy(pictures.train[rows]).to(self.device)
        labels = torch.from_numpy(pictures.train_labels[rows]).to(self.device)
        self.net.train()
        loss = nn.functional.cross_entropy(self.net(augment(images, rng)), labels)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss of epoch {self.epoch} is no number: use a smaller rate than {self.how.rate:g} with --rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        follow(self.average, self.net, keep=_KEEP)
        self.total += loss.item()
        self.step += 1

    def end_epoch(self, pictures: Pictures, report: Callable[[dict[str, Any]], None]) -> None:
        """Measure on the validation pictures, keep the best weights, and write the checkpoint."""
        logits = self.head().logits(self.embed(pictures.held))
        loss = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(pictures.held_labels))
        row = {
            "epoch": self.epoch,
            "loss": round(self.total / self.step, 5) if self.step else None,
            "validation_loss": round(float(loss), 5),
            "validation_accuracy": round(float((logits.argmax(1) == pictures.held_labels).mean()), 5),
            "seconds": round(self.clock() - self.started, 1),
        }
        if not self.rows or row["validation_loss"] < self.rows[self.best]["validation_loss"]:
            self.best, self.best_weights = self.epoch, copy.deepcopy(self.average.state_dict())
        self.rows.append(row)
        self.epoch, self.step, self.total = self.epoch + 1, 0, 0.0
        self.save()
        report(row)

    def head(self) -> Head:
        """The head as it is now."""
        weight, bias = (p.detach().cpu().numpy().astype(np.float64) for p in self.average[1].parameters())
        return Head(weight.T, bias)

    def take_best(self) -> None:
        """Go back to the weights of the best epoch."""
        self.average.load_state_dict(self.best_weights)
        self.average.cpu().eval()

    def save(self) -> None:
        """Write the checkpoint and the learning curve, each whole or not at all.

        Raises:
            StoreError: the disk is full, or the folder cannot be written.
        """
        state = {
            "about": json.dumps(self.about), "rows": json.dumps(self.rows), "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(), "best_weights": self.best_weights, "best": self.best,
            "epoch": self.epoch, "step": self.step, "total": self.total, "seconds": self.clock() - self.started,
        }  # fmt: skip
        curve = "".join(json.dumps(row) + "\n" for row in self.rows)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self.checkpoint.with_suffix(".part")
            with part.open("wb") as file:
                torch.save(state, file)
            part.replace(self.checkpoint)
            part.write_text(curve)
            part.replace(self.folder / "curve.jsonl")
        except (OSError, RuntimeError) as error:  # torch gives a full disk as a RuntimeError
            cause = error if isinstance(error, OSError) else OSError(0, str(error).split("\n", 1)[0])
            raise disk_error(f"cannot write the checkpoint in {self.folder}", cause) from error

    def resume(self, say: Callable[[str], None]) -> bool:
        """Go on from the folder's checkpoint, if there is one of this very training."""
        if not self.checkpoint.is_file():
            for path in sorted(self.folder.glob("checkpoint-*.pt")):
                say(f"{path} is of another {', '.join(self._otherwise(path))}: it stays, and this training starts anew")
            return False
        try:
            state = self._load(self.checkpoint)
        except _UNREADABLE as error:
            say(f"{self.checkpoint} cannot be read ({' '.join(str(error).split())[:120]}): starting anew")
            return False
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best_weights, self.rows = state["best_weights"], json.loads(state["rows"])
        self.best, self.epoch, self.step = state["best"], state["epoch"], state["step"]
        self.total, self.started = state["total"], self.clock() - state["seconds"]
        say(f"going on from {self.checkpoint}, epoch {self.epoch}")
        return True

    def _load(self, path: Path) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if json.loads(state["about"]) != self.about:
            raise ValueError("it is of another training")
        return state

    def _otherwise(self, path: Path) -> list[str]:
        """In what a checkpoint's training was another one than this."""
        try:
            about = json.loads(torch.load(path, weights_only=True)["about"])
        except _UNREADABLE:
            return ["training"]
        return sorted(key for key in {*about, *self.about} if about.get(key) != self.about.get(key))
