"""The threshold that verdicts are made with: a slider over the scores of the run's validation photos."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from anodice.page.histogram import histogram
from anodice.page.runs import OpenRun
from anodice.page.thresholds import at_value, figures, figures_sentence, offered, reached, span
from anodice.thresholds.threshold import Threshold


def choose_threshold(run: OpenRun, photos: Sequence[float]) -> Threshold:
    """Draw histogram, slider and figures; the threshold that was chosen.

    Args:
        photos: scores of the photos that are looked at.
    """
    validation, fitted = run.scores.validation, offered(run.predictor.settings.thresholds)
    key = f"cut-{run.folder}"
    low, high, step = span([*validation.score.tolist(), *photos], fitted)
    chosen = st.session_state.get(key, run.predictor.threshold.value)
    low, high = min(low, chosen), max(high, chosen)
    st.session_state[key] = chosen
    left, right = st.columns([3, 2])
    with right:
        value = st.slider("Threshold", low, high, step=step, format="%.4g", key=key)
        threshold = at_value(value, fitted)
        with st.container(horizontal=True):  # stays in a row where the page is narrow
            for name, one in fitted.items():
                st.button(name, key=f"{key}-{name}", on_click=_set, args=(key, one.value))
        with st.container(horizontal=True):
            for name, figure in figures(reached(threshold, validation)).items():
                st.metric(name, figure, width="content")
        st.caption(figures_sentence(threshold, validation))
        if threshold.by_class is not None:
            st.caption("Each class has a threshold of its own; the slider sets one for all.")
    with left:
        st.vega_lite_chart(spec=histogram(validation, fitted, threshold.value, photos), width="stretch")
    return threshold


def _set(key: str, value: float) -> None:
    st.session_state[key] = value
