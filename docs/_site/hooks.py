"""What MkDocs makes beside the pages of docs/: the first page, the references, notebooks, links out of docs/."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from configuration import configuration_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Page

from notebooks import notebook_pages

PROJECT = Path(__file__).parents[2]
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files at the top of the project -> their pages."""
API = {
    "commands": ("The commands as functions, and what they return", ["programs.library", "programs.runs"]),
    "prediction": ("What a finished run says of new photos", ["prediction"]),
    "data": ("From folders of photos to batches", ["data"]),
    "models": ("The detectors and their networks", ["models"]),
    "scoring": ("From what a network makes of images to anomaly maps and scores", ["scoring"]),
    "thresholds": ("Rules that fit thresholds to scores", ["thresholds"]),
    "metrics": ("Figures of scores and labels", ["metrics"]),
    "augmentation": ("Changed images", ["augmentation"]),
    "functional": ("Tensors from tensors", ["functional"]),
}
"""Name of a page -> what the modules on it return, and the modules."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the generated pages their places in the navigation."""
    pages = {
        "configuration/": sorted(configuration_pages(), key=lambda page: (not page.endswith("index.md"), page)),
        "api/": [f"api/{name}.md" for name in API],
        "notebooks/": list(notebook_pages()),
    }
    config.nav = _filled(config.nav, pages)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of other files."""
    made = {page: (PROJECT / name).read_text() for name, page in TOP.items()}
    made |= configuration_pages() | notebook_pages()
    made |= {f"api/{name}.md": _api_page(name, *told) for name, told in API.items()}
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the project lead to their pages; those to files that are no pages become the files' names."""
    sources = {path: name for name, path in TOP.items()}
    own = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def mended(link: re.Match[str]) -> str:
        words, target, anchor = link.groups(default="")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(own), target))
        there = TOP.get(wanted, wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
        if there is not None:
            start = posixpath.dirname(page.file.src_uri)
            return f"[{words}]({posixpath.relpath(there, start or '.')}{anchor})"
        # What is nowhere stays a link, which the strict build refuses.
        return words if (PROJECT / wanted).exists() else link[0]

    return re.sub(r"\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)", mended, markdown)


def _api_page(name: str, words: str, modules: list[str]) -> str:
    listed = [f"::: anodice.{module}\n    options:\n      show_submodules: true\n" for module in modules]
    return "\n".join([f"# {name}\n\n{words}: `anodice.{'`, `anodice.'.join(modules)}`.\n", *listed])


def _filled(nav: Any, pages: dict[str, list[str]]) -> Any:
    """The navigation with the pages of each folder that it names."""
    if isinstance(nav, list):
        filled = [_filled(item, pages) for item in nav]
        return [item for item in filled if not isinstance(item, dict) or all(item.values())]  # no empty folders
    if isinstance(nav, dict):
        return {title: _filled(item, pages) for title, item in nav.items()}
    return pages.get(nav, nav)
