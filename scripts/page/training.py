"""What people see who have no run yet: a training to start, and how far it is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anodice.page.first_training import RECIPES, FirstTraining
from anodice.page.uploads import quoted


def training_goes_on() -> bool:
    """Whether this page has started a training that has not been looked at to its end."""
    return bool(_started())


def offer_training(log_dir: Path) -> None:
    """Draw a button that starts a training on drawn dice, or how far the one is that was started."""
    if _started():
        _follow()
        return
    st.markdown(f"There is no finished run under {quoted(str(log_dir.absolute()))} yet. Train one on drawn dice:")
    recipe = st.radio("Training", list(RECIPES), label_visibility="collapsed")
    if st.button("Train", type="primary"):
        _started().append(FirstTraining(log_dir, RECIPES[recipe]))
        st.rerun()
    st.caption("With photos of your own, normal ones in DIR/good and strange ones in DIR/bad:")
    st.code("python train.py data=folder data.root=DIR data.layout.normal=[good] data.layout.anomalous=[bad]")


@st.cache_resource
def _started() -> list[FirstTraining]:
    """The training that goes on, none or one: all visitors of the page see the same."""
    return []


@st.fragment(run_every=1.0)
def _follow() -> None:
    if not _started():
        st.rerun()
    progress = _started()[0].progress()
    st.progress(progress.share, text=progress.stage if progress.running else None)
    if progress.running:
        return
    if progress.failed:
        st.error(progress.stage)
    if not progress.failed or st.button("Try again"):
        _started().clear()
        st.rerun()
