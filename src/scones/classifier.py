"""Classify pictures in this process: the very code that the endpoint runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from scones.bundle import BundleInfo, load_bundle
from scones.errors import BundleError
from scones.onnx_runtime import onnx_runtime
from scones.picture import model_input, pixels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Classifier"]


class Classifier:
    """A model bundle, ready to answer.

    Args:
        info: what ``bundle.json`` says.
        model: the bytes of ``model.onnx``.
        threads: processor cores that one call may use.

    Raises:
        BundleError: the graph cannot be loaded or has other inputs or outputs.
    """

    def __init__(self, info: BundleInfo, model: bytes, *, threads: int = 1) -> None:
        runtime = onnx_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base of their own
            raise BundleError(f"model.onnx of {info.version} cannot be loaded ({error}): train it again") from error
        names = [output.name for output in self._session.get_outputs()]
        if names[:2] != ["probabilities", "embedding"]:
            raise BundleError(f"model.onnx of {info.version} gives {names}, not probabilities and embedding")
        self._input = self._session.get_inputs()[0].name
        self.info = info

    @classmethod
    def load(cls, path: Path | str, *, threads: int = 1) -> Classifier:
        """Load a ``model.tar.gz``, or a folder with its contents.

        Raises:
            BundleError: there is none, or it is damaged.
        """
        return cls(*load_bundle(Path(path)), threads=threads)

    def predict(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the model.

        Args:
            batch: uint8 array of shape (N, H, W, 3).

        Returns:
            Probabilities, float32 (N, K), in the order of ``info.labels``; embeddings, float32 (N, D).
        """
        probabilities, embedding = self._session.run(["probabilities", "embedding"], {self._input: batch})
        return probabilities, embedding

    def classify(self, pictures: Sequence[bytes | PIL.Image.Image]) -> list[list[float]]:
        """Classify picture files, or images of any colour mode.

        Each is answered by itself, as the last bits of an answer could hang on what else is in a batch: the endpoint
        answers the very same. Many pictures are quicker with :meth:`predict`.

        Returns:
            For each, the probabilities in the order of ``info.labels``.

        Raises:
            PictureError: one of them is no picture.
        """
        size = self.info.input_size
        inputs = [model_input(p, size) if isinstance(p, bytes) else pixels(p, size) for p in pictures]
        return [self.predict(one[None])[0][0].tolist() for one in inputs]
