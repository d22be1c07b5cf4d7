"""The page: a run at the side, tabs for its photos, for two runs, and for its errors."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anodice.errors import AnodiceError
from anodice.page.runs import usable_runs
from anodice.page.uploads import escaped, quoted
from page.errors_tab import errors_tab
from page.loading import opened
from page.photos_tab import photos_tab
from page.training import offer_training, training_goes_on
from page.two_runs_tab import two_runs_tab


def show(log_dir: Path) -> None:
    """Draw the page; Streamlit calls this anew whenever something was clicked."""
    st.set_page_config(page_title="anodice", page_icon="🎲", layout="wide")
    runs = usable_runs(log_dir)
    if not runs or training_goes_on():
        st.title("anodice")
        offer_training(log_dir)
        return
    with st.sidebar:
        st.title("anodice")
        name = st.selectbox("Run", list(runs), key="run")
        try:
            run = opened(runs[name])
        except AnodiceError as error:
            st.error(escaped(str(error)))
            return
        settings = run.predictor.settings
        st.caption(quoted(name))
        st.caption(
            f"{quoted(settings.model)} on {quoted(settings.data)}, {settings.image_size} x {settings.image_size} pixels"
        )
        st.caption(f"Its threshold: {escaped(settings.threshold.sentence())}.")
        st.caption("A photo is anomalous when its score is at least the threshold.")
    photos, two_runs, errors = st.tabs(["Photos", "Two runs", "Errors of the run"])
    with photos:
        photos_tab(run)
    with two_runs:
        two_runs_tab(runs, name)
    with errors:
        errors_tab(run)
