"""Lays findings out for readers: on a terminal, as Markdown, as a page, as tables.

No renderer computes: what they show, and in which order, is in the findings.
"""
