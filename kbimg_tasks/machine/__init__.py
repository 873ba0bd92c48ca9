"""The machine that an image is for: architecture, boot loader, partitions and their identifiers."""
