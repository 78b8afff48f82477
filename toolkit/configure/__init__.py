"""Reads, checks, proposes and edits toolkit.toml; a build whose configuration is unchanged needs none of it."""
