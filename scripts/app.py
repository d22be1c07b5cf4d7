"""Look at finished runs and drop photos on them in the browser: `python scripts/app.py`.

The page is served on this machine alone unless host= says otherwise. It needs `pip install -e ".[app]"`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from anodice.app.arguments import TOLD, as_options
from anodice.errors import AnodiceError

_MEGABYTES = 50
"""The largest file that can be dropped."""


def main(arguments: Sequence[str]) -> None:
    """Start the server; it ends with Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(as_options(parser, arguments))
    try:
        from streamlit.web import bootstrap
    except ImportError as error:
        raise AnodiceError('expected Streamlit for the page, which is missing; pip install -e ".[app]".') from error
    settings = {
        "server_address": options.host,
        "server_port": options.port,
        "server_headless": not options.open,
        "server_maxUploadSize": _MEGABYTES,
        "server_fileWatcherType": "none",
        "browser_gatherUsageStats": False,  # nothing is told to anybody
        "runner_magicEnabled": False,  # strings of the code are not shown
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",
    }
    bootstrap.load_config_options(settings)
    bootstrap.run(str(Path(__file__).resolve()), False, [f"--log-dir={options.log_dir}"], settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=TOLD, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--log-dir", type=Path, default=Path("logs"), help="where the runs are (%(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="(%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="who may reach the page: this machine (%(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    return parser


def _served() -> bool:
    """Whether Streamlit runs this file as its page."""
    runtime = sys.modules.get("streamlit.runtime")
    return runtime is not None and runtime.exists()


if __name__ == "__main__":
    if _served():
        from page.layout import show

        show(_parser().parse_args(sys.argv[1:]).log_dir)
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # a photo at a time gains nothing by more
        try:
            main(sys.argv[1:])
        except AnodiceError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
