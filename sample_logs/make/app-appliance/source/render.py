"""Renders the appliance's page."""

import sys
from pathlib import Path

import click
import jinja2

template = jinja2.Template(Path(sys.argv[1]).read_text(), undefined=jinja2.StrictUndefined)
Path(sys.argv[2]).write_text(template.render(title="appliance", items=["one", "two", "three"]))
click.echo(f"rendered {sys.argv[2]}")
