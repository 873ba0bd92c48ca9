"""What users ask for beside building, a module or folder each; none of it knows doit."""
