"""An RPM repository with openEuler's package names, for machines without one.

`python -m kbimg_tasks.demo_repo [OUTDIR]` makes it. On Debian every RPM holds the files of Debian
packages (`apt_packages`, `deb`, `layout`, `spec`, `convert`); on a distribution that has dnf they
come from the host's own repositories (`host_repo`). A program without a counterpart there is a
stand-in, a small program that says so. `data/` defines the packages, their names, and what a
distribution's packages add to the files: users, owners, capabilities, scriptlets, units.
"""
