"""The same photo by two runs, side by side."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anodice.errors import AnodiceError
from anodice.page.runs import OpenRun
from anodice.page.uploads import escaped, quoted, refusal
from anodice.prediction.explanation import Explanation
from anodice.prediction.prediction import Unreadable
from page.explained import show_explanation
from page.loading import examples, explained, explained_own, opened
from page.photos_tab import TYPES


def two_runs_tab(runs: dict[str, Path], name: str) -> None:
    """Draw the tab, beginning with the run at the side."""
    if len(runs) < 2:
        st.info("There is only one run yet; train another one, such as `python train.py model=conv_ae`.")
        return
    others = [other for other in runs if other != name]
    second = st.selectbox("Compare with", others, key="second")
    try:
        sides = {name: opened(runs[name]), second: opened(runs[second])}
    except AnodiceError as error:
        st.error(escaped(str(error)))
        return
    file = st.file_uploader("Drop a photo here", type=TYPES, key="compared")
    paths = examples(sides[name])
    path = st.selectbox("or pick one", paths, index=None, key="compared-own") if paths and file is None else None
    if file is None and path is None:
        return
    for column, (title, run) in zip(st.columns(2), sides.items(), strict=True):
        sent = None if file is None else (file.name, file.getvalue())
        found = explained_own(run, path, owner=sides[name]) if sent is None else explained(run, sent)
        with column:
            st.markdown(f"#### {quoted(title)}")
            _show(run, found)


def _show(run: OpenRun, found: Explanation | Unreadable) -> None:
    if isinstance(found, Unreadable):
        st.error(refusal(found))
        return
    threshold = run.predictor.threshold
    st.caption(escaped(threshold.sentence()))
    show_explanation(run, found, threshold, columns=2)
