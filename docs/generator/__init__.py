"""The pages of docs/ that are written from the code, and the picture of the graph in them."""
