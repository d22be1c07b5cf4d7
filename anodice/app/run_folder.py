"""The run folder: everything that a training produced, and all that a later command needs; where it is, what it is."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from anodice.app.earlier_configs import in_present_names
from anodice.app.files import checked, damaged, make_folder, read_json, read_text
from anodice.app.process import fastest_precision
from anodice.errors import AnodiceError, first_line, nearest

CONFIG, SPLIT, ENVIRONMENT, CHECKPOINTS = "config.yaml", "split.json", "environment.json", "checkpoints"
BEST, LAST = f"{CHECKPOINTS}/best.ckpt", f"{CHECKPOINTS}/last.ckpt"
FIT = ".fit.json"
"""There from the end of the training until all its figures are written."""

_PACKAGES = ("anodice", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy")


def claim_folder(wanted: str) -> str:
    """Create a folder that nobody else has, numbered where the name is taken: two starts in a second share nothing."""
    path, number = Path(wanted), 1
    make_folder(path.parent, "paths.log_dir")
    while True:
        try:
            path.mkdir()
            return str(path)
        except FileExistsError:
            number += 1
            path = Path(f"{wanted}_{number}")


def run_folder(wanted: str, resume: str | None, log_dir: str) -> str:
    """The folder of a training: the one to resume, or a new one."""
    return claim_folder(wanted) if resume is None else str(find_run(str(resume), Path(log_dir), need=CONFIG))


def remove_unused(run: Path) -> None:
    """Take away the folder of a training that never began, unless somebody else has put something into it."""
    files = list(run.iterdir())
    if all(file.name == "train.log" or file.name.startswith("events.out.tfevents.") for file in files):
        shutil.rmtree(run, ignore_errors=True)


def clear(run: Path) -> None:
    """Take away what a cut or failed training left and the next one in its folder would not write over."""
    shutil.rmtree(run / CHECKPOINTS, ignore_errors=True)
    for left in [*run.glob("events.out.tfevents.*"), run / FIT]:
        left.unlink(missing_ok=True)


def class_names(layout: DictConfig, root: object) -> ListConfig:
    """The names of the normal classes of a layout, in order; some layouts read them from the folders of the root."""
    return ListConfig(list(instantiate(layout)(Path(str(root))).classes))


def channels_of_photos(*, _root_: DictConfig) -> int:
    """3 where the photos of `data` have colour, else 1; a few of them are looked at."""
    data = _root_.data
    if OmegaConf.is_missing(data, "root") or OmegaConf.missing_keys(data.layout):
        return 1  # whoever needs what is missing tells
    root = data.root if isinstance(data.root, str) else instantiate(data.root)
    try:
        return int(get_object("anodice.data.colour.channels_of")(instantiate(data.layout), Path(str(root))))
    except AnodiceError:
        return 1  # whoever reads the photos tells what is wrong with the layout


def chosen(group: str, *, _root_: DictConfig) -> str | None:
    """The option that was chosen in a group; where no program of Hydra runs that knows it, what the option makes."""
    if HydraConfig.initialized():
        return HydraConfig.get().runtime.choices[group]
    part = _root_[group]
    return None if part is None else str(part["_target_"]).rpartition(".")[2]


def register_resolvers() -> None:
    """Teach Hydra's configs `${run_folder:wanted,resume,log_dir}`, `${class_names:layout,root}` and so on.

    Every use of the first in one config gets one folder.
    """
    OmegaConf.register_new_resolver("run_folder", run_folder, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("class_names", class_names, replace=True)
    OmegaConf.register_new_resolver("channels_of_photos", channels_of_photos, replace=True)
    OmegaConf.register_new_resolver("chosen", chosen, replace=True)
    OmegaConf.register_new_resolver("fastest_precision", fastest_precision, replace=True)


def find_run(reference: str, log_dir: Path, *, need: str = BEST) -> Path:
    """The run folder that `reference` means: a path, a folder name under the logs, or `latest`.

    Args:
        need: the file that makes a run usable for the caller; `latest` is the newest run that has it.

    Raises:
        AnodiceError: no such run; the nearest ones are named.
    """
    runs = sorted((p.parent for p in log_dir.rglob(CONFIG)), key=lambda run: (run / CONFIG).stat().st_mtime)
    usable = [run for run in runs if (run / need).is_file()]
    if reference == "latest":
        if not usable:
            raise AnodiceError(
                f"expected a run with {need} under {log_dir.absolute()}, found {len(runs)} run folders and none with "
                f"it; train one with python train.py, or name a folder with run=FOLDER."
            )
        return usable[-1]
    for candidate in (Path(reference), log_dir / "runs" / reference):
        if (candidate / need).is_file():
            return candidate
        if candidate.is_dir():
            there = ", ".join(sorted(p.name for p in candidate.iterdir())[:8]) or "nothing"
            raise AnodiceError(f"expected {need} in the run folder {candidate.absolute()}, found {there}.")
    near = nearest(Path(reference).name, [run.name for run in usable]) or [run.name for run in usable[-3:]]
    known = f"; the nearest runs are {', '.join(near)}" if near else f"; there is no run under {log_dir.absolute()}"
    raise AnodiceError(f"expected a run folder, got '{reference}', which does not exist{known}.")


def find_runs(reference: str, log_dir: Path, *, need: str = BEST) -> list[Path]:
    """As `find_run`; a folder of runs, such as that of a multirun, means all of them."""
    folder = Path(reference)
    if (folder / CONFIG).is_file():
        return [find_run(reference, log_dir, need=need)]
    below = sorted(path.parent for path in folder.rglob(CONFIG) if (path.parent / need).is_file())
    return below or [find_run(reference, log_dir, need=need)]


def read_config(run: Path) -> DictConfig:
    """The resolved config that the run was made with; one of an earlier version is put into present names.

    Raises:
        AnodiceError: it is missing or damaged, or would look something up, such as the environment.
    """
    path = run / CONFIG
    text = read_text(run, CONFIG)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise damaged(path, "it has aliases, by which a small file may claim a large memory")
        told = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError, TypeError) as error:
        raise damaged(path, first_line(error)) from error
    checked(told, path, dict.fromkeys(("model", "data", "trainer"), dict))
    looked_up = next((f"{key}: {value}" for key, value in _words(told) if "${" in value), None)
    if looked_up is not None:
        raise AnodiceError(
            f"expected plain values in {path}, got {looked_up}, which is not looked up; write the value."
        )
    try:
        config = in_present_names(OmegaConf.create(told))
    except (KeyError, TypeError, ValueError, AttributeError, OmegaConfBaseException) as error:
        raise damaged(path, first_line(error)) from error
    checked(OmegaConf.to_container(config), path, _NEEDED)
    return config


_NEEDED = {
    "seed": int,
    "name.model": str,
    "name.data": str,
    "model._target_": str,
    "data._target_": str,
    "data.image_size": int,
    "data.in_channels": int,
    "trainer.accelerator": str,
    "threshold": dict,
}
"""What a run's config holds at least."""


