"""Container engines of this machine, registries, and the names of images."""
