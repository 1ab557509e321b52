"""What connects this library with other people's frameworks and clients; each module needs an extra of its own."""
