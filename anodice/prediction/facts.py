"""What a run folder keeps for predicting, besides its config, weights and thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anodice.evaluation.map_scale import fit_map_scale

if TYPE_CHECKING:
    from anodice.data.photos import Photos
    from anodice.evaluation.inference import ScoredPhotos

PREDICTION = "prediction.json"


def prediction_facts(scored: ScoredPhotos, photos: Photos) -> dict[str, Any]:
    """What `prediction.json` holds: whether photos are turned, the faces of classes, and the scale of the maps."""
    from anodice.reporting.visualise import SCALE, normal_range

    records = photos.records
    normals = [i for i in photos.split.validation if not records[i].anomalous]
    low, high = normal_range(scored, photos)
    colours = tuple(low + share * (high - low) for share in SCALE)
    scale = fit_map_scale((scored.maps_of([i])[0] for i in normals), colours=colours)
    faces = {r.class_name: r.face for r in records if r.face is not None}
    return {"turned": photos.turned, "faces": dict(sorted(faces.items())), "map": scale.as_dict()}
