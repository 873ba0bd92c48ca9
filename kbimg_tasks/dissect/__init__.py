"""Reads finished images: their files, packages, file systems and differences."""
