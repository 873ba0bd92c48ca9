"""The command line of `kbimg`."""
