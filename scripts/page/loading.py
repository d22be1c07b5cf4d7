"""What is kept between two clicks: opened runs, decoded and explained photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from anodice.page import own_photos
from anodice.page.runs import OpenRun, open_run, stamp
from anodice.page.uploads import read_upload
from anodice.prediction.explanation import Explanation
from anodice.prediction.prediction import Unreadable

Sent = tuple[str, bytes]
"""A name and what was sent under it."""

_BY_STAMP = {OpenRun: lambda run: run.stamp}


def opened(folder: Path) -> OpenRun:
    """The run, loaded again when its files have changed.

    Raises:
        AnodiceError: the run is not whole.
    """
    return _opened(folder, stamp(folder))


@st.cache_resource(max_entries=4, show_spinner="Loading the run")
def _opened(folder: Path, stamped: str) -> OpenRun:
    return open_run(folder)


@st.cache_resource(max_entries=256, show_spinner="Scoring", hash_funcs=_BY_STAMP)
def explained(run: OpenRun, sent: Sent) -> Explanation | Unreadable:
    """What the run's detector says of a photo that was sent."""
    photo = read_upload(*sent, run.predictor.settings)
    return photo if isinstance(photo, Unreadable) else run.predictor.explain(photo)


def explained_own(run: OpenRun, path: str, *, owner: OpenRun | None = None) -> Explanation | Unreadable:
    """What it says of a photo that the run, or another one that owns it, was tested on."""
    data = own_photos.read_own(owner or run, path)
    return data if isinstance(data, Unreadable) else explained(run, (path, data))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_STAMP)
def class_mean(run: OpenRun, class_name: str) -> tuple[NDArray[np.uint8], int] | None:
    """See `own_photos.class_mean`."""
    return own_photos.class_mean(run, class_name)


@st.cache_data(max_entries=8, show_spinner=False, hash_funcs=_BY_STAMP)
def examples(run: OpenRun) -> list[str]:
    """See `own_photos.examples`."""
    return own_photos.examples(run)
