"""`kbimg diff`: what changed between two images."""
