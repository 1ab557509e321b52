"""Stream an answer of the embedded model, in as few tokens as show that it streams: ``local_chat.py MODEL.gguf``."""

from __future__ import annotations

import sys

from g4f_lite import Local

if __name__ == "__main__":
    # One thread: those of llama.cpp wait for each other on every layer, which takes Wine a second.
    stream = Local(sys.argv[1], threads=1).create_generator(messages="Why is the sky blue?", max_tokens=2)
    print("embedded model:", [str(piece) for piece in stream], stream.finish_reason)
