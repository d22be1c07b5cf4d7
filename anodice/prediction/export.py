"""Writing a detector as a file that scores photos without this package's code: transform to scores in one graph."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from anodice.data.frame import Frame
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError, first_line
from anodice.models.detector import Detector
from anodice.prediction.exported import METADATA, OUTPUTS, PHOTOS, told
from anodice.prediction.settings import Settings


class Graph(nn.Module):
    """Photos (N, S, S, C) uint8, upright -> maps (N, S, S) float32, scores (N,) float64, and classes (N,) int64.

    The last only of a detector that tells classes apart.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.transform, self.detector = EvaluationTransform(), detector

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        images = self.transform(photos)
        whole = images.shape[2:] == (self.detector.image_size, self.detector.image_size)
        found = self.detector.assess(images) if whole else self.detector.assess_tiles(images)
        scores = (found.maps[:, 0].float(), found.scores.double())
        return scores if found.classes is None else (*scores, found.classes)


def export(detector: Detector, settings: Settings, file: Path, *, format: str) -> None:  # noqa: A002 (its name outside)
    """Write a fitted detector on the CPU as a graph for any number of photos.

    Args:
        settings: of its run; they go into the file.
        format: one of `WRITERS`.

    Raises:
        AnodiceError: a package that writes the format is not installed, or the detector is no graph.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            WRITERS[format](traced(detector.eval(), settings.frame), file, told(settings))
    except ImportError as error:
        raise AnodiceError(
            f"expected {error.name} to export with format={format}, which is not installed; "
            f"pip install 'anodice[{'openvino,' if format == 'openvino' else ''}export]'."
        ) from error


def traced(detector: Detector, frame: Frame | None = None) -> ExportedProgram:
    """The graph of a detector.

    Args:
        frame: of the photos; None for the images of the detector.

    Raises:
        AnodiceError: it does what no graph can hold.
    """
    size = Frame.of(detector.image_size) if frame is None else frame
    shape = (2, size.height, size.width, detector.in_channels)
    photos = torch.zeros(shape, dtype=torch.uint8, device=detector.device)
    try:
        with torch.no_grad():
            return torch.export.export(Graph(detector), (photos,), dynamic_shapes=({0: Dim(PHOTOS)},))
    except Exception as error:  # all sorts of errors of torch
        raise _no_graph(detector, error) from error


def _onnx(graph: ExportedProgram, file: Path, about: str) -> None:
    file.write_bytes(_onnx_bytes(graph, about))


def _openvino(graph: ExportedProgram, file: Path, about: str) -> None:
    import openvino

    # By way of ONNX: OpenVINO's own reading of torch's graphs reports its use over the network, unless told not to.
    model = openvino.Core().read_model(_onnx_bytes(graph, about))
    model.set_rt_info(about, METADATA)
    openvino.save_model(model, file, compress_to_fp16=False)


def _torch_export(graph: ExportedProgram, file: Path, about: str) -> None:
    torch.export.save(graph, file, extra_files={METADATA: about})


WRITERS: dict[str, Callable[[ExportedProgram, Path, str], None]] = {
    "onnx": _onnx,
    "openvino": _openvino,
    "torch_export": _torch_export,
}


def _onnx_bytes(graph: ExportedProgram, about: str) -> bytes:
    import onnxscript  # noqa: F401 (torch's errors do not say what is missing)

    outputs = OUTPUTS[: len(graph.graph_signature.user_outputs)]
    for writer in ("torch.onnx", "onnxscript", "onnx_ir"):  # they tell of each node
        logging.getLogger(writer).setLevel(logging.ERROR)
    try:
        found = torch.onnx.export(graph, input_names=[PHOTOS], output_names=outputs, external_data=False, verbose=False)
    except torch.onnx.errors.OnnxExporterError as error:
        raise AnodiceError(f"expected a graph that ONNX can hold, but {first_line(error)}") from error
    model = found.model_proto
    for node in model.graph.node:  # they hold the lines of the code and where it lay
        del node.metadata_props[:]
    model.metadata_props.add(key=METADATA, value=about)
    return model.SerializeToString()


def _no_graph(detector: Detector, error: Exception) -> AnodiceError:
    return AnodiceError(
        f"expected a detector that can be written as a graph, but {type(detector).__name__} cannot "
        f"({first_line(error)}); use predict.py or Predictor.from_run for it."
    )
