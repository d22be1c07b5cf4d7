"""One photo: the verdict, the pictures, and the figures that the verdict rests on."""

from __future__ import annotations

import streamlit as st

from anodice.page.pictures import overlay, picture
from anodice.page.predictions import distance_rows, judged, ratio_sentence, region_rows
from anodice.page.runs import OpenRun
from anodice.page.uploads import escaped, quoted
from anodice.prediction.explanation import Explanation
from anodice.thresholds.threshold import Threshold
from page.loading import class_mean


def show_explanation(run: OpenRun, explanation: Explanation, threshold: Threshold, *, columns: int = 4) -> None:
    """Draw what is known of a photo, judged by a threshold."""
    prediction = judged(explanation.prediction, threshold)
    banner = st.error if prediction.anomalous else st.success
    face = "" if prediction.face is None else f", face {prediction.face}"
    banner(f"{quoted(prediction.name)} is **{escaped(prediction.sentence())}{face}**")
    pictures = {"Photo, as the detector sees it": picture(prediction.photo)}
    if explanation.reconstruction is not None:
        pictures["Reconstruction"] = picture(explanation.reconstruction)
    pictures["Anomaly map over the photo"] = overlay(prediction)
    pictures |= _template(run, explanation)
    shown = list(pictures.items())
    for start in range(0, len(shown), columns):
        for column, (caption, image) in zip(st.columns(columns), shown[start:], strict=False):
            column.image(image, caption=caption, width="stretch")
    if explanation.losses is not None:
        st.info(ratio_sentence(explanation))
    if explanation.distances is not None:
        st.markdown("**Distance to each class, beside the threshold of the class**")
        st.dataframe(distance_rows(explanation, threshold), hide_index=True, height="content")
    if prediction.anomalous and not prediction.regions:
        st.caption("No part of the map reaches the run's pixel threshold: the score is raised by no single place.")
    if prediction.regions:
        st.markdown("**Regions that raise the alarm**, the strangest first, in pixels of the photo as it stands here")
        st.dataframe(region_rows(prediction), hide_index=True)


def _template(run: OpenRun, explanation: Explanation) -> dict:
    """What the detector expects of the class, or else the mean of the class's photos, where they are here."""
    name = explanation.prediction.class_name
    if explanation.template is not None:
        return {f"Template of {name}": picture(explanation.template)}
    mean = None if name is None else class_mean(run, name)
    if mean is None:
        return {}
    return {f"Mean of {mean[1]} normal validation photos of {name}, which the detector does not use": picture(mean[0])}
