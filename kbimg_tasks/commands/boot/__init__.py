"""`kbimg boot`: start what was built in QEMU."""
