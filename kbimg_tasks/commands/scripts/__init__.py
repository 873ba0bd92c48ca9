"""`kbimg plan`: the build as shell scripts."""
