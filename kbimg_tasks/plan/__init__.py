"""Plans the graph: the stages of each image and their dependencies, without reading files."""
