"""The machine that builds: processes, namespaces, mounts, loop devices, deleting."""
