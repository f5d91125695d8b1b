"""Texts: files, and lines of files, as rows."""
