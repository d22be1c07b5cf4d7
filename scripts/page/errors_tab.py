"""What the run got wrong on its test photos, one by one where they are here, and its galleries."""

from __future__ import annotations

import streamlit as st

from anodice.page.own_photos import errors, photo_root
from anodice.page.runs import OpenRun
from anodice.page.uploads import escaped, quoted, refusal
from anodice.prediction.prediction import Unreadable
from page.explained import show_explanation
from page.loading import explained_own


def errors_tab(run: OpenRun) -> None:
    """Draw the tab."""
    threshold = run.predictor.threshold
    wrong = list(errors(run.scores.published, threshold))
    tested = len(run.scores.published)
    st.caption(f"{len(wrong)} of {tested} test photos are judged wrongly by {escaped(threshold.sentence())}.")
    _galleries(run)
    if not wrong:
        st.success("No test photo is judged wrongly.")
    elif photo_root(run) is None:
        st.info("The photos of this run are not on this machine, so there are only the pictures above.")
    else:
        _one_by_one(run, wrong)


def _galleries(run: OpenRun) -> None:
    found = run.galleries()
    if not found:
        st.info(f"There are no pictures yet; python evaluate.py run={quoted(str(run.folder))} draws them.")
        return
    title = st.segmented_control("Gallery", list(found), default=next(iter(found)), key=f"gallery-{run.folder}")
    st.image(str(found[title or next(iter(found))]), width="stretch")


def _one_by_one(run: OpenRun, wrong: list[tuple[str, str]]) -> None:
    st.subheader("One by one")
    key = f"error-{run.folder}"
    place = min(st.session_state.get(key, 0), len(wrong) - 1)
    back, words, on = st.columns([1, 3, 1], vertical_alignment="center")
    back.button("Previous", disabled=place == 0, on_click=_go, args=(key, place - 1), width="stretch")
    on.button("Next", disabled=place == len(wrong) - 1, on_click=_go, args=(key, place + 1), width="stretch")
    path, kind = wrong[place]
    words.markdown(f"{place + 1} of {len(wrong)}: **{kind}** {quoted(path)}")
    found = explained_own(run, path)
    if isinstance(found, Unreadable):
        st.error(refusal(found))
    else:
        show_explanation(run, found, run.predictor.threshold)


def _go(key: str, place: int) -> None:
    st.session_state[key] = place
