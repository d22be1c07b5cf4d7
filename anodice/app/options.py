"""What an option of a group under `conf/` makes, by its name: for those who have no command line."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from anodice.app.conf import CONF
from anodice.app.configs import compose
from anodice.app.recipe import make
from anodice.errors import unknown


def option(group: str, name: str, *overrides: str) -> Any:
    """The object that `group=name` stands for on the command line; None where it stands for none.

    Args:
        overrides: that it depends on, such as `data.image_size=64`.

    Raises:
        AnodiceError: no such option.

    >>> option("augmentation", "light").shift
    1.0
    >>> option("augmentation", "none") is None
    True
    """
    known = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    if name not in known:
        raise unknown(group, name, known)
    found = compose(f"{group}={name}", *overrides)[group]
    return None if found is None else make(OmegaConf.to_container(found))
