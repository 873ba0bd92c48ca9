"""Container engines of this host, registries, and image references."""
