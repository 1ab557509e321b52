"""``python -m g4f_lite`` is ``g4f-lite``."""

from .cli import main

if __name__ == "__main__":
    main()
