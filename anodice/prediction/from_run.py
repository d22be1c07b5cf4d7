"""The network and the settings of a run folder, for predicting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anodice.app import run_folder
from anodice.app.files import check, read_json
from anodice.data.transforms import EvaluationTransform
from anodice.errors import AnodiceError
from anodice.evaluation.map_scale import MapScale
from anodice.evaluation.run_results import THRESHOLDS, read_thresholds
from anodice.models.detector import Detector
from anodice.models.loading import load_detector
from anodice.prediction.facts import PREDICTION
from anodice.prediction.network import Network, Outputs
from anodice.prediction.settings import Settings
from anodice.scoring.grounds import Grounds
from anodice.thresholds.threshold import Threshold

EVALUATIONS = "evaluations"


def load(
    run: str | Path, threshold: str | float | Threshold | None, *, log_dir: Path, device: str | None
) -> tuple[Network, Settings]:
    """See `Predictor.from_run`."""
    folder = run_folder.find_run(str(run), log_dir)
    config = run_folder.read_plain_config(folder)
    thresholds = read_thresholds(folder)
    others = sorted((folder / EVALUATIONS).glob(f"*/{THRESHOLDS}"))
    more = {path.parent.name: read_thresholds(path.parent).chosen for path in others}
    told = read_json(folder, PREDICTION, {"turned": bool, "faces": dict, "map": dict})
    best = check(folder, run_folder.BEST)
    detector = load_detector(config["model"], best, data=config["data"], accelerator=config["trainer"]["accelerator"])
    if not detector.is_fitted:
        raise AnodiceError(
            f"expected a detector that has seen its photos, but the training of {folder} was ended before that; finish "
            f"it with python train.py resume={folder}, or run python evaluate.py run={folder} where the photos are."
        )
    settings = Settings(
        run=folder.absolute().name,
        model=config["name"]["model"],
        data=config["name"]["data"],
        image_size=config["data"]["image_size"],
        in_channels=config["data"]["in_channels"],
        shape_to_square=config["data"].get("shape_to_square", "squash"),  # runs from before there was a choice
        tile=config["data"].get("tile"),
        orientation=config["data"].get("orientation") if told["turned"] else None,
        classes=detector.classes or (),
        faces=told["faces"],
        scale=MapScale.from_dict(told["map"]),
        thresholds=thresholds,
        threshold=thresholds.chosen,
    )
    return DetectorNetwork(detector.to(device)), settings.with_threshold(threshold, more)


class DetectorNetwork:
    """A detector as a `Network`."""

    def __init__(self, detector: Detector) -> None:
        self.detector, self.transform = detector.eval(), EvaluationTransform()

    @torch.inference_mode()
    def __call__(self, photos: NDArray[np.uint8]) -> Outputs:
        found = self.detector(self._images(photos))
        classes = None if found.classes is None else found.classes.cpu().numpy()
        return Outputs(found.maps[:, 0].float().cpu().numpy(), found.scores.cpu().numpy(), classes)

    @torch.inference_mode()
    def grounds(self, photos: NDArray[np.uint8]) -> Grounds[NDArray]:
        """What the detector compares photos (N, S, S, C) with, as arrays."""
        if photos.shape[1:3] != (self.detector.image_size, self.detector.image_size):  # tiles have no common ground
            return Grounds()
        found = self.detector.grounds(self._images(photos))
        return Grounds(*(None if part is None else part.cpu().numpy() for part in found))

    def _images(self, photos: NDArray[np.uint8]) -> Tensor:
        """(N, C, S, S) float32 in [0, 1], where the detector is."""
        return self.transform(torch.from_numpy(photos).to(self.detector.device))
