"""`doit clean` and `doit cleanup`: delete, unmount and detach what builds left."""
