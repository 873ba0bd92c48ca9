"""`doit reproduce`: build twice as on two hosts, and compare."""
