"""Photos that are dropped or picked: their verdicts, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from anodice.page.predictions import as_csv, judged, rows, worst_first
from anodice.page.runs import OpenRun
from anodice.page.uploads import refusal
from anodice.prediction.explanation import Explanation
from anodice.prediction.prediction import Prediction, Unreadable
from page.explained import show_explanation
from page.loading import examples, explained, explained_own
from page.threshold import choose_threshold

TYPES = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"]
"""Of files that can be dropped; what is in them is found out from their bytes."""


def photos_tab(run: OpenRun) -> None:
    """Draw the tab."""
    found = _chosen(run)
    for one in found:
        if isinstance(one, Unreadable):
            st.error(refusal(one))
    explanations = [one for one in found if isinstance(one, Explanation)]
    threshold = choose_threshold(run, [one.prediction.score for one in explanations])
    if len(explanations) > 1:
        explanations = [_picked(explanations, [judged(one.prediction, threshold) for one in explanations])]
    for one in explanations:
        show_explanation(run, one, threshold)


def _chosen(run: OpenRun) -> list[Explanation | Unreadable]:
    files = st.file_uploader("Drop photos here", type=TYPES, accept_multiple_files=True, key="files")
    sent = [explained(run, (file.name, file.getvalue())) for file in files]
    paths = examples(run)
    picked = st.multiselect("or pick some that the run was tested on", paths, key="picked") if paths else []
    return sent + [explained_own(run, path) for path in picked]


def _picked(explanations: Sequence[Explanation], predictions: Sequence[Prediction]) -> Explanation:
    """The table of all photos, and the one whose row was clicked: the strangest until then."""
    table = rows(predictions)
    anomalous = sum(one.anomalous for one in predictions)
    st.subheader(f"{anomalous} of {len(predictions)} photos are anomalous")
    event = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"table-{len(table)}"
    )
    st.download_button("Download predictions.csv", as_csv(predictions), "predictions.csv", "text/csv")
    st.caption("Click at the left of a row to look at that photo.")
    return explanations[worst_first(predictions)[(event.selection.rows or [0])[0]]]
