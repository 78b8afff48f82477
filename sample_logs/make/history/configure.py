"""Writes the image's configuration files from its settings."""

import string
import sys
from pathlib import Path

FILES = {
    "hostname": "$hostname\n",
    "timezone": "$timezone\n",
    "motd": "$hostname: ask $contact\n",
}

settings = dict(line.split("=", 1) for line in Path(sys.argv[1]).read_text().splitlines() if "=" in line)
folder = Path(sys.argv[2])
folder.mkdir(exist_ok=True)
for name, text in FILES.items():
    try:
        (folder / name).write_text(string.Template(text).substitute(settings))
    except KeyError as missing:
        sys.exit(f"configure: error: setting {missing} is undefined, needed by {name}")
