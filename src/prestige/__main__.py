"""The command line as a module: ``python -m prestige``."""

from prestige.cli import main

if __name__ == "__main__":
    main()
