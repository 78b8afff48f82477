"""An Ansible connection that works inside an unpacked image: `chroot`, and copies into its folder."""

from __future__ import annotations

import shutil
import subprocess

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: image
short_description: work in an unpacked image
description: Runs commands in the folder of an unpacked image, with chroot.
author: build-state-toolkit
options:
  root:
    description: The image's folder.
    vars:
      - name: image_root
"""


class Connection(ConnectionBase):
    """Runs what Ansible asks for below the image's root folder."""

    transport = "image"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = subprocess.run(
            ["chroot", self.get_option("root"), "/bin/sh", "-c", cmd], input=in_data, capture_output=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path, out_path):
        shutil.copyfile(in_path, self.get_option("root") + out_path)

    def fetch_file(self, in_path, out_path):
        shutil.copyfile(self.get_option("root") + in_path, out_path)

    def close(self):
        self._connected = False
