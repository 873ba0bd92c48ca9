"""`kbimg boot`: boot a built image in QEMU."""
