"""The module that a script for g4f imports its providers from: here it is an error that says what to write instead."""

raise ImportError(
    "g4f_lite.Provider is a class, and not a module of providers as in g4f; see docs/from-g4f.md for the replacement: "
    'a name such as Client("groq"), or a class, as in "from g4f_lite import OpenAICompatible"',
    name=__name__,
)
