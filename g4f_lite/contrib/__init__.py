"""What connects g4f_lite to other people's programs, each imported by its users only."""
