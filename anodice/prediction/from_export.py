"""The network and the settings of an exported model, for predicting; torch is only needed for `.pt2` files."""

from __future__ import annotations

import importlib
import importlib.util
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anodice.app.process import cores
from anodice.errors import AnodiceError
from anodice.prediction.exported import METADATA, OUTPUTS, PHOTOS, SUFFIXES, settings_of
from anodice.prediction.network import Network, Outputs
from anodice.prediction.settings import Settings
from anodice.thresholds.threshold import Threshold


def load(file: str | Path, threshold: str | float | Threshold | None, *, trusted: bool) -> tuple[Network, Settings]:
    """See `Predictor.from_export`."""
    path = Path(file).expanduser()
    kind = {suffix: name for name, suffix in SUFFIXES.items()}.get(path.suffix)
    if kind is None or not path.is_file():
        what = "is no file" if kind is not None else f"ends with {path.suffix or 'nothing'}"
        raise AnodiceError(
            f"expected a model that export.py has written ({', '.join(SUFFIXES.values())}), got {path}, which {what}."
        )
    if kind == "torch_export" and not trusted:
        raise AnodiceError(
            f"expected trusted=True for {path}: torch may run code that is hidden in such a file; say so of a file "
            "that you have made yourself, or export the run with format=onnx."
        )
    network, about, shape = _RUNTIMES[kind](path)
    settings = settings_of(about, path)
    expected = (settings.frame.height, settings.frame.width, settings.in_channels)
    if tuple(shape) != expected:
        raise AnodiceError(f"expected {path} to take photos of {expected}, as it tells, but its graph takes {shape}.")
    if settings.orientation is not None and importlib.util.find_spec("torch") is None:
        raise AnodiceError(
            f"expected torch, with which the photos of {path} are turned upright first, but it is not installed; "
            "pip install torch, or turn them yourself and export a run on upright photos."
        )
    return network, settings.with_threshold(threshold, {})


class OnnxNetwork:
    """An ONNX Runtime session as a `Network`."""

    def __init__(self, session: Any) -> None:
        self.session, self.names = session, [output.name for output in session.get_outputs()]

    def __call__(self, photos: NDArray[np.uint8]) -> Outputs:
        return _outputs(dict(zip(self.names, self.session.run(None, {PHOTOS: photos}), strict=True)))


class OpenVinoNetwork:
    """A compiled OpenVINO model as a `Network`."""

    def __init__(self, compiled: Any) -> None:
        self.compiled, self.names = compiled, [output.any_name for output in compiled.outputs]

    def __call__(self, photos: NDArray[np.uint8]) -> Outputs:
        found = self.compiled({PHOTOS: photos})
        # They lie in memory that the next call writes to.
        return _outputs({name: np.array(found[name]) for name in self.names})


class TorchNetwork:
    """A module of torch's export as a `Network`."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __call__(self, photos: NDArray[np.uint8]) -> Outputs:
        import torch

        with torch.inference_mode():
            found = self.module(torch.from_numpy(np.ascontiguousarray(photos)))
        return _outputs({name: values.numpy() for name, values in zip(OUTPUTS, found, strict=False)})


def _onnx(path: Path) -> tuple[Network, str | None, Sequence[Any]]:
    runtime = _installed("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 4  # what is wrong is told in a sentence of ours
    try:
        session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base of their own
        raise _damaged(path, error) from error
    inputs = session.get_inputs()
    _check_names(path, [i.name for i in inputs], [o.name for o in session.get_outputs()])
    return OnnxNetwork(session), session.get_modelmeta().custom_metadata_map.get(METADATA), inputs[0].shape[1:]


def _openvino(path: Path) -> tuple[Network, str | None, Sequence[Any]]:
    runtime = _installed("openvino", "openvino")
    # Some processors would compute in bfloat16.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores()}
    try:
        core = runtime.Core()
        model = core.read_model(path)
        about = model.get_rt_info(METADATA).astype(str) if model.has_rt_info(METADATA) else None
        _check_names(path, [i.any_name for i in model.inputs], [o.any_name for o in model.outputs])
        shape = [int(d.get_length()) if d.is_static else -1 for d in list(model.inputs[0].partial_shape)[1:]]
        return OpenVinoNetwork(core.compile_model(model, "CPU", settings)), about, shape
    except AnodiceError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error


def _torch_export(path: Path) -> tuple[Network, str | None, Sequence[Any]]:
    torch = _installed("torch", "")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/extra/{METADATA}")]
            about = archive.read(names[0]).decode() if names else None
        settings_of(about, path)  # a file of others is not even loaded
        program = torch.export.load(path)
    except AnodiceError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error
    photos = next(node for node in program.graph.nodes if node.name == program.graph_signature.user_inputs[0])
    return TorchNetwork(program.module()), about, [int(length) for length in photos.meta["val"].shape[1:]]


_RUNTIMES = {"onnx": _onnx, "openvino": _openvino, "torch_export": _torch_export}


def _outputs(found: Mapping[str, NDArray[Any]]) -> Outputs:
    maps, scores, classes = OUTPUTS
    return Outputs(found[maps], found[scores], found.get(classes))


def _installed(package: str, extra: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        what = f"'anodice[{extra}]'" if extra else package
        raise AnodiceError(
            f"expected {package} to score with this file, which is not installed; pip install {what}."
        ) from error


def _check_names(path: Path, inputs: list[str], outputs: list[str]) -> None:
    if inputs != [PHOTOS] or outputs not in (list(OUTPUTS), list(OUTPUTS[:2])):
        raise AnodiceError(
            f"expected a model that export.py has written, got {path}, which takes {', '.join(inputs) or 'nothing'} "
            f"and gives {', '.join(outputs) or 'nothing'}."
        )


def _damaged(path: Path, error: Exception) -> AnodiceError:
    reason = " ".join((str(error) or type(error).__name__).split())[:200]
    return AnodiceError(f"expected a whole model in {path}, which cannot be loaded ({reason}); export the run again.")
