"""One photo against the templates of a run, worked through: `python scripts/compare_photo.py run=RUN photo=FILE`.

It prints the distance to each class beside the threshold of that class, the verdicts of the two rules that earlier
projects had (anomalous beyond any threshold, or beyond all of them), and boxes around what differs from the template,
by Otsu's method, and draws them. The run is one that compares, such as those of experiment=seeds/template_mse and
seeds/wrapped_mse; of one that reconstructs there are only the boxes, against the reconstruction.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anodice import Predictor
from anodice.app import run_folder
from anodice.app.arguments import TOLD, as_options
from anodice.baselines.difference_boxes import Difference, difference_boxes
from anodice.errors import AnodiceError
from anodice.prediction.explanation import Explanation
from anodice.prediction.photos import read_photo
from anodice.prediction.prediction import Unreadable
from anodice.reporting.markdown import markdown_table
from anodice.reporting.plots.compared import compared
from anodice.thresholds.threshold import Threshold

FOLDER = "compared"
"""Of the pictures, in the run folder."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(as_options(parser, sys.argv[1:] if arguments is None else arguments))
    try:
        print(report(options))
    except AnodiceError as error:
        parser.exit(2, f"error: {error}\n")


def report(options: argparse.Namespace) -> str:
    """What was found; writes the picture."""
    run = run_folder.find_run(options.run.removeprefix("run="), options.log_dir)
    predictor = Predictor.from_run(run, threshold=options.threshold, log_dir=options.log_dir)
    settings = predictor.settings
    photo = read_photo(options.photo.expanduser(), image_size=settings.frame, in_channels=settings.in_channels)
    if isinstance(photo, Unreadable):
        raise AnodiceError(f"expected a photo, but {photo.name} {photo.reason}; give another file.")
    explanation = predictor.explain(photo)
    told = [f"{options.photo}: {explanation.prediction.sentence()}", *distances(explanation, predictor.threshold)]
    expected, name = _expected(explanation)
    if expected is None:
        return "\n\n".join(
            [*told, f"{settings.model} shows neither template nor reconstruction to draw boxes against."]
        )
    seen = _grey(explanation.prediction.photo)
    found = difference_boxes(seen, expected, least_area=options.least_area)
    picture = options.output if options.output is not None else run / FOLDER / f"{options.photo.stem}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    title = f"{options.photo.name}\n{explanation.prediction.sentence()}"
    names = ("photo, as the detector sees it", name)
    compared(seen, expected, found.similarity, found.boxes, names=names, title=title).savefig(picture, dpi=150)
    return "\n\n".join([*told, boxes(found, name), f"written to {run_folder.readable(picture.absolute())}"])


def distances(explanation: Explanation, threshold: Threshold) -> list[str]:
    """The table of distances and thresholds, class by class, and what the two rules say; nothing without distances."""
    if explanation.distances is None:
        return []
    own = explanation.prediction.class_name
    rows, beyond = [["class", "distance", "threshold", "", ""]], 0
    for one in explanation.distances:
        is_beyond = bool(threshold.flags([one.distance / one.unit], [one.class_name])[0])
        beyond += is_beyond
        words = ("beyond" if is_beyond else "inside", "taken for" if one.class_name == own else "")
        rows.append([one.class_name, f"{one.distance:.4g}", f"{one.limit(threshold):.4g}", *words])
    count = len(explanation.distances)
    verdicts = ["anomalous" if flag else "normal" for flag in (beyond > 0, beyond == count)]
    rules = f"{beyond} of {count} beyond: beyond any is {verdicts[0]}, beyond all is {verdicts[1]}"
    return [markdown_table(rows), f"{rules}; thresholds of {threshold.sentence()}"]


def boxes(found: Difference, name: str) -> str:
    """A line for each box."""
    if found.cut is None:
        return f"nothing differs from the {name}"
    lines = [f"  {left}, {top} to {right}, {bottom}" for left, top, right, bottom in found.boxes]
    head = f"{len(lines)} {'part' if len(lines) == 1 else 'parts'} differ from the {name}, in pixels, largest first"
    return "\n".join([f"{head} (cut at {found.cut} of 255)", *lines])


def _expected(explanation: Explanation) -> tuple[NDArray[np.uint8] | None, str]:
    """What the detector expects of the photo, (H, W), and its name."""
    if explanation.template is not None:
        return _grey(explanation.template), f"template of {explanation.prediction.class_name}"
    if explanation.reconstruction is not None:
        return _grey(explanation.reconstruction), "reconstruction"
    return None, ""


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) -> (H, W)."""
    return np.rint(picture.mean(2)).astype(np.uint8)


def _threshold(word: str) -> str | float:
    """A value, or the name of a rule."""
    try:
        return float(word)
    except ValueError:
        return word


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[2], epilog=TOLD)
    parser.add_argument("run", metavar="run=RUN", help="a run folder, a name under the logs, or latest")
    parser.add_argument("--photo", type=Path, required=True, metavar="FILE", help="the photo, also as photo=FILE")
    parser.add_argument("--threshold", type=_threshold, help="another rule of the run, or a value (its own)")
    parser.add_argument("--least-area", type=int, default=40, help="pixels above which a part gets a box (%(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE.png", help=f"the picture ({FOLDER}/ in the run folder)")
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