def read_plain_config(run: Path) -> dict[str, Any]:
    """The same in plain values."""
    found = OmegaConf.to_container(read_config(run))
    assert isinstance(found, dict)
    return found


def read_digest(run: Path) -> str:
    """The digest of the run's split.

    Raises:
        AnodiceError: `split.json` is missing or damaged.
    """
    return read_json(run, SPLIT, {"digest": str})["digest"]


def _words(told: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every word of a config, with the keys that lead to it."""
    if isinstance(told, str):
        yield key, told
    if isinstance(told, dict):
        yield from ((key, str(part)) for part in told)
    for part, value in told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ():
        yield from _words(value, f"{key}.{part}".strip("."))


def readable(path: Path) -> Path:
    """A path as people read it: relative where it lies below the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def environment(device: str) -> dict[str, Any]:
    """Versions, machine, device, git state and command line, for `environment.json`."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "device": device,
        "git": _git("rev-parse", "HEAD"),
        "git_modified": _git("status", "--porcelain", "--untracked-files=no") not in ("", None),
    }


def _git(*arguments: str) -> str | None:
    """What git says of the source tree; None outside a checkout or without git."""
    source = Path(__file__).parents[2]
    if not (source / ".git").exists():  # such as an environment inside somebody else's repository
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(source), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
