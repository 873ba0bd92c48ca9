"""The commands besides building, a module or package each, without doit."""
