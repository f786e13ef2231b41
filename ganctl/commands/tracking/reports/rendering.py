"""The page of a report: one file that holds its script, its style, the plotting library and all data.

Names and texts come from files that anyone may have written. Tables are escaped by Jinja2; what the script reads
is packed, and shown by it as text only. A policy in the page forbids every request, and scripts but these two.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ganctl.errors import ConfigError
from ganctl.runtime.version import __version__

MARK = '<!doctype html>\n<html lang="en" data-written-by="ganctl report">\n'
"""How a report begins."""

PARTS = ("report.html", "report.css", "plots.js", "report.js")
"""What the page is made of, besides the colours of ganctl's pages: template, style, and script in two files."""


def require() -> None:
    """Raise `ConfigError` where what makes the page is not installed."""
    try:
        import jinja2  # noqa: F401

        plotting_library()
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"report: the page needs jinja2 and plotly ({error}); pip install 'ganctl[report]'"
        ) from error


def plotting_library() -> str:
    """Return the source of Plotly for browsers; raises `ImportError` or `OSError` where it is not installed."""
    return (files("plotly") / "package_data/plotly.min.js").read_bytes().decode()


def rendered(document: Mapping[str, Any], made: str) -> bytes:
    """Return the page of a document as `reports.document` makes it; `made` is the time that it tells."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files(__package__)
    html, css, *scripts = ((here / name).read_text(encoding="utf-8") for name in PARTS)
    colours = (files("ganctl.page") / "colours.css").read_text(encoding="utf-8")
    script = "".join(scripts)
    plotly = plotting_library()
    values = {key: value for key, value in document.items() if key != "data"} | {
        "made": made,
        "version": __version__,
        "policy": _policy(script, plotly),
        "style": Markup(colours + css),
        "script": Markup(script),
        "plotly": packed(plotly),
        "data": packed(json.dumps(document["data"], allow_nan=False, separators=(",", ":"))),
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(html).render(values)
    return (MARK + page).encode()


def packed(text: str) -> str:
    """Return a text compressed, in letters that mean nothing in HTML."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _policy(*scripts: str) -> str:
    """Return a Content-Security-Policy by which only these scripts run, and nothing is loaded from anywhere."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
