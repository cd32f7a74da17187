"""The command line by `python -m mizzle_async`, where the folder of scripts is not on the path."""

from mizzle_async.cli import main

if __name__ == "__main__":
    main()
