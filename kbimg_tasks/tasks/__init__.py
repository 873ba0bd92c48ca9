"""doit's tasks for a plan; the only package that knows doit."""
