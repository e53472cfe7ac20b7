"""The format of run and bench folders: written and read here and nowhere else."""
